"""Every case of the abuse suite holds, on runc and on gVisor, with our profile inside and without.

At CI size a selection runs; `make soak` and `stratlab doctor --abuse` run all of them.
"""

import pytest
from tests.abuse.conftest import Run
from tests.conftest import FULL_SIZE

from stratlab.abuse.catalogue import CASES, DRILLS

# Without the profile only what the profile holds elsewhere is of interest.
_PLAIN = ("fork-bomb", "memory-hog", "system-calls-refused", "sockets-and-network",
          "files-and-privileges", "other-processes-and-secrets")  # fmt: skip


def _pairs() -> list[object]:
    chosen = [each.name for each in (*CASES, *DRILLS) if FULL_SIZE or each.ci]
    runtimes = {"runc": chosen, "runsc": chosen, "runsc-plain": _PLAIN}
    return [
        pytest.param(
            runtime,
            name,
            id=f"{runtime}-{name}",
            marks=[pytest.mark.docker, *([pytest.mark.gvisor] if runtime != "runc" else [])],
        )
        for runtime, names in runtimes.items()
        for name in names
    ]


@pytest.mark.load
@pytest.mark.parametrize(("runtime", "name"), _pairs())
def test_case_holds(report_of: Run, runtime: str, name: str) -> None:
    report = report_of(runtime, name)
    assert report.complaints == ()


def test_every_case_has_a_name_of_its_own_and_says_what_holds_it() -> None:
    names = [each.name for each in (*CASES, *DRILLS)]
    assert len(set(names)) == len(names)
    assert all(len(each.defence) > 5 for each in (*CASES, *DRILLS))
    assert all(len({row.name for row in case.rows}) == len(case.rows) for case in CASES)
