"""A bench must not be blind: what should be red is red."""

from dataclasses import replace

import pytest

from stratlab.abuse.bench import Bench
from stratlab.abuse.case import AbuseCase, Row, results_of, rows_source
from stratlab.abuse.catalogue import CASES
from stratlab.domain.trial import Outcome
from stratlab_proto.v1 import common_pb2

CASE = AbuseCase(
    name="x",
    group="g",
    source="",
    outcomes=frozenset({Outcome.SUCCEEDED}),
    defence="something",
    on_gvisor=frozenset({Outcome.PIDS}),
    rows=(Row("a", "pass", frozenset({"EPERM"}), filtered=True), Row("b", "pass")),
    shown="hello",
)
GOOD = "ROW a EPERM\nROW b EACCES\nhello"


def complaints(
    case: AbuseCase = CASE,
    outcome: str = "SUCCEEDED",
    output: str = GOOD,
    seconds: float = 1.0,
    runtime: str = "runc",
) -> list[str]:
    bench = object.__new__(Bench)
    bench.runtime = runtime
    trial = common_pb2.Trial(output_tail=output, usage=common_pb2.Usage(wall_seconds=seconds))
    return list(bench._judge(case, trial, outcome, results_of(output)))


def test_everything_as_it_should_be_has_no_complaint() -> None:
    assert complaints() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "STRATEGY_ERROR"}, "STRATEGY_ERROR"),
        ({"seconds": 13.5}, "13.5"),
        ({"output": GOOD.replace("EPERM", "EBADF")}, "a: EBADF"),
        ({"output": GOOD.replace("ROW b", "")}, "b: no result"),
        ({"output": GOOD.replace("hello", "")}, "hello"),
        ({"runtime": "runsc"}, "PIDS"),
    ],
)
def test_anything_else_is_complained_of(changes: dict[str, str], said: str) -> None:
    (complaint,) = complaints(**changes)
    assert said in complaint


@pytest.mark.parametrize(
    ("runtime", "tells", "harmless"),
    [("runc", "0", False), ("runsc", "2", False), ("runsc", "0", True), ("runsc", None, False)],
)
def test_row_of_the_filter_is_excused_only_inside_gvisor_without_one(
    runtime: str, tells: str | None, harmless: bool
) -> None:
    output = GOOD.replace("EPERM", "made") + (f"\nROW filter {tells}" if tells else "")
    case = replace(CASE, on_gvisor=None)
    assert (complaints(case, output=output, runtime=runtime) == []) is harmless


def test_rows_of_a_source_are_told_by_name() -> None:
    source = rows_source((Row("one", "result = 1"),))
    compile(source, "case", "exec")
    assert "('one', 'result = 1')" in source


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_source_of_every_case_compiles(case: AbuseCase) -> None:
    compile(case.source, case.name, "exec")
    for row in case.rows:
        compile(row.code, row.name, "exec")
