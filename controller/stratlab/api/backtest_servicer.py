"""BacktestService: runs one strategy once, and lists the data it can run on."""
# ruff: noqa: N802, ARG002 (the proto names the methods, gRPC gives them their arguments)

import asyncio
from collections.abc import AsyncIterator
from typing import Any, final

import grpc

from stratlab.api.backend import Backend
from stratlab.api.convert.causality import causality_to_proto
from stratlab.api.convert.market import data_set_to_proto
from stratlab.api.convert.trial import (
    cost_model_fields,
    findings_to_proto,
    limits_fields,
    limits_to_proto,
    progress_to_proto,
    trial_to_proto,
)
from stratlab.api.convert.values import date_from_proto, values_from_proto
from stratlab.api.paging import cut_page, decode_token, page_size
from stratlab.api.validation import parse_backtest
from stratlab.campaigns.backtest import BacktestReport, BacktestRequest
from stratlab.domain.trial import TrialProgress
from stratlab_proto.v1 import backtest_service_pb2 as pb
from stratlab_proto.v1 import backtest_service_pb2_grpc as rpc
from stratlab_proto.v1 import common_pb2

_Context = grpc.aio.ServicerContext[Any, Any]


@final
class BacktestServicer(rpc.BacktestServiceServicer):
    """Answers calls about single backtests.

    Args:
        backend: The lab behind the API.
        runtime: Container runtime of requests that name none.
    """

    def __init__(self, backend: Backend, runtime: str) -> None:
        self._backend = backend
        self._runtime = runtime

    async def RunBacktest(
        self, request: pb.RunBacktestRequest, context: _Context
    ) -> AsyncIterator[pb.RunBacktestResponse]:
        """Run a backtest; a caller that goes away cancels it."""
        arguments = parse_backtest(_request_fields(request), self._runtime)
        latest = _Latest()
        run = asyncio.create_task(
            self._backend.backtester.run(BacktestRequest(**arguments), latest.put)
        )
        run.add_done_callback(lambda _: latest.wake())
        try:
            while not run.done():
                progress = await latest.get()
                if progress is not None:
                    yield pb.RunBacktestResponse(progress=progress_to_proto(progress))
            yield pb.RunBacktestResponse(result=_report_to_proto(await run))
        finally:
            run.cancel()
            await asyncio.wait([run])  # until its container is gone

    async def ListDatasets(
        self, request: pb.ListDatasetsRequest, context: _Context
    ) -> pb.ListDatasetsResponse:
        """Return the data sets of this server."""
        size = page_size(request.page_size, default=1000)
        after = decode_token("datasets", request.page_token, "")
        data_sets = await asyncio.to_thread(self._backend.market_data.list)
        rest = [data_set for data_set in data_sets if data_set.name > after]
        page, token = cut_page(
            rest[: size + 1], size, "datasets", data_set_to_proto, lambda data_set: data_set.name
        )
        return pb.ListDatasetsResponse(datasets=page, next_page_token=token)


@final
class _Latest:
    # Holds the newest progress only, so a slow caller costs no memory.

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._progress: TrialProgress | None = None

    def put(self, progress: TrialProgress) -> None:
        # The listener may be called in any thread.
        self._loop.call_soon_threadsafe(self._set, progress)

    def wake(self) -> None:
        self._changed.set()

    async def get(self) -> TrialProgress | None:
        await self._changed.wait()
        self._changed.clear()
        progress, self._progress = self._progress, None
        return progress

    def _set(self, progress: TrialProgress) -> None:
        self._progress = progress
        self._changed.set()


def _request_fields(request: pb.RunBacktestRequest) -> dict[str, object]:
    fields: dict[str, object] = {
        "source": request.source,
        "symbols": list(request.symbols),
        "parameters": values_from_proto(request.parameters),
        "cost_model": cost_model_fields(request.cost_model),
        "limits": limits_fields(request.limits),
        "seed": request.seed,
        "skip_screening": request.skip_screening,
        "causality": request.causality,
        "runtime": request.runtime,
    }
    # Zero and empty stand for the default.
    if request.data_set:
        fields["data_set"] = request.data_set
    if request.engine:
        fields["engine"] = request.engine
    if request.capital != 0:
        fields["capital"] = request.capital
    if request.HasField("start"):
        fields["start"] = date_from_proto(request.start, "start")
    if request.HasField("end"):
        fields["end"] = date_from_proto(request.end, "end")
    return fields


def _report_to_proto(report: BacktestReport) -> pb.BacktestResult:
    trial = (
        trial_to_proto(report.result, report.limits, with_series=True)
        if report.result
        else common_pb2.Trial(limits=limits_to_proto(report.limits))
    )
    return pb.BacktestResult(
        trial=trial,
        findings=findings_to_proto(report.screening),
        rejected=report.result is None,
        caveats=report.caveats,
        causality=causality_to_proto(report.causality) if report.causality else None,
    )
