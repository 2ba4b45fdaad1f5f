"""A sweep in one sandbox against a cold container for each point: T7.

Run ``python -m benchmarks.sweep [--points N] [--cold N] [--rounds N]``; needs the engine and the
sandbox image. The EMA cross of ``benchmarks.engine`` over 3,200 daily bars of IBM, with another
span of its slow average at each point. One side is ``docker run`` of stock zipline for each point,
one after the other and as many at a time as there are cores; it is measured on some of the points
and multiplied. The other is one batch through the product's own sandbox, on all cores, from the
moment it is asked for to the moment the container is gone, with nothing warm. gVisor's is shown
beside; cold runs under gVisor, which take longer, are not measured.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.support.engine_strategies import EMA_NUMPY
from benchmarks.support.figures import head, machine, row
from benchmarks.support.measured_sandbox import ALL_YEARS, batch, home_with_data, opened
from benchmarks.support.plain_docker import run_cold
from benchmarks.support.stamped import Told, stamped

from stratlab.domain.market import Tier
from stratlab.domain.trial import Limits, Outcome
from stratlab.market_data import Catalogue

CAPITAL = 1_000_000.0
TARGET = 20.0
CORES = os.cpu_count() or 1


def strategy(span: int, bars: int) -> str:
    """Return the strategy of one point, which is text here and a parameter in a sweep."""
    return stamped(
        bars, EMA_NUMPY.replace("SLOW, ATR, MULTIPLE = 12, 26", f"SLOW, ATR, MULTIPLE = 12, {span}")
    )


def cold_runs(tier: Path, sources: Sequence[str], at_a_time: int) -> tuple[float, float]:
    """Run each in a container of its own; return wall seconds, and CPU of the strategies."""
    run = partial(
        run_cold,
        tier,
        start=ALL_YEARS.start.isoformat(),
        end=ALL_YEARS.end.isoformat(),
        capital=CAPITAL,
    )
    began = time.monotonic()
    with ThreadPoolExecutor(at_a_time) as threads:
        outputs = list(threads.map(run, sources))
    return time.monotonic() - began, sum(Told.read(output).cpu for output in outputs)


async def sweep(home: Path, spans: Sequence[int], bars: int, runtime: str) -> tuple[float, float]:
    """Run all points in one container; return wall seconds, and CPU of the trials."""
    source = strategy(26, bars).replace(
        "def initialize(context):",
        "def initialize(context):\n    global SLOW\n    SLOW = int(context.params['slow'])",
        1,
    )
    points = ({"slow": span} for span in spans)
    work = batch(
        source, *points, window=ALL_YEARS, runtime=runtime, limits=Limits(max_leverage=10.0)
    )
    async with opened(home, pool_low=0) as (sandbox, _):
        await sandbox.prove(runtime)
        began = time.monotonic()
        claims = await sandbox.run(work, lambda _: None)
        wall = time.monotonic() - began
    assert {claim.outcome for claim in claims} == {Outcome.SUCCEEDED}, claims[0]
    assert len({claim.equity[-1].value for claim in claims}) > 1
    return wall, sum(claim.usage.cpu_seconds for claim in claims)


async def count_bars(home: Path) -> int:
    """Return how many bars each point sees."""
    work = batch("def initialize(context):\n    pass\n", {}, window=ALL_YEARS)
    async with opened(home, pool_low=0) as (sandbox, _):
        (claim,) = await sandbox.run(work, lambda _: None)
    return len(claim.equity)


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--cold", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(machine() + "\n")
    spans, share = range(20, 20 + asked.points), asked.points / asked.cold
    found: dict[str, list[tuple[float, float]]] = {}
    with home_with_data() as home:
        tier = Catalogue(home).mount("us-daily", Tier.HOLDOUT)
        bars = asyncio.run(count_bars(home))
        sources = [strategy(span, bars) for span in spans[: asked.cold]]
        for _ in range(asked.rounds):
            for at_a_time in (1, CORES):
                wall, cpu = cold_runs(tier, sources, at_a_time)
                name = f"cold `docker run` of stock zipline, {at_a_time} at a time"
                found.setdefault(name, []).append((wall * share, cpu * share))
                print(name, wall, cpu, file=sys.stderr)
            for runtime in ("runc", "runsc"):
                once = asyncio.run(sweep(home, spans, bars, runtime))
                found.setdefault(f"one sweep, {runtime}, {CORES} at a time", []).append(once)
                print("sweep", runtime, *once, file=sys.stderr)
    one_by_one = median(wall for wall, _ in next(iter(found.values())))
    columns = (
        "s",
        "range",
        "CPU s of the strategies",
        "one by one / this",
        f"target >= {TARGET:g}",
    )
    print(head(f"{asked.points} points, medians of {asked.rounds}", *columns))
    for name, rounds in found.items():
        walls = [wall for wall, _ in rounds]
        ratio = one_by_one / median(walls)
        met = ("met" if ratio >= TARGET else "missed") if name.startswith("one sweep, runc") else ""
        spread = f"{min(walls):.1f} to {max(walls):.1f}"
        cpu = f"{median(cpu for _, cpu in rounds):.1f}"
        print(row(name, f"{median(walls):.1f}", spread, cpu, f"{ratio:.1f}", met))
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
