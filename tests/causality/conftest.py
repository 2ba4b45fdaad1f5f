"""A made-up market, and one container that runs many trials on it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.causality.bench import INSIDE, Bench, BenchJobs, Server
from tests.causality.examined import Examiner
from tests.conftest import IMAGE
from tests.zipline_compat import world

from stratlab.bootstrap import trusted_jobs
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.worlds import WorldCache
from stratlab.settings import Settings


@pytest.fixture(scope="module")
def made_up_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with a market of twelve symbols, of which one is born and one dies."""
    home = tmp_path_factory.mktemp("causality")
    with trusted_jobs(Settings(home=home)) as jobs:
        build_data_set(home, world.NAME, world.content(), jobs, provenance="made up")
    return home


@pytest.fixture(scope="module")
def examiner(made_up_home: Path) -> Iterator[Examiner]:
    """What puts sources to the causality test."""
    inside = Path("/home/lab")
    with subprocess.Popen(
        [
            *("docker", "run", "--rm", "-i", "--network=none", "--read-only", "--tmpfs=/tmp"),
            *("--cap-drop=ALL", f"--user={os.getuid()}", f"--volume={made_up_home}:{inside}"),
            *(f"--volume={INSIDE}:/inside:ro", "--entrypoint=python", IMAGE),
            *("-P", "-W", "ignore", "/inside/serve.py"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        server, catalogue = Server(process, (inside, made_up_home)), Catalogue(made_up_home)
        worlds = WorldCache(made_up_home, BenchJobs(server).opened)
        yield Examiner(Bench(server, catalogue), catalogue, worlds)
        process.stdin.close()
