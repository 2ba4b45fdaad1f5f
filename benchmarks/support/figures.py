"""What every benchmark prints: the machine, its noise, percentiles, and memory."""

import gc
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

MIB = 1 << 20


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all values do not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def resident_mib(process_id: int | str = "self") -> float:
    """Return the resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def rss_mib() -> float:
    """Return the resident memory of this process in MiB, garbage collected."""
    gc.collect()
    return resident_mib()


def machine() -> str:
    """Return one paragraph that says where and when figures were measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    ).stdout.strip()
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores {model}, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, Docker {engine or 'none'}, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {load:.1f} before"
    )


def row(name: str, *cells: object) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join([name, *map(str, cells)]) + " |"


def head(*names: str) -> str:
    """Return the first two lines of a Markdown table, numbers to the right."""
    return row(*names) + "\n|---" + "|---:" * (len(names) - 1) + "|"
