"""Examples and own algorithms give what zipline's own run_algorithm gives on the same bundle."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.zipline_compat import world
from tests.zipline_compat.conftest import EXAMPLES, job, run_plainly

from stratlab.api.convert.values import date_to_proto
from stratlab.client import Client
from stratlab.settings import Settings
from stratlab_proto.v1 import backtest_service_pb2 as pb
from stratlab_proto.v1 import common_pb2

pytestmark = [pytest.mark.docker, pytest.mark.load]

Job = dict[str, Any]
OWN = {path.stem: path for path in sorted((Path(__file__).parent / "algorithms").glob("*.py"))}
NAMES = (*OWN, *EXAMPLES)
PARTS_A_MILLIARD = 1e-9


@pytest.fixture(scope="module")
def jobs(installed: dict[str, Any], home: Path) -> dict[str, Job]:
    sources = {name: path.read_text() for name, path in OWN.items()} | installed["examples"]
    return {name: job(name, sources[name], home, world.NAME) for name in NAMES}


@pytest.fixture(scope="module")
def plain(
    jobs: dict[str, Job], train: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What zipline alone makes of every algorithm."""
    results = run_plainly(train, list(jobs.values()), tmp_path_factory.mktemp("plain"))
    return dict(zip(jobs, results, strict=True))


@pytest.fixture(scope="module")
def client(served_home: Path) -> Iterator[Client]:
    with Client(Settings(home=served_home).address) as client:
        yield client


def run_in_the_lab(client: Client, job: Job) -> pb.BacktestResult:
    start, end = (date.fromisoformat(job[name]) for name in ("start", "end"))
    request = pb.RunBacktestRequest(
        source=job["source"],
        data_set=world.NAME,
        start=date_to_proto(start),
        end=date_to_proto(end),
        cost_model=common_pb2.CostModel(kind=common_pb2.CostModel.KIND_ZIPLINE),
        limits=common_pb2.Limits(max_leverage=100),
        capital=job["capital"],
    )
    *_, last = client.run_backtest(request)
    assert last.HasField("result")
    return last.result


@pytest.mark.parametrize("name", NAMES)
def test_algorithm_equals_plain_zipline(
    client: Client, jobs: dict[str, Job], plain: dict[str, dict[str, Any]], name: str
) -> None:
    expected = plain[name]
    assert "error" not in expected, expected
    result = run_in_the_lab(client, jobs[name])
    trial = result.trial
    assert trial.outcome == common_pb2.OUTCOME_SUCCEEDED, (trial.reason, trial.error)
    assert {f.severity for f in result.findings} <= {common_pb2.Finding.SEVERITY_WARNING}
    # The lab orders fills of one bar by order, zipline by asset.
    mine = sorted((f.bar_epoch_seconds, f.symbol, f.quantity, f.price) for f in trial.fills)
    theirs = sorted(tuple(fill) for fill in expected["fills"])
    assert len(mine) == len(theirs) > 0
    assert [fill[:3] for fill in mine] == [fill[:3] for fill in theirs]
    assert [fill[3] for fill in mine] == pytest.approx(
        [fill[3] for fill in theirs], rel=PARTS_A_MILLIARD
    )
    bars, values = zip(*expected["equity"], strict=True)
    assert tuple(point.bar_epoch_seconds for point in trial.equity) == bars
    assert [point.value for point in trial.equity] == pytest.approx(values, rel=PARTS_A_MILLIARD)
    # Warnings of libraries go to the same place.
    said = expected["printed"].splitlines()
    assert [line for line in trial.output_tail.splitlines() if line in said] == said
