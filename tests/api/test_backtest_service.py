"""BacktestService and StrategyService over a real unix socket."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest
from tests.api.fake_lab import FakeLab
from tests.api.samples import FAILED_RESULT, REJECTION, RESULT

from stratlab.campaigns.backtest import BacktestReport
from stratlab.domain.errors import EngineUnavailableError
from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Engine, Limits
from stratlab_proto.v1 import backtest_service_pb2 as pb
from stratlab_proto.v1 import common_pb2, strategy_service_pb2

SOURCE = "def initialize(context):\n    pass\n"


async def run(api: SimpleNamespace, request: pb.RunBacktestRequest) -> list[pb.RunBacktestResponse]:
    return [item async for item in api.backtests.RunBacktest(request)]


async def test_backtest_streams_progress_then_one_result(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    items = await run(api, pb.RunBacktestRequest(source=SOURCE))
    kinds = [item.WhichOneof("item") for item in items]
    assert kinds == ["progress"] * (len(items) - 1) + ["result"]
    fractions = [item.progress.fraction for item in items[:-1]]
    assert fractions == sorted(fractions)
    trial = items[-1].result.trial
    assert not items[-1].result.rejected
    assert trial.outcome == common_pb2.OUTCOME_SUCCEEDED
    assert [fill.amount for fill in trial.fills] == [100, -100]
    assert [point.value for point in trial.equity] == [100_000.0, 100_049.8]
    assert trial.metrics.sharpe_ratio == 0.5
    assert trial.benchmark_metrics.sharpe_ratio == 0.4
    assert trial.usage.max_rss_bytes == 200_000_000
    assert trial.seccomp_digest == "e" * 64


async def test_backtest_request_arrives_with_kinds_and_defaults(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    request = pb.RunBacktestRequest(
        source=SOURCE,
        symbols=["IBM"],
        start=common_pb2.Date(year=2002, month=2, day=3),
        cost_model=common_pb2.CostModel(kind=common_pb2.CostModel.KIND_ZIPLINE, slippage_bps=0.0),
        limits=common_pb2.Limits(memory_mib=512),
        skip_screening=True,
    )
    request.parameters.update({"fast": 10, "mult": 2.5})
    await run(api, request)
    (received,) = lab.backtester.requests
    assert received.parameters == {"fast": 10, "mult": 2.5}
    assert isinstance(received.parameters["fast"], int)
    assert received.symbols == ("IBM",)
    assert received.start.isoformat() == "2002-02-03"
    assert received.end is None
    assert received.data_set == "us-daily"
    assert received.cost_model.kind is CostModelKind.ZIPLINE
    assert received.cost_model.slippage_bps == 0.0
    assert received.cost_model.volume_limit == 0.1
    assert received.limits.memory_mib == 512
    assert received.limits.pids == 64
    assert received.capital == 100_000.0
    assert received.skip_screening
    assert received.runtime == "runc"
    assert received.engine is Engine.FAST


async def test_backtest_rejected_by_screening_has_findings_and_no_outcome(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    lab.backtester.report = BacktestReport(None, REJECTION, Limits())
    result = (await run(api, pb.RunBacktestRequest(source=SOURCE)))[-1].result
    assert result.rejected
    assert result.trial.outcome == common_pb2.OUTCOME_UNSPECIFIED
    assert result.trial.limits.memory_mib == 1024
    assert [finding.rule for finding in result.findings] == ["forbidden-import", "center"]


async def test_backtest_strategy_error_is_a_result_not_a_status(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    lab.backtester.report = BacktestReport(FAILED_RESULT, REJECTION, Limits())
    trial = (await run(api, pb.RunBacktestRequest(source=SOURCE)))[-1].result.trial
    assert trial.outcome == common_pb2.OUTCOME_STRATEGY_ERROR
    assert trial.error.line == 7
    assert trial.error.text == "x = 1 / 0"
    assert not trial.HasField("metrics")


async def test_backtest_engine_gone_is_unavailable(lab: FakeLab, api: SimpleNamespace) -> None:
    lab.backtester.error = EngineUnavailableError("no engine")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run(api, pb.RunBacktestRequest(source=SOURCE))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_backtest_caller_goes_away_cancels_the_run(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    lab.backtester.hangs = True
    call = api.backtests.RunBacktest(pb.RunBacktestRequest(source=SOURCE))
    assert (await call.read()).HasField("progress")
    call.cancel()
    await asyncio.wait_for(lab.backtester.cancelled.wait(), timeout=5)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"source": ""}, grpc.StatusCode.INVALID_ARGUMENT, "source"),
        ({"source": "a\0b"}, grpc.StatusCode.INVALID_ARGUMENT, "source"),
        ({"source": "#" * 300_000}, grpc.StatusCode.INVALID_ARGUMENT, "source"),
        ({"capital": -1.0}, grpc.StatusCode.INVALID_ARGUMENT, "capital"),
        ({"capital": float("nan")}, grpc.StatusCode.INVALID_ARGUMENT, "capital"),
        ({"capital": float("inf")}, grpc.StatusCode.INVALID_ARGUMENT, "capital"),
        ({"symbols": ["IBM", "IBM"]}, grpc.StatusCode.INVALID_ARGUMENT, "symbols"),
        ({"symbols": ["I BM"]}, grpc.StatusCode.INVALID_ARGUMENT, "symbols"),
        ({"runtime": "kata"}, grpc.StatusCode.INVALID_ARGUMENT, "runtime"),
        ({"engine": "slow"}, grpc.StatusCode.INVALID_ARGUMENT, "engine"),
        ({"seed": -1}, grpc.StatusCode.INVALID_ARGUMENT, "seed"),
        (
            {"start": {"year": 2001, "month": 2, "day": 30}},
            grpc.StatusCode.INVALID_ARGUMENT,
            "start",
        ),
        ({"parameters": {"a": "5"}}, grpc.StatusCode.INVALID_ARGUMENT, "parameters"),
        ({"parameters": {"a": True}}, grpc.StatusCode.INVALID_ARGUMENT, "parameters"),
        ({"parameters": {"a": [1]}}, grpc.StatusCode.INVALID_ARGUMENT, "parameters"),
        ({"parameters": {"a b": 1}}, grpc.StatusCode.INVALID_ARGUMENT, "parameters"),
        ({"limits": {"memory_mib": -5}}, grpc.StatusCode.INVALID_ARGUMENT, "limits.memory_mib"),
        ({"cost_model": {"kind": 77}}, grpc.StatusCode.INVALID_ARGUMENT, "cost_model.kind"),
    ],
)
async def test_backtest_bad_field_is_named(
    lab: FakeLab, api: SimpleNamespace, changes: dict, code: grpc.StatusCode, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run(api, pb.RunBacktestRequest(**{"source": SOURCE} | changes))
    assert caught.value.code() is code
    assert caught.value.details().startswith(field)
    assert not lab.backtester.requests


async def test_request_above_the_limit_is_refused_and_the_server_lives(
    api: SimpleNamespace,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run(api, pb.RunBacktestRequest(source="#" * 2_000_000))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await run(api, pb.RunBacktestRequest(source=SOURCE)))[-1].HasField("result")


async def test_datasets_pages_in_name_order(api: SimpleNamespace) -> None:
    first = await api.backtests.ListDatasets(pb.ListDatasetsRequest(page_size=1))
    rest = await api.backtests.ListDatasets(
        pb.ListDatasetsRequest(page_size=1, page_token=first.next_page_token)
    )
    assert [page.datasets[0].name for page in (first, rest)] == [
        "datasets/synthetic",
        "datasets/us-daily",
    ]
    assert rest.next_page_token == ""
    assert rest.datasets[0].train.end == common_pb2.Date(year=2006, month=12, day=29)
    assert list(rest.datasets[0].caveats) == ["Survivors only."]


def smoke_request(**smoke: object) -> strategy_service_pb2.ValidateStrategyRequest:
    return strategy_service_pb2.ValidateStrategyRequest(
        source=SOURCE, smoke=strategy_service_pb2.SmokeRun(**smoke)
    )


async def test_validate_strategy_with_a_smoke_run_asks_the_backtester(
    api: SimpleNamespace, lab: FakeLab
) -> None:
    lab.backtester.report = BacktestReport(RESULT, REJECTION, Limits())
    answer = await api.strategies.ValidateStrategy(smoke_request())
    assert not answer.passed
    assert [finding.rule for finding in answer.findings] == [f.rule for f in REJECTION.findings]
    (request,) = lab.backtester.requests
    assert (request.source, request.data_set) == (SOURCE, "us-daily")
    assert (request.limits.cpu_seconds, request.limits.wall_seconds) == (30, 30)
    assert request.runtime == "runc"


@pytest.mark.parametrize(
    ("smoke", "named"),
    [
        ({"seconds": 31}, "smoke.seconds"),
        ({"seconds": -1}, "smoke.seconds"),
        ({"data_set": "../x"}, "data_set"),
        ({"symbols": ["A", "A"]}, "symbols"),
    ],
)
async def test_validate_strategy_with_a_wrong_smoke_run_is_refused(
    api: SimpleNamespace, lab: FakeLab, smoke: dict[str, object], named: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.strategies.ValidateStrategy(smoke_request(**smoke))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in (caught.value.details() or "")
    assert not lab.backtester.requests


async def test_validate_strategy_reports_findings_of_the_real_screener(
    api: SimpleNamespace,
) -> None:
    request = strategy_service_pb2.ValidateStrategyRequest(
        source="import os\n\ndef initialize(context):\n    os.system('id')\n"
    )
    answer = await api.strategies.ValidateStrategy(request)
    assert not answer.passed
    assert answer.findings[0].severity == common_pb2.Finding.SEVERITY_ERROR
    assert answer.findings[0].line == 4
