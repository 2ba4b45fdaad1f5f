"""Faults, kills and a budget together: the result is that of the undisturbed run."""

import asyncio
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.llm.canary import places_with
from tests.llm.grammar import faults, write
from tests.llm.lab_setup import model_settings
from tests.llm.server import KEY, MessagesServer, messages_server
from tests.llm.test_replay import NOBODY, comparison, replayed
from tests.suites.small_lab import small_lab

from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 3000


def start(home: Path, server: MessagesServer, iterations: int) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.llm.killable_campaign",
            str(home),
            server.url,
            str(iterations),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    return output.splitlines()[-1]


def killed(home: Path, server: MessagesServer, iterations: int, kills: int) -> str:
    """Kill the campaign at random moments, then let it end."""
    moments = random.Random(kills)
    for _ in range(kills):
        process = start(home, server, iterations)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.2, 2.5))
        assert process.poll() is None, "the campaign ended before it was killed often enough"
        process.kill()
        process.communicate()
    return finish(start(home, server, iterations))


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_campaign_killed_amid_faults_ends_with_the_undisturbed_hash(
    tmp_path: Path, full_size: bool
) -> None:
    iterations, kills = (30, 10) if full_size else (6, 3)
    with messages_server(author=write, faults=faults) as server:
        undisturbed = finish(start(tmp_path / "plain", server, iterations))
        plain_bill = server.micro_usd
        assert len(undisturbed) == 64
        assert server.faulty.total() > 0.2 * len(server.seen)
    with messages_server(author=write, faults=faults) as server:
        assert killed(tmp_path / "killed", server, iterations, kills) == undisturbed
        bills = {"plain": plain_bill, "killed": server.micro_usd}
    for name, bill in bills.items():
        home = tmp_path / name
        with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
            (campaign,) = repository.list_campaigns()
            assert campaign.iteration == iterations
            assert repository.ledger().spent(campaign.id).micro_usd >= bill
            events = repository.events(campaign.id, limit=100_000)
            assert verify_audit(repository) == {campaign.id: len(events)}
        # The endpoint is gone: a replay of what was killed and resumed needs none.
        with small_lab(home, models=model_settings(home, NOBODY, key="")) as lab:
            replay = asyncio.run(replayed(lab, campaign.id))
            found = comparison(lab, replay)
            assert lab.sandbox.calls > 0
        assert replay.result_hash == undisturbed
        assert found["is_identical"]
        assert found["iterations"] == iterations
        assert places_with(KEY, home) == []
