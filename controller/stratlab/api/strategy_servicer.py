"""StrategyService: judges strategies that were written elsewhere."""
# ruff: noqa: N802, ARG002 (the proto names the methods, gRPC gives them their arguments)

import asyncio
from typing import Any, final

import grpc

from stratlab.api.backend import Backend
from stratlab.api.convert.trial import findings_to_proto
from stratlab.api.validation import require_source
from stratlab_proto.v1 import strategy_service_pb2 as pb
from stratlab_proto.v1 import strategy_service_pb2_grpc as rpc

_Context = grpc.aio.ServicerContext[Any, Any]


@final
class StrategyServicer(rpc.StrategyServiceServicer):
    """Answers calls about strategy source."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ValidateStrategy(
        self, request: pb.ValidateStrategyRequest, context: _Context
    ) -> pb.ValidateStrategyResponse:
        """Screen source without running it."""
        require_source(request.source)
        report = await asyncio.to_thread(self._backend.screener.screen, request.source)
        return pb.ValidateStrategyResponse(passed=report.passed, findings=findings_to_proto(report))
