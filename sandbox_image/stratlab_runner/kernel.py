"""What the kernel tells and grants a process, where Python has no module for it."""

import ctypes
import os
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_GET_NO_NEW_PRIVS: Final = 39

_MEMORY_EVENTS: Final = (
    Path("/sys/fs/cgroup/memory.events"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.oom_control"),  # cgroup v1
)


def process_flag(option: int, value: int = 0) -> int:
    """Call ``prctl(option, value)`` and return its answer.

    Raises:
        OSError: The kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    answer: int = library.prctl(option, ctypes.c_ulong(value), 0, 0, 0)
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")
    return answer


def missing_confinement() -> list[str]:
    """Return what this container lacks of the policy, as far as it can tell from inside.

    The controller proves the limits with a container of its own; this only refuses to run foreign
    code where somebody started the image by hand.
    """
    missing = []
    if os.getuid() == 0:
        missing.append("a user id other than 0")
    if process_flag(PR_GET_NO_NEW_PRIVS) != 1:
        missing.append("no-new-privileges")
    if any(_capabilities()):
        missing.append("dropped capabilities")
    if not _is_root_read_only():
        missing.append("a read-only root")
    return missing


def oom_kills() -> int:
    """Return how many processes of this container the kernel has killed for memory.

    Where the kernel does not tell (gVisor), the answer is always 0.
    """
    for path in _MEMORY_EVENTS:
        try:
            text = path.read_text()
        except OSError:
            continue
        for line in text.splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def address_space() -> int:
    """Return the bytes of address space of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def other_processes(known: set[int]) -> set[int]:
    """Return the process ids in this container that are not ``known``."""
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()} - known


def processes_of_session(session: int) -> set[int]:
    """Return the process ids of a session, those apart that have ended already."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # After the name, which may hold anything: state, parent, group, session.
            state, _, _, its = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its) == session and state not in "ZX":
            found.add(int(entry.name))
    return found


def _is_root_read_only() -> bool:
    # gVisor tells it among the mounts, and not in statvfs.
    mounts = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return any(mount[4] == "/" and "ro" in mount[5].split(",") for mount in mounts)


def _capabilities() -> list[int]:
    # All five sets; the bounding set counts too, for it is what a setuid file could give.
    lines = Path("/proc/self/status").read_text().splitlines()
    return [int(line.split()[1], 16) for line in lines if line.startswith("Cap")]
