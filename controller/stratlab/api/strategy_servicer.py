"""StrategyService: judges strategies that were written elsewhere."""
# ruff: noqa: N802, ARG002 (the proto names the methods, gRPC gives them their arguments)

import asyncio
from time import perf_counter
from typing import Any, final

import grpc

from stratlab.api.backend import Backend
from stratlab.api.convert.sensitivity import sensitivity_to_proto
from stratlab.api.convert.trial import findings_to_proto
from stratlab.api.convert.values import values_from_proto
from stratlab.api.names import parse_campaign
from stratlab.api.validation import DEFAULT_DATA_SET, parse_backtest, require_source
from stratlab.campaigns.backtest import BacktestRequest
from stratlab.campaigns.sensitivity import campaign_sensitivity, contract_sensitivity
from stratlab.campaigns.stats import StatsOfRevisions
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.trial import SMOKE_SECONDS
from stratlab_proto.v1 import strategy_service_pb2 as pb
from stratlab_proto.v1 import strategy_service_pb2_grpc as rpc

_Context = grpc.aio.ServicerContext[Any, Any]


@final
class StrategyServicer(rpc.StrategyServiceServicer):
    """Answers calls about strategies; what takes long runs in threads.

    Args:
        backend: The lab behind the API.
        stats: Figures about campaigns, which registered points change.
        runtime: Container runtime of smoke runs.
    """

    def __init__(self, backend: Backend, stats: StatsOfRevisions, runtime: str) -> None:
        self._backend = backend
        self._stats = stats
        self._runtime = runtime

    async def ValidateStrategy(
        self, request: pb.ValidateStrategyRequest, context: _Context
    ) -> pb.ValidateStrategyResponse:
        """Screen source, and run it for a moment when that is asked for."""
        if request.HasField("smoke"):
            arguments = parse_backtest(_smoke_fields(request), self._runtime)
            report = await self._backend.backtester.smoke(BacktestRequest(**arguments))
        else:
            require_source(request.source)
            report = await asyncio.to_thread(self._backend.screener.screen, request.source)
        return pb.ValidateStrategyResponse(passed=report.passed, findings=findings_to_proto(report))

    async def MeasureSensitivity(
        self, request: pb.MeasureSensitivityRequest, context: _Context
    ) -> pb.Sensitivity:
        """Move the parameters of a contract a little on the train tier's prices."""
        backend, begin = self._backend, perf_counter()
        match request.WhichOneof("subject"):
            case "contract":
                report = await asyncio.to_thread(
                    contract_sensitivity,
                    request.contract,
                    request.data_set or DEFAULT_DATA_SET,
                    tuple(request.symbols),
                    backend.market_data,
                )
            case "campaign":
                if request.data_set or request.symbols:
                    raise InvalidInputError(
                        "data_set and symbols are the campaign's own", field="data_set"
                    )
                campaign_id = parse_campaign(request.campaign)
                report = await asyncio.to_thread(
                    campaign_sensitivity,
                    campaign_id,
                    request.iteration,
                    backend.repository,
                    backend.market_data,
                )
                self._stats.forget(campaign_id)
            case _:
                raise InvalidInputError(
                    "subject: is missing", hint="Send a contract or the name of a campaign."
                )
        return sensitivity_to_proto(report, perf_counter() - begin)


def _smoke_fields(request: pb.ValidateStrategyRequest) -> dict[str, object]:
    smoke = request.smoke
    if not 0 <= smoke.seconds <= SMOKE_SECONDS:
        raise InvalidInputError(
            f"smoke.seconds: {smoke.seconds} is not between 1 and {SMOKE_SECONDS}",
            field="smoke.seconds",
        )
    seconds = smoke.seconds or SMOKE_SECONDS
    return {
        "source": request.source,
        "data_set": smoke.data_set or DEFAULT_DATA_SET,
        "symbols": list(smoke.symbols),
        "parameters": values_from_proto(smoke.parameters),
        "limits": {"cpu_seconds": seconds, "wall_seconds": seconds},
    }
