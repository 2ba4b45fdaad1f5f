"""A small market with deaths and splits, and one container that runs many trials on it."""

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.causality.bench import INSIDE, Bench
from tests.causality.examined import NAME, Examiner, small_content
from tests.conftest import IMAGE

from stratlab.bootstrap import trusted_jobs
from stratlab.campaigns.causality import CausalityTest
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.worlds import WorldCache
from stratlab.settings import Settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with the small market."""
    home = tmp_path_factory.mktemp("causality")
    with trusted_jobs(Settings(home=home)) as jobs:
        build_data_set(home, NAME, small_content(), jobs, provenance="made up")
    return home


@pytest.fixture(scope="module")
def examiner(home: Path) -> Iterator[Examiner]:
    """What puts sources to the causality test."""
    catalogue, data = Catalogue(home), home / "data"
    with subprocess.Popen(
        [
            *("docker", "run", "--rm", "-i", "--network=none", "--read-only", "--cap-drop=ALL"),
            *("--tmpfs=/tmp", f"--user={os.getuid() or 54321}", f"--volume={data}:/worlds:ro"),
            *(f"--volume={INSIDE}:/inside:ro", "--entrypoint=python", IMAGE),
            *("-P", "-W", "ignore", "/inside/serve.py"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        bench = Bench(process, catalogue, ("/worlds", data))
        worlds = WorldCache(home, partial(trusted_jobs, Settings(home=home)))
        yield Examiner(bench, catalogue, CausalityTest(catalogue, bench, worlds))
        process.stdin.close()
