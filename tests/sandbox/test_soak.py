"""Many trials in a row through the pool, and controllers killed at any moment, leave nothing."""

import asyncio
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock
from tests.sandbox.real import open_real_sandbox
from tests.suites.sandbox_suite import BUY_AND_HOLD, RAISES, ignore, suite_batch, suite_trial

from stratlab.domain.trial import Outcome
from stratlab.sandbox import DockerEngine, installation_id
from stratlab.sandbox.cgroups import MOUNT, MemberCgroups, mounted_version
from stratlab.sandbox.identity import member_prefix
from stratlab.sandbox.labels import INSTALLATION_LABEL
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.reaper import Reaper
from stratlab.store import open_repository

pytestmark = [pytest.mark.docker, pytest.mark.load]

ROOT = Path(__file__).resolve().parents[2]
MOST_GROWTH_MIB = 10
_BUSY_CONTROLLER = """
import asyncio, sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from stratlab.domain.errors import SandboxNotReadyError
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
        await sandbox.ready.wait()
        print("proven", flush=True)
        while True:
            # Of a runtime that is not proven yet, on a machine that is too slow at the moment.
            with suppress(SandboxNotReadyError):
                await sandbox.run(replace(suite_batch(BUY_AND_HOLD), runtime=sys.argv[3]), ignore)

asyncio.run(main())
"""


def resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files of nobody else, for this process and those it starts."""
    # Not one of pytest's, whose names are too long for sockets.
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        Path(directory).chmod(0o755)
        monkeypatch.setenv("TMPDIR", directory)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(directory)


def files_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def groups(installation: str) -> list[Path]:
    """Control groups of members, which under gVisor the controller makes."""
    return list(MOUNT.glob(f"**/{member_prefix(installation)}*"))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("runtime", "full", "few"),
    [("runc", 1000, 10), pytest.param("runsc", 100, 2, marks=pytest.mark.gvisor)],
)
async def test_trials_in_a_row_through_the_pool_leave_nothing(
    real_home: Path, temporary: Path, full_size: bool, runtime: str, full: int, few: int
) -> None:
    count = full if full_size else few
    members: set[str] = set()
    early, opened_early = 0.0, 0
    async with open_real_sandbox(real_home, pool_low=1) as opened:
        for number in range(count):
            source, expected = BUY_AND_HOLD, Outcome.SUCCEEDED
            if number % 10 == 7:
                source, expected = RAISES, Outcome.STRATEGY_ERROR
            work = suite_batch(source, suite_trial(f"t{number}"), campaign=f"c{number % 3}")
            (claim,) = await opened.sandbox.run(replace(work, runtime=runtime), ignore)
            assert claim.outcome is expected
            assert claim.sandbox.member_id not in members
            members.add(claim.sandbox.member_id)
            assert len(await asyncio.to_thread(opened.containers)) <= 3
            if number == min(100, count // 2):
                early, opened_early = resident_mib(), descriptors()
        stats = opened.sandbox.pool_stats
        assert stats.claims == count
        assert stats.hits + stats.late > count / 2 - 1
        assert descriptors() <= opened_early + 8  # of a container that is being warmed
        grown = resident_mib() - early
        print(f"{count} trials: {grown:+.1f} MiB since early, {stats}")
        # What a short run adds is caches that fill once.
        assert not full_size or grown <= MOST_GROWTH_MIB
    assert await asyncio.to_thread(files_in, temporary) == []
    assert await asyncio.to_thread(groups, opened.installation) == []


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("runtime", "full", "few"),
    [("runc", 50, 2), pytest.param("runsc", 10, 1, marks=pytest.mark.gvisor)],
)
def test_controller_killed_at_any_moment_leaves_nothing_after_the_next_start(
    real_home: Path,
    tmp_path: Path,
    temporary: Path,
    full_size: bool,
    runtime: str,
    full: int,
    few: int,
) -> None:
    moments = random.Random(5)
    url = f"sqlite:///{tmp_path / 'leases.db'}"
    installation = installation_id(real_home)
    cgroups = MemberCgroups(HostTraits(cgroup_version=mounted_version()))
    for _ in range(full if full_size else few):
        with subprocess.Popen(
            [sys.executable, "-c", _BUSY_CONTROLLER, str(real_home), url, runtime],
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
            Reaper(engine, leases, Clock(), installation, cgroups=cgroups).sweep()
            assert engine.labelled(INSTALLATION_LABEL, installation) == ()
            assert leases.live() == []
            assert groups(installation) == []
            assert files_in(temporary) == []
