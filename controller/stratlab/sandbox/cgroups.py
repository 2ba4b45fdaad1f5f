"""Control groups that the controller puts around a member whose runtime makes none."""

import errno
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.domain.trial import Limits
from stratlab.sandbox.policy import HostTraits, host_task_limit

MOUNT: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")
DEFAULT_PARENT: Final = "stratlab"

_REFUSALS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
_V1_CONTROLLERS: Final = ("memory", "pids", "cpu")
_PERIOD_MICROSECONDS: Final = 100_000
_SHIM: Final = "containerd-shim"
_SETTLE_SECONDS: Final = 5.0
_REMOVE_SECONDS: Final = 2.0


def mounted_version(mount: Path = MOUNT) -> int:
    """Return the version of the control groups of this host: 1 or 2."""
    return 2 if (mount / "cgroup.controllers").exists() else 1


@final
@dataclass(frozen=True, slots=True)
class MemberCgroups:
    """The control groups of members on one host.

    A sandboxed kernel (gVisor) that was registered with ``--ignore-cgroups`` runs in the group of
    the engine, without limits. Then the controller moves all its processes into groups of the
    member's own before anything untrusted runs: memory, processes and CPU time hold for the
    sandboxed kernel as a whole, so also for what it keeps on behalf of the strategy.

    Attributes:
        host: Version of the control groups, and the parent group.
        mount: Where they are mounted.
        proc: Where processes are.
    """

    host: HostTraits
    mount: Path = MOUNT
    proc: Path = PROC

    def confine(self, name: str, first: int, limits: Limits) -> bool:
        """Put the member whose first process on the host is ``first`` under its limits.

        Args:
            name: Of the member; its groups are called the same.
            first: Host process id.
            limits: What it may use.

        Returns:
            Whether that was necessary: False when the runtime enforces the memory limit itself.

        Raises:
            SandboxNotReadyError: This process may not make control groups.
            EngineError: They cannot be made, or the member is gone.
        """
        if self._is_enforced(first, limits):
            return False
        try:
            for directory, settings in self._settings(name, limits):
                directory.mkdir(parents=True, exist_ok=True)
                for file, value in settings.items():
                    _set(directory / file, value)
            self._move(name, first)
        except OSError as error:
            refused = error.errno in _REFUSALS
            raise (SandboxNotReadyError if refused else EngineError)(
                f"the control group of a member cannot be made: {error}",
                hint="Let the runtime make it (register runsc without --ignore-cgroups, see "
                "docs/deployment.md), or run the controller as root with /sys/fs/cgroup writable.",
            ) from error
        return True

    def memory_kills(self, name: str) -> int:
        """Return how many processes the kernel has killed for the memory limit of our group."""
        directory = next(self.directories(name))
        counters = "memory.oom_control" if self.host.cgroup_version == 1 else "memory.events"
        try:
            rows = dict(line.split() for line in (directory / counters).read_text().splitlines())
        except (OSError, ValueError):
            return 0
        return int(rows.get("oom_kill", 0))

    def peak_bytes(self, name: str) -> int:
        """Return the most memory that our group of the member ever held, 0 when there is none."""
        directory = next(self.directories(name))
        file = "memory.max_usage_in_bytes" if self.host.cgroup_version == 1 else "memory.peak"
        try:
            return int((directory / file).read_text())
        except (OSError, ValueError):
            return 0

    def cpus_of(self, process: int) -> float:
        """Return how many cores the group of a running process may use, 0 for no limit."""
        group = self.group_of(process, "cpu")
        try:
            if self.host.cgroup_version == 1:
                quota, period = (
                    (group / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period")
                )
            else:
                quota, period = (group / "cpu.max").read_text().split()
            return max(0.0, int(quota) / int(period))
        except (OSError, ValueError):
            return 0.0

    def kill(self, name: str) -> bool:
        """Kill all processes in our groups of a member; no error when there are none.

        Quicker than the engine's way, which asks the sandboxed kernel: a strategy that uses up its
        CPU time leaves none for that kernel to answer.

        Returns:
            Whether there were some and none is left.
        """
        deadline = time.monotonic() + _REMOVE_SECONDS
        version_one = self.host.cgroup_version == 1
        quota, unlimited = ("cpu.cfs_quota_us", "-1") if version_one else ("cpu.max", "max")
        for directory in self.directories(name):
            with suppress(OSError):
                # They need CPU time to end, too.
                (directory / quota).write_text(unlimited)
        found = False
        while processes := self._processes(name):
            found = True
            for process in processes:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return found

    def remove(self, name: str) -> None:
        """Remove our groups of a member whose processes have ended; no error when there are none.

        The kernel frees a group a moment after its last process, so this waits for up to two
        seconds; what then is left is left to :meth:`sweep`.
        """
        deadline = time.monotonic() + _REMOVE_SECONDS
        for directory in self.directories(name):
            while directory.exists():
                with suppress(OSError):
                    directory.rmdir()
                    break
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)

    def members(self, prefix: str) -> set[str]:
        """Return the names of all members with groups of ours.

        Args:
            prefix: Of the members of one installation.
        """
        return {
            directory.name
            for parent in self._parents()
            for directory in parent.glob(f"{prefix}*")
            if directory.is_dir()
        }

    def sweep(self, names: Iterable[str]) -> None:
        """Remove the groups of members that have ended; those that are not empty stay."""
        for name in names:
            for directory in self.directories(name):
                with suppress(OSError):
                    directory.rmdir()

    def directories(self, name: str) -> Iterator[Path]:
        """Yield the directories of a member's groups, that of memory first."""
        return (parent / name for parent in self._parents())

    def _processes(self, name: str) -> list[int]:
        with suppress(OSError):
            listing = (next(self.directories(name)) / "cgroup.procs").read_text()
            return [int(line) for line in listing.split()]
        return []

    def _parents(self) -> Iterator[Path]:
        parent = self.host.cgroup_parent.strip("/") or DEFAULT_PARENT
        if self.host.cgroup_version == 1:
            return (self.mount / controller / parent for controller in _V1_CONTROLLERS)
        return iter((self.mount / parent,))

    def _settings(self, name: str, limits: Limits) -> Iterator[tuple[Path, dict[str, str]]]:
        memory = str(limits.memory_mib << 20)
        tasks = str(host_task_limit(limits.pids))
        quota = round(limits.cpus * _PERIOD_MICROSECONDS)
        if self.host.cgroup_version == 1:
            values = {
                "memory": {
                    "memory.limit_in_bytes": memory,
                    "memory.memsw.limit_in_bytes": memory,
                    "memory.swappiness": "0",
                },
                "pids": {"pids.max": tasks},
                "cpu": {
                    "cpu.cfs_period_us": str(_PERIOD_MICROSECONDS),
                    "cpu.cfs_quota_us": str(quota),
                },
            }
            for directory, controller in zip(self.directories(name), _V1_CONTROLLERS, strict=True):
                yield directory, values[controller]
            return
        (directory,) = self.directories(name)
        # Controllers are handed down level by level.
        handed_down = {"cgroup.subtree_control": "+memory +pids +cpu"}
        yield from ((above, handed_down) for above in self._above(directory))
        yield (
            directory,
            {
                "memory.max": memory,
                "memory.swap.max": "0",
                "memory.oom.group": "1",
                "pids.max": tasks,
                "cpu.max": f"{quota} {_PERIOD_MICROSECONDS}",
            },
        )

    def _above(self, directory: Path) -> Iterator[Path]:
        below = directory.parent.relative_to(self.mount).parts
        return (self.mount.joinpath(*below[:depth]) for depth in range(len(below) + 1))

    def _is_enforced(self, first: int, limits: Limits) -> bool:
        # In a container the controller sees another /proc, and finds nothing that is enforced.
        group = self.group_of(first, "memory")
        file = "memory.limit_in_bytes" if self.host.cgroup_version == 1 else "memory.max"
        with suppress(OSError, ValueError):
            return int((group / file).read_text()) == limits.memory_mib << 20
        return False

    def group_of(self, process: int, controller: str = "memory") -> Path:
        """Return the group of a running process.

        Args:
            process: Host process id.
            controller: Of version 1, where each has groups of its own.

        Returns:
            Its directory; one that does not exist when it cannot be told.
        """
        version_one = self.host.cgroup_version == 1
        with suppress(OSError, ValueError):
            for line in (self.proc / str(process) / "cgroup").read_text().splitlines():
                number, controllers, path = line.split(":", 2)
                if controller in controllers.split(",") if version_one else number == "0":
                    mounted = self.mount / controller if version_one else self.mount
                    return mounted / path.strip("/")
        return self.mount / "unknown"

    def _move(self, name: str, first: int) -> None:
        # What a moved process starts is born in its group, so this ends: each turn moves those
        # that were started by one that had not been moved yet.
        deadline = time.monotonic() + _SETTLE_SECONDS
        moved: set[int] = set()
        while new := self._family(first) - moved:
            for process in new:
                for directory in self.directories(name):
                    # It may have ended meanwhile; the first one may not.
                    try:
                        (directory / "cgroup.procs").write_text(str(process))
                    except ProcessLookupError:
                        if process == first:
                            raise
            moved |= new
            if time.monotonic() > deadline:
                raise TimeoutError("its processes do not come to rest")
        if first not in moved:
            raise ProcessLookupError(f"the process {first} is gone")

    def _family(self, first: int) -> set[int]:
        # The kernel in user space, its helper for files (started by the same shim), and the
        # processes in which the strategy's code is executed.
        children: dict[int, set[int]] = {}
        shim = 0
        for entry in self.proc.iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, set()).add(int(entry.name))
                if int(entry.name) == first:
                    shim = parent
        family: set[int] = set()
        waiting = {first} if (self.proc / str(first)).exists() else set()
        if shim and self._is_shim(shim):
            waiting |= children[shim]
        while waiting:
            family |= waiting
            waiting = {child for each in waiting for child in children.get(each, ())} - family
        return family

    def _is_shim(self, process: int) -> bool:
        with suppress(OSError):
            return (self.proc / str(process) / "comm").read_text().startswith(_SHIM)
        return False


def _set(file: Path, value: str) -> None:
    # Swap accounting and swappiness may be compiled out; then there is nothing to limit.
    if file.name in {"memory.memsw.limit_in_bytes", "memory.swappiness", "memory.swap.max"}:
        with suppress(FileNotFoundError):
            file.write_text(value)
        return
    file.write_text(value)
