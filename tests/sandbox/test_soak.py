"""Many trials in a row through the pool, and controllers killed at any moment, leave nothing."""

import asyncio
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock
from tests.sandbox.real import open_real_sandbox
from tests.suites.sandbox_suite import BUY_AND_HOLD, RAISES, ignore, suite_batch, suite_trial

from stratlab.domain.trial import Outcome
from stratlab.sandbox import DockerEngine, installation_id
from stratlab.sandbox.identity import abandoned_socket_roots
from stratlab.sandbox.labels import INSTALLATION_LABEL
from stratlab.sandbox.reaper import Reaper
from stratlab.store import open_repository

pytestmark = [pytest.mark.docker, pytest.mark.load]

ROOT = Path(__file__).resolve().parents[2]
_BUSY_CONTROLLER = """
import asyncio, sys
from pathlib import Path
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import SandboxSettings
from stratlab.store import open_repository
from tests.sandbox.builders import Clock
from tests.suites.sandbox_suite import BUY_AND_HOLD, ignore, suite_batch


async def main() -> None:
    home, url = Path(sys.argv[1]), sys.argv[2]
    leases = open_repository(url).leases()
    settings = SandboxSettings(members=2)
    async with DockerSandbox.open(settings, home, leases, Catalogue(home), Clock()) as sandbox:
        await sandbox.prove()
        print("proven", flush=True)
        while True:
            await sandbox.run(suite_batch(BUY_AND_HOLD), ignore)

asyncio.run(main())
"""


def resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def stray_files() -> set[str]:
    temporary = Path(tempfile.gettempdir())
    return {path.name for path in temporary.iterdir() if path.name.startswith("stratlab")}


@pytest.mark.timeout(3600)
async def test_trials_in_a_row_through_the_pool_leave_nothing(
    real_home: Path, full_size: bool
) -> None:
    count = 1000 if full_size else 10
    files = await asyncio.to_thread(stray_files)
    members: set[str] = set()
    early = 0.0
    async with open_real_sandbox(real_home, pool_low=1) as opened:
        for number in range(count):
            source, expected = BUY_AND_HOLD, Outcome.SUCCEEDED
            if number % 10 == 7:
                source, expected = RAISES, Outcome.STRATEGY_ERROR
            work = suite_batch(source, suite_trial(f"t{number}"), campaign=f"c{number % 3}")
            (claim,) = await opened.sandbox.run(work, ignore)
            assert claim.outcome is expected
            assert claim.sandbox.member_id not in members
            members.add(claim.sandbox.member_id)
            assert len(await asyncio.to_thread(opened.containers)) <= 3
            if number == min(100, count // 2):
                early = resident_mib()
        stats = opened.sandbox.pool_stats
        assert stats.claims == count
        assert stats.hits + stats.late > count / 2
        # What a short run adds is caches that fill once.
        assert not full_size or resident_mib() - early <= 10
    assert await asyncio.to_thread(stray_files) == files


@pytest.mark.timeout(3600)
def test_controller_killed_at_any_moment_leaves_nothing_after_the_next_start(
    real_home: Path, tmp_path: Path, full_size: bool
) -> None:
    moments = random.Random(5)
    url = f"sqlite:///{tmp_path / 'leases.db'}"
    installation = installation_id(real_home)
    for _ in range(50 if full_size else 2):
        with subprocess.Popen(
            [sys.executable, "-c", _BUSY_CONTROLLER, str(real_home), url],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as controller:
            assert controller.stdout is not None
            while controller.stdout.readline() != "proven\n":
                assert controller.poll() is None
            time.sleep(moments.uniform(0.0, 4.0))
            controller.kill()
        with closing(DockerEngine()) as engine, closing(open_repository(url)) as repository:
            leases = repository.leases()
            Reaper(engine, leases, Clock(), installation).sweep()
            assert engine.labelled(INSTALLATION_LABEL, installation) == ()
            assert leases.live() == []
            assert abandoned_socket_roots(installation) == ()
