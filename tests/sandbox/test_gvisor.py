"""Members under gVisor: the same results as under runc, and its own ways to hold limits."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.sandbox.builders import Clock, MemoryLeases
from tests.sandbox.real import RealSandbox, open_real_sandbox
from tests.sandbox.test_canary import workplace
from tests.suites.sandbox_suite import ignore, suite_batch

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.domain.trial import Outcome, TrialClaim
from stratlab.sandbox import cgroups, containers
from stratlab.sandbox.canary import REMEDIES, prove
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.policy import HostTraits, host_task_limit
from stratlab.sandbox.reaper import Reaper

pytestmark = [
    pytest.mark.docker,
    pytest.mark.gvisor,
    pytest.mark.asyncio(loop_scope="module"),
]

SLEEPER = "import time\ndef initialize(context): time.sleep(60)\n"
HOG = "held = [bytearray(b'x' * (16 << 20)) for _ in range(200)]\ndef initialize(context): pass\n"
HOGS = (
    "import os, time\n"
    "for _ in range(8):\n"
    "    if os.fork() == 0: break\n"
    "held = [bytearray(b'x' * (8 << 20)) for _ in range(60)]\n"
    "time.sleep(20)\n"
    "def initialize(context): pass\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(real_home: Path) -> AsyncIterator[RealSandbox]:
    """A sandbox whose limits are proven under runc and gVisor."""
    async with open_real_sandbox(real_home) as opened:
        await opened.sandbox.prove("runsc")
        yield opened


async def claim_of(
    real: RealSandbox, source: str, runtime: str = "runsc", **limits: object
) -> TrialClaim:
    work = replace(suite_batch(source, **limits), runtime=runtime)
    (claim,) = await real.sandbox.run(work, ignore)
    assert real.containers() == []
    groups = MemberCgroups(HostTraits(cgroup_version=cgroups.mounted_version()))
    assert not any(each.exists() for each in groups.directories(claim.sandbox.member_id))
    return claim


@pytest.mark.parametrize("runtime", ["runsc", "runsc-plain"])
async def test_every_limit_is_proven(runtime: str) -> None:
    async with workplace() as (place, image_id, host):
        found = await prove(place, image_id, runtime, host)
    assert found.unproven == ()
    assert [finding.limit for finding in found.findings] == list(REMEDIES)
    rows = {finding.limit: finding.detail for finding in found.findings}
    assert ("no effect outside the Sentry" in rows["seccomp_rows"]) is (runtime == "runsc-plain")
    assert "no effect in the Sentry" in rows["tmp_inodes"]


async def test_limit_that_nobody_enforces_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemberCgroups, "confine", lambda *arguments: False)
    async with workplace() as (place, image_id, host):
        found = await prove(place, image_id, "runsc", host)
    assert {finding.limit for finding in found.unproven} == {"memory", "cpu"}
    with pytest.raises(SandboxNotReadyError, match="memory"):
        found.require_all()


async def test_memory_hog_is_told_so_and_its_container_goes_on(real: RealSandbox) -> None:
    claim = await claim_of(real, HOG, memory_mib=768)
    assert claim.outcome is Outcome.OUT_OF_MEMORY


async def test_memory_of_many_processes_is_that_of_the_whole_member(real: RealSandbox) -> None:
    claim = await claim_of(real, HOGS, memory_mib=768, wall_seconds=30)
    assert claim.outcome in {Outcome.OUT_OF_MEMORY, Outcome.SIGNAL}


async def test_group_of_a_dead_controllers_member_is_swept() -> None:
    async with workplace() as (place, image_id, host):
        site = containers.Site(image_id, "runsc", host, suite_batch("").limits)
        groups = MemberCgroups(HostTraits(cgroup_version=host.cgroup_version))
        async with containers.leased(place, site, "canary", 60) as lease:
            for directory in groups.directories(lease.member_id):
                directory.mkdir(parents=True)
            kept = Reaper(place.engine, place.leases, Clock(), place.installation, cgroups=groups)
            kept.sweep()
            assert all(each.exists() for each in groups.directories(lease.member_id))
        for directory in groups.directories(lease.member_id):
            directory.mkdir(parents=True)
        Reaper(place.engine, MemoryLeases(), Clock(), place.installation, cgroups=groups).sweep()
        assert not any(each.exists() for each in groups.directories(lease.member_id))


async def test_group_that_cannot_be_made_lets_no_member_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*arguments: object) -> bool:
        raise EngineError("the control group of a member cannot be made: no")

    monkeypatch.setattr(MemberCgroups, "confine", refused)
    async with workplace() as (place, image_id, host):
        with pytest.raises(EngineError, match="control group"):
            await prove(place, image_id, "runsc", host)


async def test_tasks_of_the_host_leave_room_for_the_sentry() -> None:
    assert host_task_limit(64) > 64 + 256
