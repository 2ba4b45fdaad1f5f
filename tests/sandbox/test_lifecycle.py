"""Controllers that die, jobs that fail, and engines as they really are."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.domain.ports import POOL
from stratlab.sandbox import DockerEngine, DockerJobs, diagnose, installation_id
from stratlab.sandbox.identity import abandoned_socket_roots, controller_id
from stratlab.sandbox.labels import INSTALLATION_LABEL, ContainerKind, ContainerLabels
from stratlab.sandbox.policy import HostTraits, job_config
from stratlab.sandbox.reaper import Reaper
from stratlab.settings import SandboxSettings
from stratlab.store import open_repository

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
_CONTROLLER = """
import asyncio, sys
from pathlib import Path
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import SandboxSettings
from stratlab.store import open_repository
from tests.sandbox.builders import Clock
from tests.suites.sandbox_suite import SLEEPS, suite_batch


async def main() -> None:
    home, url, waiting = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    settings = SandboxSettings(members=2, pool_low=waiting, pool_high=waiting)
    leases = open_repository(url).leases()
    async with DockerSandbox.open(settings, home, leases, Catalogue(home), Clock()) as sandbox:
        begun = asyncio.Event()
        running = asyncio.create_task(
            sandbox.run(suite_batch(SLEEPS), lambda _: begun.set())
        )
        await begun.wait()
        while sandbox.pool_stats.idle < waiting:
            await asyncio.sleep(0.01)
        print("running", flush=True)
        await running

asyncio.run(main())
"""


def killed_controller(home: Path, url: str, waiting: int = 0) -> None:
    """Start a controller and kill it in the middle of a trial, with containers that wait."""
    with subprocess.Popen(
        [sys.executable, "-c", _CONTROLLER, str(home), url, str(waiting)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as controller:
        while "running" not in (line := controller.stdout.readline()):
            assert line, "the controller ended too early"
        controller.send_signal(signal.SIGKILL)


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    with closing(DockerEngine()) as opened:
        yield opened


def test_controller_killed_next_start_leaves_no_container_lease_or_socket(
    real_home: Path, tmp_path: Path, engine: DockerEngine
) -> None:
    url = f"sqlite:///{tmp_path / 'leases.db'}"
    installation = installation_id(real_home)
    killed_controller(real_home, url)
    with closing(open_repository(url)) as repository:
        leases = repository.leases()
        names = [lease.member_id for lease in leases.live()]
        left = engine.labelled(INSTALLATION_LABEL, installation)
        assert len(names) == 1
        assert [container.name for container in left] == names
        assert len(abandoned_socket_roots(installation)) == 1
        report = Reaper(engine, leases, Clock(), installation).sweep()
        assert report.containers == tuple(names)
        assert engine.labelled(INSTALLATION_LABEL, installation) == ()
        assert leases.live() == []
        assert abandoned_socket_roots(installation) == ()


def test_container_that_waited_when_its_controller_was_killed_is_never_used_again(
    real_home: Path, tmp_path: Path, engine: DockerEngine
) -> None:
    url = f"sqlite:///{tmp_path / 'leases.db'}"
    installation = installation_id(real_home)
    killed_controller(real_home, url, waiting=1)
    with closing(open_repository(url)) as repository:
        leases = repository.leases()
        assert sorted(lease.campaign_id for lease in leases.live()) == ["c1", POOL]
        assert len(engine.labelled(INSTALLATION_LABEL, installation)) == 2
        report = Reaper(engine, leases, Clock(), installation).sweep()
        assert len(report.containers) == 2
        assert leases.live() == []
    assert engine.labelled(INSTALLATION_LABEL, installation) == ()


def test_container_whose_controller_is_gone_stops_by_itself(
    real_home: Path, tmp_path: Path, engine: DockerEngine
) -> None:
    url = f"sqlite:///{tmp_path / 'leases.db'}"
    installation = installation_id(real_home)
    killed_controller(real_home, url)
    give_up = time.monotonic() + 10
    while any(each.running for each in engine.labelled(INSTALLATION_LABEL, installation)):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    with closing(open_repository(url)) as repository:
        Reaper(engine, repository.leases(), Clock(), installation).sweep()
    assert engine.labelled(INSTALLATION_LABEL, installation) == ()


def test_job_that_fails_says_how_and_leaves_nothing(tmp_path: Path, engine: DockerEngine) -> None:
    installation = installation_id(tmp_path)
    jobs = DockerJobs(engine, Clock(), SandboxSettings().image, installation)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    with pytest.raises(EngineError, match=r"plan\.json"):
        jobs.run(
            "stratlab_runner.build_tiers",
            read={"/input": tmp_path / "in"},
            write={"/output": tmp_path / "out"},
        )
    assert engine.labelled(INSTALLATION_LABEL, installation) == ()


def test_job_without_an_image_is_not_ready(tmp_path: Path, engine: DockerEngine) -> None:
    jobs = DockerJobs(engine, Clock(), "stratlab-sandbox:missing", installation_id(tmp_path))
    with pytest.raises(SandboxNotReadyError, match="make image"):
        jobs.run("stratlab_runner.build_tiers", read={}, write={})


def test_job_past_its_time_is_killed_and_removed(tmp_path: Path, engine: DockerEngine) -> None:
    installation = installation_id(tmp_path)
    name = f"stratlab-test-job-{installation}"
    labels = ContainerLabels(
        installation, controller_id(), name, "job", int(time.time()) + 60, ContainerKind.JOB
    )
    config = job_config(
        image_id=engine.resolve_image(SandboxSettings().image),
        user="70000:70000",
        module="stratlab_runner.contract",
        read={},
        write={},
        labels=labels,
        host=HostTraits(),
    )
    config["Entrypoint"] = [
        "python",
        "-c",
        "print('begun', flush=True); import time; time.sleep(99)",
    ]
    began = time.monotonic()
    code, output = engine.run_to_end(name, config, 2)
    assert (code, output.strip()) == (None, "begun")
    assert time.monotonic() - began < 15
    assert engine.labelled(INSTALLATION_LABEL, installation) == ()


def test_diagnosis_of_this_host_is_complete(tmp_path: Path) -> None:
    lines = {line.name: line for line in diagnose(SandboxSettings(), tmp_path)}
    assert {
        "engine",
        "cgroups",
        "storage driver",
        "seccomp support",
        "runtime",
        "image",
        "seccomp profile",
        "disk space",
    } <= set(lines)
    assert [line for line in lines.values() if not line.ok] == []
    assert "sha256:" in lines["image"].detail
