"""Each call that the profile names is walked in a real container: refused, or let through."""

import json
from pathlib import Path

import pytest
import yaml
from tests.abuse.conftest import Run

from stratlab.abuse.escape import ESCAPE
from stratlab.abuse.system_calls import CLONE3, NEEDED, REFUSED

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SOURCE = yaml.safe_load((DOCKER / "seccomp" / "profile.yaml").read_text())
ROWS = {case.name: {row.name: row for row in case.rows} for case in ESCAPE}
RUNTIMES = [
    pytest.param("runc", marks=pytest.mark.docker),
    pytest.param("runsc", marks=[pytest.mark.docker, pytest.mark.gvisor]),
]


def named(groups: str) -> set[str]:
    return {call for group in SOURCE[groups] for call in group["calls"]}


def test_table_has_every_call_of_the_profile_and_no_other() -> None:
    assert set(REFUSED) == named("refused")
    assert set(NEEDED) == named("allowed")
    assert named("missing") == {"clone3"}
    assert CLONE3 == 435


def test_numbers_are_those_of_one_call_each() -> None:
    for index in (0, 1):
        numbers = [each[index] for each in (*REFUSED.values(), *NEEDED.values())]
        known = [number for number in numbers if number is not None]
        assert len(set(known)) == len(known)


@pytest.mark.load
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("call", [*sorted(REFUSED), "clone3"])
def test_refused_call_is_refused(report_of: Run, runtime: str, call: str) -> None:
    result = report_of(runtime, "system-calls-refused").results[call]
    assert ROWS["system-calls-refused"][call].is_harmless(result, runtime), result


@pytest.mark.load
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("call", sorted(set(NEEDED) - {"vfork"}))
def test_needed_call_is_let_through(report_of: Run, runtime: str, call: str) -> None:
    result = report_of(runtime, "system-calls-needed").results[call]
    assert ROWS["system-calls-needed"][call].is_harmless(result, runtime), result


def test_profile_for_gvisor_differs_in_absent_calls_and_other_names_only() -> None:
    from stratlab.sandbox.seccomp import load_seccomp_profile  # noqa: PLC0415 - of this test only

    profile = load_seccomp_profile()
    ours, theirs = json.loads(profile.text), json.loads(profile.text_for_sentry)
    kept = [rule for rule in ours["syscalls"] if "errnoRet" not in rule]
    for rule in kept:
        if "pselect6" in rule["names"]:
            rule["names"].append("pselect")
    assert theirs["syscalls"][:-1] == kept
    assert theirs["syscalls"][-1] == {"names": ["clone3"], "action": "SCMP_ACT_ALLOW"}
    assert {key: ours[key] for key in ours if key != "syscalls"} == {
        key: theirs[key] for key in theirs if key != "syscalls"
    }
