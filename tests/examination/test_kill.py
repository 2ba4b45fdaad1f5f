"""kill -9 after any step of an examination, and during the next, changes nothing about it."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from stratlab.domain.events import EventKind
from stratlab.domain.examination import CheckName, HoldoutMode
from stratlab.domain.gates import VerdictKind
from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

ROOT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 0.1
TIMEOUT_SECONDS = 240
STEPS = {EventKind.CHECK_FINISHED, EventKind.HOLDOUT_OPENED, EventKind.VERDICT_REACHED}


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


def kill_after_the_next_step(process: subprocess.Popen[str], seen: int, pause: float) -> int:
    """Kill a controller a moment after its first new step; return the number of that event."""
    assert process.stdout is not None
    for line in process.stdout:
        number, _, kind = line.strip().partition(" ")
        if kind in STEPS and int(number) > seen:
            time.sleep(pause)
            process.kill()
            process.communicate()
            return int(number)
    assert process.wait() == 0
    return 0


@pytest.mark.load
@pytest.mark.parametrize("mode", HoldoutMode)
def test_examination_killed_after_every_step_ends_with_the_undisturbed_hash(
    tmp_path: Path, mode: HoldoutMode
) -> None:
    undisturbed = finish(start(tmp_path / "plain", mode))
    assert len(undisturbed) == 64
    moments, home = random.Random(11), tmp_path / "killed"
    killed_at: list[int] = []
    while number := kill_after_the_next_step(
        start(home, mode), killed_at[-1] if killed_at else 0, moments.uniform(0.0, CHECK_SECONDS)
    ):
        killed_at.append(number)
    # Checks, opening and verdict; of the last step the kill may come too late.
    assert len(killed_at) >= len(CheckName)
    assert finish(start(home, mode)) == undisturbed
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
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
