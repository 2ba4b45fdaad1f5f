"""Proves with a throw-away container that every limit of the policy holds on this host."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.domain.ports import Lease
from stratlab.domain.trial import Limits
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.containers import (
    Site,
    Workplace,
    kill,
    launch,
    leased,
    socket_directory,
    state_of,
)
from stratlab.sandbox.engine_facts import ContainerState
from stratlab.sandbox.policy import (
    ENVIRONMENT,
    NOFILE,
    TMP_INODES,
    HostTraits,
    is_gvisor,
    process_limit,
)
from stratlab.sandbox.sockets import allow_only, socket_path
from stratlab.sandbox.text import clean_text
from stratlab.sandbox.threads import to_the_end

REMEDIES: Final[Mapping[str, str]] = {
    "network": "Let the engine start containers with --network none.",
    "root_read_only": "Use a storage driver that supports read-only roots (overlay2).",
    "kernel_settings": "Let the engine mask /proc and /sys (no --privileged default).",
    "identity": "Switch user namespace remapping off, or check the engine's user settings.",
    "capabilities": "Let the engine drop all capabilities.",
    "no_new_privileges": "Use an engine and kernel that support no-new-privileges.",
    "seccomp_mode": "Use a kernel and engine with seccomp (`docker info` must list it).",
    "seccomp_rows": "Check that the engine applies our seccomp profile.",
    "sockets": "Check that the engine applies our seccomp profile.",
    "file_locks": "Check that the engine applies our seccomp profile.",
    "tmp_flags": "Let the engine mount tmpfs with noexec, nosuid and nodev.",
    "tmp_size": "Let the engine mount tmpfs with a size.",
    "tmp_inodes": "Let the engine mount tmpfs with nr_inodes.",
    "rlimits": "Let the engine set ulimits.",
    "environment": "Remove proxies and other variables from the engine's defaults.",
    "shared_memory": "Let the engine start containers with --ipc none.",
    "pids": "Enable the pids cgroup controller.",
    "address_space": "Use a kernel (or gVisor) that enforces RLIMIT_AS.",
    "memory": "Enable the memory cgroup controller (and swap accounting, or switch swap off).",
    "cpu": "Enable the cpu cgroup controller with CFS quotas.",
    "kill": "Look at the engine's log: it could not kill a container at once.",
}
"""Every limit that must be proven -> what to do when it is not."""

LIMITS: Final = Limits(memory_mib=256, cpus=1.0, pids=48, tmp_mib=16)
"""Of the throw-away container: small, so that running into them takes little time."""

_SENTRY_MIB: Final = 512  # under gVisor each process costs some MiB of the host as well

_PROBE: Final = "stratlab_runner.canary_probe"
_CAMPAIGN: Final = "canary"
_PROBE_SECONDS: Final = 120.0  # a busy host gives a container little
_KILL_SECONDS: Final = 0.5
_DEATH_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.05
_MAX_REPORT_BYTES: Final = 65_536
_TRY_ALL: Final = b"a"
_TAKE_MEMORY: Final = b"m"


@final
@dataclass(frozen=True, slots=True)
class LimitFinding:
    """Whether one limit held, and what was seen."""

    limit: str
    proven: bool
    detail: str


@final
@dataclass(frozen=True, slots=True)
class CanaryReport:
    """All findings of one proof.

    Attributes:
        image_id, runtime: What was proven.
        seccomp_digest: Under which profile.
        findings: One for each key of :data:`REMEDIES`, in that order.
        seconds: What it took.
    """

    image_id: str
    runtime: str
    seccomp_digest: str
    findings: tuple[LimitFinding, ...]
    seconds: float

    @property
    def unproven(self) -> tuple[LimitFinding, ...]:
        """The limits that did not hold."""
        return tuple(finding for finding in self.findings if not finding.proven)

    def require_all(self) -> None:
        """Check that every limit was proven.

        Raises:
            SandboxNotReadyError: One was not; names it, what was seen and the remedy.
        """
        for finding in self.unproven:
            raise SandboxNotReadyError(
                f"the limit {finding.limit!r} is not proven under {self.runtime}: {finding.detail}",
                hint=f"{REMEDIES[finding.limit]} See all limits with `stratlab doctor`.",
                limit=finding.limit,
                runtime=self.runtime,
            )


async def prove(
    workplace: Workplace, image_id: str, runtime: str, host: HostTraits
) -> CanaryReport:
    """Run the probe under the policy of a member, kill it, and return what held.

    Raises:
        EngineError: The probe did not start or report.
        EngineUnavailableError: No engine answers.
        SandboxNotReadyError: The image is gone.
        UnsafeConfigurationError: The policy refuses.
    """
    began = workplace.clock.monotonic()
    findings = await _tried(workplace, image_id, runtime, host)
    if is_gvisor(runtime):
        findings["memory"] = await _memory_of_sentry(workplace, image_id, runtime, host)
    missing = "the probe said nothing about it"
    return CanaryReport(
        image_id,
        runtime,
        workplace.profile.digest,
        tuple(
            findings.get(name, LimitFinding(name, proven=False, detail=missing))
            for name in REMEDIES
        ),
        workplace.clock.monotonic() - began,
    )


def parse_findings(answer: bytes) -> dict[str, LimitFinding]:
    """Read a probe's report; anything unexpected counts as not proven.

    Raises:
        EngineError: It is no report at all.
    """
    try:
        rows = [
            LimitFinding(
                str(row["limit"]), row["proven"] is True, clean_text(str(row["detail"]), 300)
            )
            for row in json.loads(answer)
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EngineError("the canary's report cannot be read") from error
    return {row.limit: row for row in rows}


async def _tried(
    workplace: Workplace, image_id: str, runtime: str, host: HostTraits
) -> dict[str, LimitFinding]:
    # What the probe finds out from inside, and whether it can be killed.
    clock = workplace.clock
    async with _probe(workplace, image_id, runtime, host) as (lease, listener):
        answer = asyncio.create_task(listener.ask(_TRY_ALL))
        deadline = clock.monotonic() + _PROBE_SECONDS
        while not answer.done():
            await asyncio.wait({answer}, timeout=_WATCH_SECONDS)
            state = await workplace.threads.call(workplace.engine.state, lease.member_id)
            dead = state is None or not state.running
            if not answer.done() and (dead or clock.monotonic() > deadline):
                answer.cancel()
                raise _silent(state)
        findings = parse_findings(await answer)
        if is_gvisor(runtime) and findings["cpu"].proven:
            # Its own account of CPU time does not know that the host holds it back.
            findings["cpu"] = await _quota_of_sentry(workplace, lease, host, findings["cpu"])
        killed = clock.monotonic()
        await kill(workplace, Site(image_id, runtime, host, LIMITS), lease)
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.gone.wait(), 10 * _KILL_SECONDS)
        took = clock.monotonic() - killed
        dead = listener.gone.is_set() and took <= _KILL_SECONDS
        findings["kill"] = LimitFinding("kill", dead, f"gone after {took:.2f} s")
    return findings


async def _quota_of_sentry(
    workplace: Workplace, lease: Lease, host: HostTraits, inside: LimitFinding
) -> LimitFinding:
    first = await workplace.threads.call(workplace.engine.first_process, lease.member_id)
    cpus = await workplace.threads.call(MemberCgroups(host).cpus_of, first)
    detail = f"{inside.detail}; the host grants {cpus:g} cores"
    return replace(inside, proven=cpus == LIMITS.cpus, detail=detail)


async def _memory_of_sentry(
    workplace: Workplace, image_id: str, runtime: str, host: HostTraits
) -> LimitFinding:
    # The limit is that of the whole sandboxed kernel, which dies with all that it holds.
    async with _probe(workplace, image_id, runtime, host) as (lease, listener):
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.tell(_TAKE_MEMORY), _PROBE_SECONDS)
            await asyncio.wait_for(listener.gone.wait(), _PROBE_SECONDS)
        site = Site(image_id, runtime, host, _limits(runtime))
        deadline = workplace.clock.monotonic() + _DEATH_SECONDS
        while True:
            state = await state_of(workplace, site, lease)
            killed = state is not None and state.oom_killed and not state.running
            if killed or workplace.clock.monotonic() > deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        peak = MemberCgroups(host).peak_bytes(lease.member_id) >> 20
        whose = f"our own group, {peak} MiB at most" if peak else "the runtime's group"
    return LimitFinding(
        "memory", killed and peak <= _SENTRY_MIB, f"killed for memory: {killed}, in {whose}"
    )


@asynccontextmanager
async def _probe(
    workplace: Workplace, image_id: str, runtime: str, host: HostTraits
) -> AsyncIterator[tuple[Lease, "_Listener"]]:
    draft = Site(image_id, runtime, host, _limits(runtime))
    async with leased(workplace, draft, _CAMPAIGN, 2 * _PROBE_SECONDS) as lease:
        site = replace(draft, command=_command(lease.uid, runtime))
        directory = socket_directory(workplace, lease)
        listener = _Listener(directory, lease.uid)
        try:
            await listener.open()
            await launch(workplace, site, lease, directory)
            yield lease, listener
        finally:
            await to_the_end(listener.close())


def _silent(state: ContainerState | None) -> EngineError:
    return EngineError(
        f"the canary did not report, or not within {_PROBE_SECONDS:g} s ({state})",
        hint="Run `make image`, then `stratlab doctor`.",
    )


def _limits(runtime: str) -> Limits:
    return replace(LIMITS, memory_mib=_SENTRY_MIB) if is_gvisor(runtime) else LIMITS


def _command(uid: int, runtime: str) -> tuple[str, ...]:
    expected: dict[str, Any] = {
        "uid": uid,
        "sentry": is_gvisor(runtime),
        "memory_mib": _limits(runtime).memory_mib,
        "cpus": LIMITS.cpus,
        "pids": LIMITS.pids,
        "nproc": process_limit(runtime, LIMITS.pids),
        "tmp_mib": LIMITS.tmp_mib,
        "tmp_inodes": TMP_INODES,
        "nofile": NOFILE,
        "environment": sorted({*ENVIRONMENT, "PATH", "HOSTNAME", "LC_CTYPE"}),
    }
    return ("python", "-P", "-m", _PROBE, json.dumps(expected))


@final
class _Listener:
    # Takes one report on one connection, and sees when that connection ends.
    def __init__(self, directory: Path, uid: int) -> None:
        self._directory = directory
        self._path = socket_path(directory)
        self._uid = uid
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.report: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._connected: asyncio.Future[asyncio.StreamWriter] = (
            asyncio.get_running_loop().create_future()
        )
        self.gone = asyncio.Event()

    async def open(self) -> None:
        self._directory.mkdir(mode=0o700)
        self._server = await asyncio.start_unix_server(
            self._serve, self._path, limit=_MAX_REPORT_BYTES
        )
        allow_only(self._path, self._uid)
        self._directory.chmod(0o711)

    async def tell(self, command: bytes) -> None:
        writer = await asyncio.shield(self._connected)
        writer.write(command)

    async def ask(self, command: bytes) -> bytes:
        await self.tell(command)
        return await asyncio.shield(self.report)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            # A probe that the engine did not kill still holds its end.
            for connection in tuple(self._connections):
                connection.transport.abort()
            await self._server.wait_closed()
        self.report.cancel()
        self._connected.cancel()
        with suppress(FileNotFoundError):
            self._path.unlink()
        with suppress(FileNotFoundError):
            self._directory.rmdir()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if not self._connected.done():
            self._connected.set_result(writer)
        try:
            line = await reader.readline()
            if not self.report.done():
                self.report.set_result(line)
            await reader.read()
        except (ValueError, OSError) as error:
            if not self.report.done():
                self.report.set_exception(EngineError(f"the canary's report broke: {error}"))
        finally:
            self.gone.set()
            self._connections.discard(writer)
            writer.close()
