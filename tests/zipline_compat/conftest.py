"""A home with the data sets, a real server over it, and zipline's own runs beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.market_data.helpers import DockerJobs
from tests.runner.member import IMAGE
from tests.zipline_compat import world

from stratlab.market_data.builder import build_data_set

INSIDE = Path(__file__).parent / "inside"


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


@pytest.fixture(scope="session")
def installed() -> dict[str, Any]:
    """What the zipline in the image publishes: ``examples`` and ``names``."""
    return json.loads(run_inside("installed.py", mounts={}))


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
def tiers(home: Path) -> Path:
    """Directory of the made-up data set's mounts."""
    return home / "data" / world.NAME / "tiers"


@pytest.fixture(scope="session")
def served_home(home: Path) -> Iterator[Path]:
    """The home while a server runs over it."""
    environment = {**os.environ, "STRATLAB_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, "-c", "from stratlab.cli.main import run; run()", "serve", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            json.loads(server.stdout.readline())
            yield home
        finally:
            server.terminate()
