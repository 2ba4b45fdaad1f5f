"""A strategy that says when it began, saw its first bar and its last, and what memory is its own.

It prints one line of JSON. Moments are of the wall clock: gVisor has a monotonic one of its own.
"""

import json
from dataclasses import dataclass
from typing import Self

from benchmarks.support.engine_strategies import EMA_NUMPY

_BEFORE = """
import json, time
_moments, _seen = [(time.time(), time.process_time())], 0
"""
_AFTER = """
_decide = handle_data


def _memory():
    try:
        with open("/proc/self/smaps_rollup") as file:
            rows = [line.split() for line in file]
    except OSError:
        return {}
    return {row[0].strip(":"): int(row[1]) / 1024 for row in rows if row[-1] == "kB"}


def handle_data(context, data):
    global _seen
    if not _seen:
        _moments.append((time.time(), time.process_time()))
    _decide(context, data)
    _seen += 1
    if _seen == BARS:
        _moments.append((time.time(), time.process_time()))
        print(json.dumps({"moments": _moments, "memory": _memory()}), flush=True)
"""


def stamped(bars: int, source: str = EMA_NUMPY) -> str:
    """Return the source of a strategy that tells about itself at its last bar.

    Args:
        bars: How many it will see.
        source: What it does otherwise.
    """
    return _BEFORE + source + _AFTER.replace("BARS", str(bars))


@dataclass(frozen=True)
class Told:
    """What a run told.

    Attributes:
        first_line, first_bar, last_bar: Seconds of the wall clock.
        cpu: Seconds of CPU time from its first line to its last bar.
        loop_cpu: From its first bar on.
        rss_mib, private_dirty_mib: Memory at its last bar, 0 where the kernel does not say.
    """

    first_line: float
    first_bar: float
    last_bar: float
    cpu: float
    loop_cpu: float
    rss_mib: float
    private_dirty_mib: float

    @classmethod
    def read(cls, output: str) -> Self:
        """Read the last line of what was printed."""
        told = json.loads(output.splitlines()[-1])
        (first_line, began), (first_bar, looped), (last_bar, ended) = told["moments"]
        memory = told["memory"]
        return cls(
            first_line, first_bar, last_bar, ended - began, ended - looped,
            memory.get("Rss", 0.0), memory.get("Private_Dirty", 0.0),
        )  # fmt: skip

    @property
    def loop(self) -> float:
        """Wall seconds from the first bar to the last."""
        return self.last_bar - self.first_bar
