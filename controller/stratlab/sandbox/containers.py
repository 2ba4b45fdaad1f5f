"""The frame around every member: lease before create, and kill, remove, release after."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, final

import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from stratlab.domain.errors import EngineUnavailableError, InfrastructureError
from stratlab.domain.ports import Clock, Lease, Leases
from stratlab.domain.trial import Limits
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.engine_facts import ContainerState
from stratlab.sandbox.identity import member_prefix
from stratlab.sandbox.labels import ContainerLabels
from stratlab.sandbox.policy import HostTraits, MemberRequest, is_gvisor, member_config
from stratlab.sandbox.seccomp import SeccompProfile
from stratlab.sandbox.threads import Threads, to_the_end

_log = structlog.get_logger(__name__)

_REMOVE_TRIES: Final = 3
_PATIENCE_SECONDS: Final = 5.0  # an engine that hangs is not asked three times


@final
@dataclass(frozen=True, slots=True)
class Workplace:
    """What everything that makes containers shares.

    Attributes:
        engine, threads, leases, clock: As named.
        profile: The seccomp profile of members.
        installation: Id of the home directory.
        controller: Identity of this process.
        socket_root: Directory of all sockets of this process.
        left: Names of containers that the engine did not remove when they were done.
    """

    engine: DockerEngine
    threads: Threads
    leases: Leases
    clock: Clock
    profile: SeccompProfile
    installation: str
    controller: str
    socket_root: Path
    left: set[str] = field(default_factory=set)


@final
@dataclass(frozen=True, slots=True)
class Site:
    """What a member is made from.

    Attributes:
        image_id: Of the sandbox image.
        runtime: Container runtime.
        host: Traits of the host.
        limits: What the member may use.
        data_directory: Its tier, None for a probe.
        command: Replaces the image's entry point, empty for the runner.
        data_stamp: Of the tier, see :func:`data_stamp`.
    """

    image_id: str
    runtime: str
    host: HostTraits
    limits: Limits
    data_directory: Path | None = None
    command: tuple[str, ...] = ()
    data_stamp: tuple[int, int] = (0, 0)


@asynccontextmanager
async def leased(
    workplace: Workplace, site: Site, campaign_id: str, lifetime_seconds: float
) -> AsyncIterator[Lease]:
    """Hold a lease; on leaving, its container is killed and removed and the lease released.

    When the engine does not remove the container the lease stays, so that its user id is not
    given out again, and the reaper goes on trying.
    """
    name = member_prefix(workplace.installation) + secrets.token_hex(6)
    wanted = Lease(
        member_id=name,
        campaign_id=campaign_id,
        owner=workplace.controller,
        uid=0,
        image_id=site.image_id,
        runtime=site.runtime,
        deadline=workplace.clock.now() + timedelta(seconds=lifetime_seconds),
    )
    try:
        # A cancellation meanwhile is delivered when the lease is written.
        yield await workplace.threads.call(workplace.leases.acquire, wanted)
    finally:
        await to_the_end(_dispose(workplace, site, wanted))


async def launch(
    workplace: Workplace,
    site: Site,
    lease: Lease,
    socket_directory: Path,
    longest_use_seconds: float = 0.0,
) -> None:
    """Create and start the container of ``lease`` under the policy.

    Args:
        workplace: Engine, leases and the rest.
        site: What it is made from.
        lease: Its lease.
        socket_directory: Of its socket.
        longest_use_seconds: Time by which its lease may be extended; a label cannot be.

    Raises:
        UnsafeConfigurationError: The policy refuses.
        SandboxNotReadyError: The image is gone.
        EngineUnavailableError: No engine answers.
        EngineError: The engine refused.
    """
    request = MemberRequest(
        image_id=site.image_id,
        runtime=site.runtime,
        uid=lease.uid,
        limits=site.limits,
        socket_directory=socket_directory,
        data_directory=site.data_directory,
        labels=ContainerLabels(
            installation=workplace.installation,
            controller=workplace.controller,
            member=lease.member_id,
            campaign=lease.campaign_id,
            deadline=int(lease.deadline.timestamp() + longest_use_seconds),
        ),
        command=site.command,
    )
    config = member_config(request, site.host, workplace.profile)
    await workplace.threads.call(workplace.engine.create, lease.member_id, config)
    await workplace.threads.call(workplace.engine.start, lease.member_id)
    if is_gvisor(site.runtime):
        # Nothing untrusted runs before the controller sends it, so no process is missed.
        first = await workplace.threads.call(workplace.engine.first_process, lease.member_id)
        cgroups = MemberCgroups(site.host)
        await workplace.threads.call(cgroups.confine, lease.member_id, first, site.limits)


async def kill(workplace: Workplace, site: Site, lease: Lease) -> None:
    """Kill a member at once; no error when it does not run or exist.

    Raises:
        EngineUnavailableError: No engine answers.
        EngineError: The engine refused.
    """
    cgroups = MemberCgroups(site.host)
    if is_gvisor(site.runtime) and await workplace.threads.call(cgroups.kill, lease.member_id):
        # The engine learns of it in its own time, and would make us wait for that.
        return
    await workplace.threads.call(workplace.engine.kill, lease.member_id)


async def state_of(workplace: Workplace, site: Site, lease: Lease) -> ContainerState | None:
    """Return how a container stands, or None when it does not exist.

    Raises:
        EngineUnavailableError: No engine answers.
        EngineError: The engine refused.
    """
    state = await workplace.threads.call(workplace.engine.state, lease.member_id)
    if state is None or not is_gvisor(site.runtime):
        return state
    # The engine hears nothing of groups that are ours.
    kills = MemberCgroups(site.host).memory_kills(lease.member_id)
    return replace(state, oom_killed=state.oom_killed or kills > 0)


def data_stamp(directory: Path) -> tuple[int, int]:
    """Return what changes when a tier is built again at the same path."""
    try:
        found = directory.stat()
    except OSError:
        return (0, 0)  # the engine will say what is wrong
    return found.st_ino, found.st_mtime_ns


def socket_directory(workplace: Workplace, lease: Lease) -> Path:
    """Return the directory of a member's socket."""
    return workplace.socket_root / lease.member_id.rpartition("-")[2]


async def _dispose(workplace: Workplace, site: Site, lease: Lease) -> None:
    # Kill is the quicker call; removing may take its time once nothing runs any more.
    name = lease.member_id
    try:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(_REMOVE_TRIES) | stop_after_delay(_PATIENCE_SECONDS),
            wait=wait_fixed(0.2),
            retry=retry_if_exception_type((InfrastructureError, EngineUnavailableError)),
            reraise=True,
        ):
            with attempt:
                await kill(workplace, site, lease)
                await workplace.threads.call(workplace.engine.remove, name)
    except (InfrastructureError, EngineUnavailableError) as error:
        _log.warning("container not removed, left to the reaper", member=name, error=str(error))
        workplace.left.add(name)
    else:
        if is_gvisor(site.runtime):
            await workplace.threads.call(MemberCgroups(site.host).remove, name)
        await workplace.threads.call(workplace.leases.release, name)
