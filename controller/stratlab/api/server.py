"""The gRPC server: services, health, reflection, limits, and its two listeners."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self, final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stratlab.api.access.interceptor import OwnerInterceptor, TokenInterceptor
from stratlab.api.backend import Backend
from stratlab.api.backtest_servicer import BacktestServicer
from stratlab.api.campaign_servicer import CampaignServicer
from stratlab.api.errors import ErrorInterceptor
from stratlab.api.lifetimes import Lifetimes, Phase
from stratlab.api.listener import claim, socket_path
from stratlab.api.network import Network
from stratlab.api.strategy_servicer import StrategyServicer
from stratlab.campaigns.stats import StatsOfRevisions
from stratlab.domain.errors import AlreadyExistsError, InfrastructureError
from stratlab.domain.strategy import GeneratorKind
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
_MAX_METADATA_BYTES = 16 * 1024
_MAX_CALLS = 2048
_MAX_CALLS_PER_CONNECTION = 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", _MAX_ANSWER_BYTES),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", _MAX_CALLS_PER_CONNECTION),
    ("grpc.so_reuseport", 0),
    # A peer that vanished is noticed, and its streams end; one that asks too often is sent away.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.server_handshake_timeout_ms", 10_000),
)
# Between the end of the drain and the moment when gRPC cuts off what is left: calls are told why.
_FAREWELL_SECONDS = 0.5


@final
class ApiServer:
    """Serves a lab on a unix socket of mode 0600 in a directory of mode 0700.

    With a network, it serves TCP too, by a gRPC server of its own: no call that came in by one
    listener can be taken for a call of the other, and strangers cannot use up the owner's room.

    Args:
        backend: The lab.
        address: ``unix:/path``.
        network: The TCP listener; None for none.
        runtime: Container runtime of requests that name none.
        generator: Who writes the strategies of campaigns that do not say it.
        call_seconds: The longest a unary call may take.
        drain_seconds: Time that running calls get when the server stops.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        address: str,
        network: Network | None = None,
        runtime: str = "runc",
        generator: GeneratorKind = GeneratorKind.FACTOR_GRAPH,
        call_seconds: float = 60.0,
        drain_seconds: float = 5.0,
    ) -> None:
        self._backend = backend
        self._address = address
        self._network = network
        self._runtime = runtime
        self._generator = generator
        self._drain_seconds = drain_seconds
        self._lifetimes = Lifetimes(call_seconds)
        self._resources = contextlib.AsyncExitStack()
        self._network_address = ""

    @property
    def address(self) -> str:
        """Address of the unix socket, ``unix:/path``."""
        return self._address

    @property
    def network_address(self) -> str:
        """IP address and port of the TCP listener, "" without one."""
        return self._network_address

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
            UnsafeConfigurationError: The unix socket would not be private.
            InvalidInputError: The address cannot be used.
            AlreadyExistsError: Another server listens there.
        """
        path = socket_path(self._address)
        async with contextlib.AsyncExitStack() as resources:
            resources.enter_context(claim(path))
            status = await _health_status()
            local = self._make_server(OwnerInterceptor(), status)
            try:
                local.add_insecure_port(self._address)
            except RuntimeError as error:
                raise InfrastructureError(f"cannot listen on {path}: {error}") from error
            # Until this line the directory keeps others out, whatever the umask.
            path.chmod(0o600)
            servers = [local]
            if self._network:
                tokens = TokenInterceptor(self._network.tokens, self._network.quotas)
                remote = self._make_server(tokens, status)
                self._network_address = _listen(remote, self._network)
                servers.append(remote)
            for server in servers:
                await server.start()
            resources.push_async_callback(self._drain, servers)
            resources.push_async_callback(status.enter_graceful_shutdown)
            announcer = asyncio.create_task(self._announce_sandbox(status))
            resources.callback(announcer.cancel)
            self._resources = resources.pop_all()

    async def stop(self) -> None:
        """Refuse new calls, let running ones drain, then remove the socket; once is enough."""
        await self._resources.aclose()

    async def _drain(self, servers: list[grpc.aio.Server]) -> None:
        self._lifetimes.enter(Phase.DRAINING)
        ending = asyncio.get_running_loop().call_later(
            self._drain_seconds, self._lifetimes.enter, Phase.ENDING
        )
        grace = self._drain_seconds + _FAREWELL_SECONDS
        await asyncio.gather(*(server.stop(grace) for server in servers))
        ending.cancel()

    def _make_server(
        self, access: grpc.aio.ServerInterceptor, status: health.aio.HealthServicer
    ) -> grpc.aio.Server:
        server = grpc.aio.server(
            # The first one is asked first.
            interceptors=[access, ErrorInterceptor(self._lifetimes)],
            options=_OPTIONS,
            maximum_concurrent_rpcs=_MAX_CALLS,
        )
        stats = StatsOfRevisions(self._backend.repository)
        campaign_service_pb2_grpc.add_CampaignServiceServicer_to_server(
            CampaignServicer(self._backend, self._runtime, self._generator, stats), server
        )
        backtest_service_pb2_grpc.add_BacktestServiceServicer_to_server(
            BacktestServicer(self._backend, self._runtime), server
        )
        strategy_service_pb2_grpc.add_StrategyServiceServicer_to_server(
            StrategyServicer(self._backend, stats, self._runtime), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(status, server)
        reflection.enable_server_reflection(
            (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return server

    async def _announce_sandbox(self, status: health.aio.HealthServicer) -> None:
        ready = self._backend.sandbox_ready
        while True:
            await ready.wait()
            await status.set(SANDBOX_SERVICE, _SERVING)
            await ready.wait_cleared()
            await status.set(SANDBOX_SERVICE, _NOT_SERVING)


async def _health_status() -> health.aio.HealthServicer:
    status = health.aio.HealthServicer()
    for service in SERVICES:
        await status.set(service, _SERVING)
    await status.set(SANDBOX_SERVICE, _NOT_SERVING)
    return status


def _listen(server: grpc.aio.Server, network: Network) -> str:
    try:
        if network.credentials:
            port = server.add_secure_port(network.address, network.credentials)
        else:
            port = server.add_insecure_port(network.address)
    except RuntimeError:
        raise AlreadyExistsError(
            f"cannot listen on {network.address}: the port is in use, or the address is not ours",
            hint="Choose another server.listen; `ss -ltnp` shows who uses a port.",
        ) from None
    return f"{network.address.rpartition(':')[0]}:{port}"
