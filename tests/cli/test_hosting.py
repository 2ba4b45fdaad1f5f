"""Commands without a server: a controller or the records inside the command, and `serve`."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.api.fake_lab import FakeLab
from tests.api.samples import campaign_of
from tests.cli.conftest import Ended

from stratlab.cli import connection
from stratlab.cli.connection import server_or_lab, server_or_records
from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.hosting import in_thread
from stratlab.client import Client
from stratlab.domain.errors import ServerUnreachableError, StoreError, WrongStateError
from stratlab.settings import Settings
from stratlab_proto.v1 import backtest_service_pb2, campaign_service_pb2

Program = Callable[..., Ended]
RUN = "from stratlab.cli.main import run; run()"


@pytest.fixture
def own_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def open_lab(settings: Settings) -> AsyncIterator[FakeLab]:
        lab = FakeLab(settings.home_path)
        try:
            yield lab
        finally:
            lab.repository.close()

    monkeypatch.setattr("stratlab.bootstrap.open_lab", open_lab)


def test_in_thread_raises_what_the_start_raised() -> None:
    @asynccontextmanager
    async def service() -> AsyncIterator[str]:
        raise StoreError("no database")
        yield ""

    with pytest.raises(StoreError, match="no database"), in_thread(service()):
        pytest.fail("it never started")
    assert "controller" not in [thread.name for thread in threading.enumerate()]


def test_in_thread_raises_what_the_end_raised() -> None:
    @asynccontextmanager
    async def service() -> AsyncIterator[str]:
        yield "address"
        raise StoreError("could not be closed")

    with pytest.raises(StoreError, match="could not be closed"), in_thread(service()) as address:
        assert address == "address"


def test_in_thread_passes_the_callers_error_on_and_ends() -> None:
    ended = []

    @asynccontextmanager
    async def service() -> AsyncIterator[str]:
        try:
            yield "address"
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt), in_thread(service()):
        raise KeyboardInterrupt
    assert ended == [True]


def test_backtest_without_a_server_runs_its_own_controller(
    own_lab: None, stratlab: Program, home: Path, tmp_path: Path
) -> None:
    home.chmod(0o755)
    (tmp_path / "strategy.py").write_text("def initialize(context):\n    pass\n")
    ended = stratlab("backtest", "strategy.py", "--json")
    assert ended.code == ExitCode.OK
    assert json.loads(ended.out)["outcome"] == "SUCCEEDED"
    assert "starts its own" in ended.err
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert not (home / "stratlab.sock").exists()


def test_own_controller_is_found_by_other_commands(own_lab: None, home: Path) -> None:
    settings = Settings()
    with server_or_lab(settings) as own, Client(settings.address) as other:
        own.create_campaign(campaign_service_pb2.CampaignSpec())
        assert [campaign.name for campaign in other.list_campaigns()] == ["campaigns/c0001"]


def test_own_controller_works_where_the_path_is_too_long(
    own_lab: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATLAB_HOME", str(tmp_path / ("long" * 30)))
    with server_or_lab(Settings()) as client:
        assert client.is_serving()


def test_running_server_is_used_instead(
    own_lab: None, served: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        pytest.fail("there is a server")

    monkeypatch.setattr(connection, "print_note", refuse)
    with server_or_lab(Settings()) as client:
        assert client.is_serving()


def test_records_can_be_read_and_nothing_else(home: Path) -> None:
    lab = FakeLab(home)
    with contextlib.closing(lab.repository):
        lab.repository.create_campaign(campaign_of(1), "r")
    calls = [
        lambda client: client.create_campaign(campaign_service_pb2.CampaignSpec(data_set="x")),
        lambda client: client.pause_campaign("c0001"),
        lambda client: client.resume_campaign("c0001"),
        lambda client: client.cancel_campaign("c0001"),
        lambda client: list(client.watch_campaign("c0001")),
        lambda client: list(
            client.run_backtest(backtest_service_pb2.RunBacktestRequest(source="x = 1"))
        ),
    ]
    with server_or_records(Settings()) as client:
        assert client.get_campaign("c0001").name == "campaigns/c0001"
        for call in calls[1:]:
            with pytest.raises(ServerUnreachableError, match="no controller runs"):
                call(client)


def serve(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", "--json"],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_reads_at_once_and_ends_with_0_on_a_signal(home: Path, number: int) -> None:
    with serve(home) as server:
        try:
            address = json.loads(server.stdout.readline())["address"]
            with Client(address) as client:
                assert list(client.list_campaigns()) == []
            socket = Path(address.removeprefix("unix:"))
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        finally:
            server.send_signal(number)
        assert server.wait(timeout=30) == 0
        assert "Traceback" not in server.stderr.read()
    assert not socket.exists()


def test_second_server_in_one_home_is_refused(home: Path) -> None:
    with serve(home) as first:
        try:
            json.loads(first.stdout.readline())
            with serve(home) as second:
                assert second.wait(timeout=30) == ExitCode.USAGE
                error = json.loads(second.stdout.read())["error"]
                assert error["type"] == WrongStateError.reason
            with Client(f"unix:{home}/stratlab.sock") as client:
                assert client.is_serving()
        finally:
            first.terminate()
        assert first.wait(timeout=30) == 0


def test_server_killed_leaves_a_socket_that_the_next_one_replaces(home: Path) -> None:
    with serve(home) as first:
        json.loads(first.stdout.readline())
        first.kill()
    assert (home / "stratlab.sock").exists()
    with serve(home) as second:
        try:
            json.loads(second.stdout.readline())
            with Client(f"unix:{home}/stratlab.sock") as client:
                assert client.is_serving()
        finally:
            second.terminate()
        assert second.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1:5", "nowhere", "unix:relative.sock", f"unix:/{'a' * 120}", ""]
)
def test_chosen_address_that_cannot_be_used_is_usage(stratlab: Program, address: str) -> None:
    ended = stratlab("--address", address, "campaign", "pause", "c0001")
    assert ended.code == (ExitCode.USAGE if address else ExitCode.INFRASTRUCTURE)
    assert "E1" not in ended.err  # nothing of gRPC's own log
