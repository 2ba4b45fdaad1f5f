"""kill -9 at any moment changes nothing about the result."""

import random
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stratlab.domain.points import Point
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

ROOT = Path(__file__).resolve().parents[2]
ITERATIONS = 20
BATCH_SECONDS = 0.1
TIMEOUT_SECONDS = 240


def start(home: Path) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    arguments = [str(home), str(ITERATIONS), str(BATCH_SECONDS)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.suites.killable_controller", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def registered(home: Path) -> list[Point]:
    """Return the registry of points without what was run again."""
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        (campaign,) = repository.list_campaigns()
        points = repository.points(campaign.id, limit=100_000)
    assert len({point.key for point in points}) == len(points)
    return [
        replace(point, campaign_id="")
        for point in points
        if point.purpose is not TrialPurpose.RERUN
    ]


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    return output.splitlines()[-1]


@pytest.mark.load
def test_campaign_killed_ten_times_ends_with_the_undisturbed_hash(
    tmp_path: Path, full_size: bool
) -> None:
    undisturbed = finish(start(tmp_path / "plain"))
    assert len(undisturbed) == 64
    moments = random.Random(20 if full_size else 7)
    home, kills = tmp_path / "killed", 0
    while kills < 10:
        process = start(home)
        assert process.stdout is not None
        process.stdout.readline()
        # An iteration takes about half a second, most of it in its trials.
        time.sleep(moments.uniform(0.0, 0.8))
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
    assert kills == 10, "the campaign ended before it was killed ten times"
    assert finish(start(home)) == undisturbed
    # Nothing lost, nothing doubled, in the same order.
    assert registered(home) == registered(tmp_path / "plain") != []
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        (campaign,) = repository.list_campaigns()
        events = repository.events(campaign.id, limit=100_000)
        assert verify_audit(repository) == {campaign.id: len(events)}
        results = [r for i in repository.list_iterations(campaign.id) for r in i.results]
        assert {result.outcome for result in results} == {Outcome.SUCCEEDED}
        # Some kill fell into a running trial, or the test would prove nothing.
        assert max(result.attempt for result in results) > 1
