"""The server itself: listener, health, reflection and the end."""

import asyncio
import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.api.fake_lab import FakeLab, serve
from tests.api.samples import campaign_of

from stratlab.api.listener import MAX_PATH_BYTES
from stratlab.api.server import SERVICES, ApiServer
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    UnsafeConfigurationError,
)
from stratlab_proto.v1 import campaign_service_pb2, campaign_service_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def list_of(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def health_of(channel: grpc.aio.Channel, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
async def test_socket_is_private_whatever_the_umask(
    lab: FakeLab, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        async with serve(lab, tmp_path / "run" / "deep") as address:
            path = Path(address.removeprefix("unix:"))
            assert mode_of(path) == 0o600
            assert mode_of(path.parent) == 0o700
    finally:
        os.umask(before)
    assert path not in list_of(path.parent)


async def test_directory_that_others_can_enter_is_refused(lab: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(UnsafeConfigurationError, match="chmod 700"):
        async with serve(lab, tmp_path / "open"):
            pass


async def test_path_of_107_bytes_works_and_108_is_refused(lab: FakeLab, tmp_path: Path) -> None:
    room = MAX_PATH_BYTES - len(os.fsencode(tmp_path)) - len("/run/")
    (tmp_path / "run").mkdir(mode=0o700)
    fits = f"unix:{tmp_path}/run/{'s' * room}"
    async with ApiServer(lab, address=fits), grpc.aio.insecure_channel(fits) as channel:
        assert await health_of(channel, "") == SERVING
    with pytest.raises(InvalidInputError, match="108 bytes"):
        await ApiServer(lab, address=f"{fits}s").start()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "unix-abstract:x", "tcp:1", ""])
async def test_address_that_is_no_unix_socket_is_refused(lab: FakeLab, address: str) -> None:
    with pytest.raises(UnsafeConfigurationError):
        await ApiServer(lab, address=address).start()


async def test_second_server_is_refused_and_the_first_keeps_serving(
    lab: FakeLab, tmp_path: Path
) -> None:
    async with serve(lab, tmp_path / "run") as address:
        with pytest.raises(AlreadyExistsError):
            await ApiServer(lab, address=address).start()
        async with grpc.aio.insecure_channel(address) as channel:
            assert await health_of(channel, "") == SERVING


async def test_socket_of_another_live_program_is_left_alone(lab: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    path = tmp_path / "run" / "stratlab.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(AlreadyExistsError):
            await ApiServer(lab, address=f"unix:{path}").start()
        assert path.exists()


async def test_stale_socket_of_a_dead_server_is_replaced(lab: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    path = tmp_path / "run" / "stratlab.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with (
        serve(lab, tmp_path / "run") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        assert await health_of(channel, "") == SERVING


async def test_file_that_is_no_socket_is_never_removed(lab: FakeLab, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    path = tmp_path / "run" / "stratlab.sock"
    path.write_text("precious")
    with pytest.raises(UnsafeConfigurationError, match="no socket"):
        await ApiServer(lab, address=f"unix:{path}").start()
    assert path.read_text() == "precious"


async def test_health_of_sandbox_waits_for_the_canary(lab: FakeLab, api: SimpleNamespace) -> None:
    assert await health_of(api.channel, "") == SERVING
    for service in SERVICES:
        assert await health_of(api.channel, service) == SERVING
    assert await health_of(api.channel, "sandbox") == NOT_SERVING
    stub = health_pb2_grpc.HealthStub(api.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="sandbox"))
    assert (await watch.read()).status == NOT_SERVING
    lab.sandbox_ready.set()
    assert (await asyncio.wait_for(watch.read(), 5)).status == SERVING
    watch.cancel()


async def test_reflection_lists_every_service(api: SimpleNamespace) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(api.channel)
    call = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    answer = await call.read()
    names = {service.name for service in answer.list_services_response.service}
    assert names >= {
        "stratlab.v1.CampaignService",
        "stratlab.v1.BacktestService",
        "stratlab.v1.StrategyService",
        "grpc.health.v1.Health",
    }


async def test_stop_lets_running_calls_drain(lab: FakeLab, tmp_path: Path) -> None:
    answer = asyncio.Event()

    async def slow(*_: object) -> object:
        answer.set()
        await asyncio.sleep(0.3)
        return lab.repository.get_campaign("c0001")

    lab.repository.create_campaign(campaign_of(1), "r")
    lab.manager.pause = slow
    server = ApiServer(lab, address=f"unix:{tmp_path}/run/s", drain_seconds=5)
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/run/s") as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        request = campaign_service_pb2.PauseCampaignRequest(name="campaigns/c0001")
        call = asyncio.ensure_future(stub.PauseCampaign(request))
        await answer.wait()
        await server.stop()
        assert (await call).name == "campaigns/c0001"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PauseCampaign(request)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop()
