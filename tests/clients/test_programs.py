"""The example programs against a real server with mTLS and tokens, one run per language."""

import re
import subprocess
from pathlib import Path

import pytest
import trustme
from tests.clients.conftest import Program
from tests.clients.lab_server import LabServer, issue_certificate
from tests.clients.languages import BUF

from stratlab.client import Client
from stratlab_proto.v1 import backtest_service_pb2 as backtest_pb
from stratlab_proto.v1 import campaign_service_pb2 as campaign_pb
from stratlab_proto.v1.common_pb2 import Outcome

pytestmark = [pytest.mark.docker, pytest.mark.load]

STRATEGY = """
from zipline.api import order, symbol


def initialize(context):
    context.asset = symbol(context.symbols[0])
    context.is_bought = False


def handle_data(context, data):
    if not context.is_bought:
        order(context.asset, int(context.params["shares"]))
        context.is_bought = True
"""
CRASH = """
def initialize(context):
    raise ValueError("planned")
"""
STORED = 6  # events before the watch begins
HAVE = 3  # events the watcher says it has


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strategy") / "buy.py"
    path.write_text(STRATEGY)
    return path


@pytest.fixture(scope="module")
def expected_equity(server: LabServer) -> float:
    """The last value of the same backtest, asked for by the owner."""
    request = backtest_pb.RunBacktestRequest(source=STRATEGY, symbols=["IBM"])
    request.parameters["shares"] = 100
    with Client(server.socket) as client:
        *_, last = client.run_backtest(request)
    trial = last.result.trial
    assert trial.outcome == Outcome.OUTCOME_SUCCEEDED, trial.reason
    return float(trial.equity[-1].value)


def stored_events(server: LabServer, campaign: str) -> int:
    """Wait until a campaign has some events; return how many it has."""
    with Client(server.socket) as client:
        for item in client.watch_campaign(campaign):
            if item.event.number >= STORED:
                return int(item.event.number)
    pytest.fail("the campaign ended early")


def campaign_of(server: LabServer, name: str) -> campaign_pb.Campaign:
    with Client(server.socket) as client:
        return client.get_campaign(name)


def test_backtest_gives_the_numbers_that_the_owner_gets(
    program: Program, strategy: Path, expected_equity: float
) -> None:
    lines = program.output("backtest", str(strategy)).splitlines()
    fractions = [float(line.split()[1]) for line in lines if line.startswith("progress ")]
    assert fractions == sorted(fractions)
    outcome, fills, equity = lines[len(fractions) :]
    assert outcome == "outcome OUTCOME_SUCCEEDED"
    assert fills == "fills 1"
    assert float(equity.removeprefix("equity ")) == pytest.approx(expected_equity, abs=0.006)


def test_backtest_of_a_crashing_strategy_is_a_result(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "crash.py"
    path.write_text(CRASH)
    lines = program.output("backtest", str(path)).splitlines()
    assert lines[-2:] == ["outcome OUTCOME_STRATEGY_ERROR", "fills 0"]


def test_watch_of_a_created_campaign_replays_follows_and_sees_its_cancellation(
    program: Program, server: LabServer
) -> None:
    name = program.output("create").strip()
    assert [list(market.symbols) for market in campaign_of(server, name).spec.markets] == [["IBM"]]
    stored = stored_events(server, name)
    with program.start("watch", name, str(HAVE)) as watch:
        try:
            assert watch.stdout is not None
            # Replay from the number the watcher gave, then at least one new event.
            events = [watch.stdout.readline().split() for _ in range(HAVE, stored + 1)]
            assert program.output("cancel", name).strip() == "STATE_CANCELLED"
            # Not communicate(): it would lose what readline() has read ahead.
            events += [line.split() for line in watch.stdout]
            assert watch.stderr is not None
            assert (watch.stderr.read(), watch.wait(timeout=60)) == ("", 0)
        finally:
            watch.kill()
    numbers = [int(number) for number, *_ in events]
    assert numbers == list(range(HAVE + 1, HAVE + 1 + len(events)))
    assert numbers[-1] > stored
    assert events[-1][1:] == ["state_changed", "cancelled"]
    assert campaign_of(server, name).state == campaign_pb.Campaign.STATE_CANCELLED


def test_unknown_data_set_shows_reason_and_next_step(program: Program) -> None:
    refused = program.run("create", "nowhere")
    assert refused.returncode != 0
    assert refused.stdout == ""
    first, second = refused.stderr.splitlines()
    assert "DATA_SET_NOT_FOUND: there is no data set 'nowhere'" in first
    assert second == "hint: Known: us-daily."


def test_unknown_token_is_unauthenticated(program: Program, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("not-a-token\n")
    wrong.chmod(0o600)
    refused = program.with_settings(token_file=wrong).run("create")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "UNAUTHENTICATED" in refused.stderr


def test_certificate_of_a_stranger_is_refused(
    program: Program, server: LabServer, tmp_path: Path
) -> None:
    stranger = issue_certificate(trustme.CA(), tmp_path, "client.example")
    refused = program.with_settings(certificate=stranger, key=stranger.with_suffix(".key")).run(
        "create"
    )
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert re.search("UNAVAILABLE|SERVER_UNREACHABLE|broken pipe", refused.stderr), refused.stderr


def test_reflection_with_token_describes_the_services(server: LabServer) -> None:
    done = subprocess.run(
        [
            BUF, "curl", "--protocol", "grpc", "--list-services",
            "--header", "@-", "--reflect-header", "*",
            "--cacert", server.ca, "--cert", server.certificate,
            "--key", server.certificate.with_suffix(".key"), f"https://{server.address}",
        ],
        input=f"authorization: Bearer {server.token_file.read_text()}",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "stratlab.v1.CampaignService" in done.stdout.split()
