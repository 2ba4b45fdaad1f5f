"""kill -9 after any step of an examination, and during the next, changes nothing about it."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.suites.killable_examination import examined, examined_lab
from tests.suites.small_lab import SmallLab

from stratlab.domain.events import EventKind
from stratlab.domain.examination import CheckName, HoldoutMode
from stratlab.domain.gates import VerdictKind
from stratlab.store import open_repository
from stratlab.store.audit import verify_audit
from stratlab.store.repository import SqlRepository

ROOT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 0.1
TIMEOUT_SECONDS = 240
STEPS = {EventKind.CHECK_FINISHED, EventKind.HOLDOUT_OPENED, EventKind.VERDICT_REACHED}
# In the CI: when the opening is entered and the replay not done. Every step is stopped at by the
# test below, in one process.
FEW = {EventKind.HOLDOUT_OPENED}


def start(home: Path, mode: HoldoutMode) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    arguments = [str(home), mode.value, str(CHECK_SECONDS)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.suites.killable_examination", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    return output.splitlines()[-1]


def kill_after_the_next_step(
    process: subprocess.Popen[str], seen: int, pause: float, steps: set[EventKind]
) -> int:
    """Kill a controller a moment after its first new step; return the number of that event."""
    assert process.stdout is not None
    for line in process.stdout:
        number, _, kind = line.strip().partition(" ")
        if kind in steps and int(number) > seen:
            time.sleep(pause)
            process.kill()
            process.communicate()
            return int(number)
    process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    return 0


@pytest.mark.load
@pytest.mark.parametrize("mode", HoldoutMode)
def test_examination_killed_after_every_step_ends_with_the_undisturbed_hash(
    tmp_path: Path, mode: HoldoutMode, full_size: bool
) -> None:
    undisturbed = finish(start(tmp_path / "plain", mode))
    assert len(undisturbed) == 64
    moments, home = random.Random(11), tmp_path / "killed"
    steps = STEPS if full_size else FEW
    killed_at: list[int] = []
    while number := kill_after_the_next_step(
        start(home, mode),
        killed_at[-1] if killed_at else 0,
        moments.uniform(0.0, CHECK_SECONDS),
        steps,
    ):
        killed_at.append(number)
    # Checks, opening and verdict; of the last step the kill may come too late.
    assert len(killed_at) >= (len(CheckName) if full_size else 1)
    assert finish(start(home, mode)) == undisturbed
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        require_undoubled(repository)


def require_undoubled(repository: SqlRepository) -> None:
    (campaign,) = repository.list_campaigns()
    assert campaign.verdict is not None
    assert campaign.verdict.kind is VerdictKind.PROMOTE_CANDIDATE
    events = repository.events(campaign.id, limit=10_000)
    assert verify_audit(repository) == {campaign.id: len(events)}
    # Nothing lost, nothing doubled: no check was stored twice, no opening entered twice.
    payloads = [json.loads(e.payload) for e in events if e.kind is EventKind.CHECK_FINISHED]
    assert Counter(payload["check"] for payload in payloads) == dict.fromkeys(CheckName, 1)
    assert len(repository.holdout_openings()) == 1
    assert sum(event.kind is EventKind.HOLDOUT_OPENED for event in events) == 1


@pytest.mark.parametrize("mode", HoldoutMode)
async def test_examination_stopped_after_every_step_ends_with_the_undisturbed_hash(
    tmp_path: Path, mode: HoldoutMode
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "stopped").mkdir()
    with examined_lab(tmp_path / "plain", 0.0) as lab:
        undisturbed = await examined(lab, mode)
    seen, starts = 0, 0
    while True:
        with examined_lab(tmp_path / "stopped", 0.02) as lab:
            starts += 1
            ending = asyncio.create_task(examined(lab, mode))
            news = asyncio.create_task(new_step(lab, seen))
            await asyncio.wait({ending, news}, return_when=asyncio.FIRST_COMPLETED)
            seen = news.result() if news.done() else 0
            for task in (ending, news):
                task.cancel()
            await asyncio.gather(ending, news, return_exceptions=True)
            await lab.manager.stop()
            if not seen:
                break
    with examined_lab(tmp_path / "stopped", 0.0) as lab:
        assert await examined(lab, mode) == undisturbed
        require_undoubled(lab.repository)
    assert starts > len(CheckName)


async def new_step(lab: SmallLab, seen: int) -> int:
    """Return the number of the first step after an event, as soon as it is stored."""
    while True:
        for campaign in lab.repository.list_campaigns():
            for event in lab.repository.events(campaign.id, after=seen, limit=10_000):
                if event.kind in STEPS:
                    return event.number
        await asyncio.sleep(0.005)
