"""Engines that refuse, hang and die, and disks that fill up, under a real controller."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.bad_input.engine_proxy import EngineProxy
from tests.bad_input.served import Stratlab, new_home, until
from tests.bad_input.small_disk import small_disk

from stratlab.sandbox import DockerEngine, installation_id
from stratlab.sandbox.labels import INSTALLATION_LABEL
from stratlab_proto.v1 import backtest_service_pb2, backtest_service_pb2_grpc

pytestmark = [pytest.mark.docker, pytest.mark.load]

SOURCE = "def initialize(context):\n    pass\n\n\ndef handle_data(context, data):\n    pass\n"
ENGINE_SECONDS = 3


@pytest.fixture(scope="module")
def data(us_daily_home: Path) -> Path:
    return us_daily_home / "data"


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The result hash of the campaign when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Stratlab(new_home(folder / "home", data)) as lab:
        lab.serve(folder / "log")
        campaign = lab.wait_for(lab.create(), "paused")
        assert campaign["state"] == "completed", campaign["state_reason"]
        assert lab.stop() == 0  # killed, it would leave the containers that wait
        return str(campaign["result_hash"])


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[EngineProxy]:
    with EngineProxy(tmp_path / "engine.sock") as proxy:
        yield proxy


@pytest.fixture
def lab(data: Path, tmp_path: Path, proxy: EngineProxy) -> Iterator[Stratlab]:
    home = new_home(tmp_path / "home", data)
    environment = {
        "STRATLAB_SANDBOX__ENGINE": proxy.address,
        "STRATLAB_SANDBOX__ENGINE_SECONDS": str(ENGINE_SECONDS),
    }
    with Stratlab(home, **environment) as lab:
        lab.serve(tmp_path / "serve.log")
        yield lab
        proxy.heal()
        assert lab.stop() == 0
        assert containers(home) == []
        assert "Traceback" not in (tmp_path / "serve.log").read_text()


def containers(home: Path) -> list[str]:
    with closing(DockerEngine()) as engine:
        found = engine.labelled(INSTALLATION_LABEL, installation_id(home))
    return [container.name for container in found]


def backtest_status(lab: Stratlab) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """Run a backtest over plain gRPC and return how it fails."""
    with grpc.insecure_channel(f"unix:{lab.home / 'stratlab.sock'}") as channel:
        stub = backtest_service_pb2_grpc.BacktestServiceStub(channel)
        request = backtest_service_pb2.RunBacktestRequest(source=SOURCE)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.RunBacktest(request, timeout=60))
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)
    return caught.value.code(), info


def test_engine_that_refuses_now_and_then_costs_nothing(
    lab: Stratlab, proxy: EngineProxy, undisturbed: str
) -> None:
    with lab.client() as client:
        until(client.is_sandbox_ready, 30)
    proxy.fail("POST .*/containers/create", "500", 2)
    proxy.fail("POST .*/start", "409", 1)
    proxy.fail("POST .*/kill", "500", 1)
    proxy.fail("DELETE .*/containers/", "cut", 1)
    proxy.fail("GET .*/containers/.*/json", "half", 1)
    proxy.fail("GET .*/containers/.*/json", "garbage", 1)
    campaign = lab.wait_for(lab.create(), "paused")
    assert campaign["state"] == "completed", campaign["state_reason"]
    assert campaign["result_hash"] == undisturbed
    assert not [fault for fault in proxy.faults[:4] if fault.times]
    assert lab.json("audit", "verify")["ok"]


def test_engine_that_dies_pauses_the_campaign_and_resume_completes_it(
    lab: Stratlab, proxy: EngineProxy, undisturbed: str, tmp_path: Path
) -> None:
    campaign = lab.create()
    with lab.client() as client:
        until(client.is_sandbox_ready, 30)
        until(lambda: bool(containers(lab.home)), 30)
        # As an engine that is killed: its containers die with it.
        proxy.die()
        for name in containers(lab.home):
            subprocess.run(["docker", "kill", name], capture_output=True, check=False)
        paused = lab.wait_for(campaign, "paused")
        assert (paused["state"], paused["state_reason"]) == ("paused", "ENGINE_UNAVAILABLE")
        until(lambda: not client.is_sandbox_ready(), 5)
        assert client.is_serving()
    code, info = backtest_status(lab)
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "ENGINE_UNAVAILABLE")
    assert "make engine" in info.metadata["hint"]
    (tmp_path / "s.py").write_text(SOURCE)
    record = lab.json("backtest", str(tmp_path / "s.py"), code=4)
    assert record["error"]["type"] == "ENGINE_UNAVAILABLE"
    shown = lab.run("campaign", "show", campaign)[1]
    assert "make engine" in shown
    assert f"stratlab campaign resume {campaign}" in shown
    (engine,) = [c for c in lab.json("doctor", code=4)["checks"] if c["name"] == "engine"]
    assert not engine["ok"]
    assert "make engine" in engine["remedy"]

    proxy.start()
    with lab.client() as client:
        until(client.is_sandbox_ready, 30)  # by itself
    assert lab.json("campaign", "resume", campaign)["state"] != "paused"
    done = lab.wait_for(campaign, "paused")
    assert (done["state_reason"], done["result_hash"]) == ("MAX_ITERATIONS", undisturbed)
    assert lab.json("audit", "verify")["ok"]


def test_engine_that_hangs_holds_nobody_longer_than_its_deadline(
    lab: Stratlab, proxy: EngineProxy, undisturbed: str
) -> None:
    campaign = lab.create()
    with lab.client() as client:
        until(client.is_sandbox_ready, 30)
    proxy.fail("POST", "hang")
    proxy.fail("DELETE", "hang")
    began = time.monotonic()
    paused = lab.wait_for(campaign, "paused", timeout=60)
    assert (paused["state"], paused["state_reason"]) == ("paused", "ENGINE_UNAVAILABLE")
    # One call each to create, kill, kill and remove, a trial that ended meanwhile, and the one that
    # is being warmed.
    assert time.monotonic() - began < 16 * ENGINE_SECONDS
    proxy.heal()
    lab.json("campaign", "resume", campaign)
    done = lab.wait_for(campaign, "paused")
    assert (done["state_reason"], done["result_hash"]) == ("MAX_ITERATIONS", undisturbed)


def test_controller_under_an_engine_that_hangs_ends_in_time(
    lab: Stratlab, proxy: EngineProxy
) -> None:
    lab.create()
    until(lambda: bool(containers(lab.home)), 30)
    proxy.fail("POST|DELETE|GET", "hang")
    began = time.monotonic()
    assert lab.stop() == 0
    assert time.monotonic() - began < 8 * ENGINE_SECONDS
    proxy.heal()
    lab.serve(lab.home / "again.log")  # and the next one finds and removes what was left
    until(lambda: len(lab.json("campaign", "list")) == 1, 10)


def test_full_disk_stops_a_campaign_and_space_lets_it_go_on(
    data: Path, tmp_path: Path, undisturbed: str
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk, Stratlab(new_home(disk.folder, data)) as lab:
        lab.serve(tmp_path / "serve.log")
        campaign = lab.create()
        until(lambda: bool(containers(lab.home)), 30)
        disk.fill()
        code, _, err = lab.run("campaign", "watch", campaign)
        assert code == 4, err
        assert "error: no space is left" in err
        assert "Free some space" in err
        error = lab.json("campaign", "create", "--prompt", "x" * 20_000, code=4)["error"]
        assert error["type"] == "DISK_FULL"
        assert len(lab.json("campaign", "list")) == 1
        assert lab.json("audit", "verify")["ok"]
        disk.free()
        until(lambda: lab.campaign(campaign)["state"] == "paused", 30)
        assert lab.campaign(campaign)["state_reason"] == "DISK_FULL"
        lab.json("campaign", "resume", campaign)
        done = lab.wait_for(campaign, "paused")
        assert (done["state_reason"], done["result_hash"]) == ("MAX_ITERATIONS", undisturbed)
        assert lab.json("audit", "verify")["ok"]
        assert lab.stop() == 0
        assert "Traceback" not in (tmp_path / "serve.log").read_text()
