"""The gRPC server: services, health, reflection, limits and the listener."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self, final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stratlab.api.backend import Backend
from stratlab.api.backtest_servicer import BacktestServicer
from stratlab.api.campaign_servicer import CampaignServicer
from stratlab.api.errors import ErrorInterceptor
from stratlab.api.listener import claim, socket_path
from stratlab.api.strategy_servicer import StrategyServicer
from stratlab.domain.errors import InfrastructureError
from stratlab_proto.v1 import (
    backtest_service_pb2,
    backtest_service_pb2_grpc,
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)

SANDBOX_SERVICE = "sandbox"
"""Health service that is NOT_SERVING until the canary has proven every limit."""

SERVICES = (
    campaign_service_pb2.DESCRIPTOR.services_by_name["CampaignService"].full_name,
    backtest_service_pb2.DESCRIPTOR.services_by_name["BacktestService"].full_name,
    strategy_service_pb2.DESCRIPTOR.services_by_name["StrategyService"].full_name,
)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Requests are small (the source of a strategy is the largest part); a result may hold every
# fill of a long backtest.
_MAX_REQUEST_BYTES = 1024 * 1024
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_CALLS = 512
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", _MAX_ANSWER_BYTES),
    ("grpc.so_reuseport", 0),
)


@final
class ApiServer:
    """Serves a lab on a unix socket of mode 0600 in a directory of mode 0700.

    Args:
        backend: The lab.
        address: ``unix:/path``.
        runtime: Container runtime of requests that name none.
        drain_seconds: Time that running calls get when the server stops.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        address: str,
        runtime: str = "runc",
        drain_seconds: float = 5.0,
    ) -> None:
        self._backend = backend
        self._address = address
        self._runtime = runtime
        self._drain_seconds = drain_seconds
        self._resources = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start; see :meth:`start`."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; see :meth:`stop`."""
        await self.stop()

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            UnsafeConfigurationError: The listener would not be private.
            InvalidInputError: The address cannot be used.
            AlreadyExistsError: Another server listens there.
        """
        path = socket_path(self._address)
        async with contextlib.AsyncExitStack() as resources:
            resources.enter_context(claim(path))
            server = grpc.aio.server(
                interceptors=[ErrorInterceptor()],
                options=_OPTIONS,
                maximum_concurrent_rpcs=_MAX_CALLS,
            )
            status = await self._add_services(server)
            try:
                server.add_insecure_port(self._address)
            except RuntimeError as error:
                raise InfrastructureError(f"cannot listen on {path}: {error}") from error
            # Until this line the directory keeps others out, whatever the umask.
            path.chmod(0o600)
            await server.start()
            resources.push_async_callback(server.stop, self._drain_seconds)
            resources.push_async_callback(status.enter_graceful_shutdown)
            announcer = asyncio.create_task(self._announce_sandbox(status))
            resources.callback(announcer.cancel)
            self._resources = resources.pop_all()

    async def stop(self) -> None:
        """Refuse new calls, let running ones drain, then remove the socket; once is enough."""
        await self._resources.aclose()

    async def _add_services(self, server: grpc.aio.Server) -> health.aio.HealthServicer:
        campaign_service_pb2_grpc.add_CampaignServiceServicer_to_server(
            CampaignServicer(self._backend, self._runtime), server
        )
        backtest_service_pb2_grpc.add_BacktestServiceServicer_to_server(
            BacktestServicer(self._backend, self._runtime), server
        )
        strategy_service_pb2_grpc.add_StrategyServiceServicer_to_server(
            StrategyServicer(self._backend), server
        )
        status = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(status, server)
        for service in SERVICES:
            await status.set(service, _SERVING)
        await status.set(SANDBOX_SERVICE, _NOT_SERVING)
        reflection.enable_server_reflection(
            (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return status

    async def _announce_sandbox(self, status: health.aio.HealthServicer) -> None:
        await self._backend.sandbox_ready.wait()
        await status.set(SANDBOX_SERVICE, _SERVING)
