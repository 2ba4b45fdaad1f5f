"""The few kernel interfaces that Python has no module for: process flags and memory events."""

import ctypes
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4

_MEMORY_EVENTS: Final = (
    Path("/sys/fs/cgroup/memory.events"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.oom_control"),  # cgroup v1
)


def set_process_flag(option: int, value: int) -> None:
    """Call ``prctl(option, value)``.

    Raises:
        OSError: The kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {value}) failed")


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


def other_processes(known: set[int]) -> set[int]:
    """Return the process ids in this container that are not ``known``."""
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()} - known
