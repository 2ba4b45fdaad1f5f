"""The generated system call filter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DIRECTORY = Path(__file__).resolve().parents[2] / "docker" / "seccomp"
SOURCE = yaml.safe_load((DIRECTORY / "profile.yaml").read_text())
PROFILE = json.loads((DIRECTORY.parent / "seccomp.json").read_text())
REFUSED = [call for group in SOURCE["refused"] for call in group["calls"]]


def rules_of(call: str) -> list[dict[str, object]]:
    return [rule for rule in PROFILE["syscalls"] if call in rule["names"]]


def test_profile_committed_filter_is_current() -> None:
    command = [sys.executable, str(DIRECTORY / "generate.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stdout


def test_profile_denies_by_default() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(not entry["subArchitectures"] for entry in PROFILE["archMap"])


@pytest.mark.parametrize("call", REFUSED)
def test_profile_refused_call_is_nowhere_allowed(call: str) -> None:
    assert rules_of(call) == []


def test_profile_every_group_has_a_reason_and_no_call_twice() -> None:
    groups = SOURCE["allowed"] + SOURCE["missing"] + SOURCE["refused"]
    assert all(len(group["reason"]) > 20 for group in groups)
    calls = [call for group in groups for call in group["calls"]]
    assert len(calls) == len(set(calls))


def test_profile_clone3_looks_absent() -> None:
    (rule,) = rules_of("clone3")
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_profile_clone_passes_without_namespaces_only() -> None:
    (rule,) = rules_of("clone")
    assert rule["args"] == [
        {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    ]


@pytest.mark.parametrize(
    ("call", "index", "values"),
    [
        ("socket", 0, {1}),
        ("socketpair", 0, {1}),
        ("prlimit64", 0, {0}),
        ("fcntl", 1, {0, 1, 2, 3, 4, 1030, 1031, 1032}),
    ],
)
def test_profile_narrowed_call_passes_with_these_values_only(
    call: str, index: int, values: set[int]
) -> None:
    rules = rules_of(call)
    assert all(len(rule["args"]) == 1 and rule["args"][0]["index"] == index for rule in rules)
    assert {rule["args"][0]["value"] for rule in rules} == values
