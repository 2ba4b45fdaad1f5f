"""A home with the data sets, a real server over it, and zipline's own runs beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.market_data.helpers import DockerJobs
from tests.runner.member import IMAGE
from tests.zipline_compat import world

from stratlab.domain.market import Tier
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set

INSIDE = Path(__file__).parent / "inside"
EXAMPLES = (
    "buyapple",
    "buy_and_hold",
    "dual_moving_average",
    "dual_ema_talib",
    "momentum_pipeline",
    "olmar",
)
# buyapple buys every day and never sells; momentum_pipeline turns its capital over every day, so
# that costs use it up within years.
CAPITAL = {"buyapple": 10_000_000.0}
DEFAULT_CAPITAL = 100_000.0
SESSIONS = {"momentum_pipeline": 80}
PROGRAM = [sys.executable, "-c", "from stratlab.cli.main import run; run()"]


def run_inside(script: str, *arguments: str, mounts: dict[Path, str]) -> str:
    """Run a script of ``inside/`` in the image and return what it printed."""
    volumes = [f"--volume={path}:{target}" for path, target in mounts.items()]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--user=0", "--entrypoint=python",
         "--tmpfs=/tmp", f"--volume={INSIDE}:/inside:ro", *volumes,
         IMAGE, "-P", "-W", "ignore", f"/inside/{script}", *arguments],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def run_plainly(tier: Path, jobs: list[dict[str, Any]], scratch: Path) -> list[dict[str, Any]]:
    """Run algorithms by zipline's ``run_algorithm`` on a tier's mount."""
    (scratch / "jobs.json").write_text(json.dumps(jobs))
    run_inside(
        "plain_runs.py",
        *("/scratch/jobs.json", "/scratch/results.json"),
        mounts={tier: "/data:ro", scratch: "/scratch"},
    )
    return json.loads((scratch / "results.json").read_text())


def stratlab(home: Path, *arguments: str) -> tuple[int, Any]:
    """Run the command line and return its exit code and its JSON."""
    done = subprocess.run(
        [*PROGRAM, *arguments, "--json"],
        env=os.environ | {"STRATLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def job(name: str, source: str, home: Path, data_set: str) -> dict[str, Any]:
    """An algorithm with its capital and its dates in the train tier of a data set."""
    span = Catalogue(home).get(data_set).tiers[Tier.TRAIN]
    days = (SESSIONS[name] * 7) // 5 if name in SESSIONS else (span.end - span.start).days
    return {
        "source": source,
        "start": span.start.isoformat(),
        "end": (span.start + timedelta(days=days)).isoformat(),
        "capital": CAPITAL.get(name, DEFAULT_CAPITAL),
    }


@pytest.fixture(scope="session")
def installed() -> dict[str, Any]:
    """What the zipline in the image publishes: ``examples`` and ``names``."""
    return json.loads(run_inside("installed.py", *EXAMPLES, mounts={}))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, us_daily_home: Path) -> Path:
    """A home with us-daily and the made-up data set."""
    home = tmp_path_factory.mktemp("compat")
    shutil.copytree(us_daily_home / "data", home / "data")
    build_data_set(
        home, world.NAME, world.content(), DockerJobs(), provenance="synthetic, made for this test"
    )
    return home


@pytest.fixture(scope="session")
def train(home: Path) -> Path:
    """Mount of the made-up data set's train tier."""
    return home / "data" / world.NAME / "tiers" / "train"


@pytest.fixture(scope="session")
def served_home(home: Path) -> Iterator[Path]:
    """The home while a server runs over it."""
    with subprocess.Popen(
        [*PROGRAM, "serve", "--json"],
        env=os.environ | {"STRATLAB_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            json.loads(server.stdout.readline())
            yield home
        finally:
            server.terminate()
