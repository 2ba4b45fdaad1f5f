"""What the host's screen says of a point is what the sandbox and the host's evaluation find."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stratlab.contract.space import point_key
from stratlab.domain.market import Tier
from stratlab.domain.trial import TrialPurpose
from stratlab.evaluation import train_score
from stratlab.store import open_repository

RUN = "from stratlab.cli.main import run; run()"


@pytest.mark.docker
@pytest.mark.load
def test_score_of_the_screen_is_that_of_the_real_trial(us_daily_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(us_daily_home / "data", home / "data")
    search = ("--iterations", "1", "--points", "3", "--screen", "40", "--market", "AAPL,IBM")
    nobody = ("--gate", "min_sharpe_ratio=99")  # what passes the gates would be examined
    done = subprocess.run(
        [sys.executable, "-c", RUN, "campaign", "run", *search, *nobody, "--json"],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    campaign = json.loads(done.stdout)
    assert campaign["state"] == "completed", done.stderr
    assert campaign["stats"]["points"] == {"screen": 40, "search": 3, "smoke": 1}
    assert campaign["stats"]["counted_points"] == 3
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        (stored,) = repository.list_campaigns()
        screened = {
            point_key(point.parameters): point.score
            for point in repository.points(stored.id)
            if point.purpose is TrialPurpose.SCREEN
        }
        (iteration,) = repository.list_iterations(stored.id)
    ran = [
        result
        for result in iteration.results
        if result.spec.purpose is TrialPurpose.SEARCH and result.spec.window.tier is Tier.TRAIN
    ]
    scores = [train_score(result.metrics, result.benchmark_metrics) for result in ran]
    assert len(scores) == 3
    assert scores == pytest.approx(
        [screened[point_key(result.spec.parameters)] for result in ran], abs=1e-9
    )
    assert scores == sorted(scores, reverse=True)
