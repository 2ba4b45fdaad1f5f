"""Warm containers: hit and miss latency, teardown, refill rate, trials per minute, memory.

Run ``python -m benchmarks.pool [--claims N] [--trials N] [--runtime runsc]``; needs the engine and
the sandbox image. Everything goes through the product's own sandbox, with the data set that comes
with it. A trial is IBM over one year of daily bars. The first thing that its code does is print the
wall clock, which a container shares with the host: that is the first line.

``code sent`` is the moment at which the request is handed to gRPC; ``asked`` that at which the
sandbox is asked for the batch, so it holds the claim and everything else of the controller too.
"""

import argparse
import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.support.figures import MIB, head, machine, percentile, row
from benchmarks.support.measured_sandbox import (
    Stamps,
    batch,
    home_with_data,
    idle,
    opened,
    run_one,
)

from stratlab.domain.trial import Outcome, TrialBatch
from stratlab.sandbox import DockerSandbox
from stratlab.sandbox.cgroups import MemberCgroups, mounted_version
from stratlab.sandbox.policy import HostTraits

REFILLED = 6
SETTLED_SECONDS = 0.05
SOURCE = """
import time
print(time.time(), flush=True)
from zipline.api import order_target_percent, symbol


def initialize(context):
    context.asset = symbol("IBM")


def handle_data(context, data):
    prices = data.history(context.asset, "close", int(context.params["days"]), "1d")
    order_target_percent(context.asset, 0.5 if prices.iloc[-1] > prices.mean() else 0.0)
"""


def work(trials: int = 1, campaign: str = "benchmark", runtime: str = "runc") -> TrialBatch:
    """Return a batch whose trials differ in a parameter."""
    points = ({"days": 20 + number} for number in range(trials))
    return batch(SOURCE, *points, campaign=campaign, runtime=runtime)


async def first_line(sandbox: DockerSandbox, stamps: Stamps, runtime: str) -> tuple[float, float]:
    """Run one trial; return seconds from code sent, and from asked, to its first line."""
    asked = time.time()
    claim = await run_one(sandbox, work(runtime=runtime))
    printed = float(claim.output_tail.split()[0])
    return printed - stamps.sent, printed - asked


async def latencies(
    home: Path, claims: int, stamps: Stamps, runtime: str
) -> dict[str, Sequence[float]]:
    """Measure hits, then misses, one at a time."""
    figures: dict[str, Sequence[float]] = {}
    async with opened(home, members=2, pool_low=1, pool_high=1) as (sandbox, _):
        await first_line(sandbox, stamps, runtime)
        stamps.teardowns.clear()
        found = []
        for _ in range(claims):
            await idle(sandbox, 1)
            await asyncio.sleep(SETTLED_SECONDS)
            found.append(await first_line(sandbox, stamps, runtime))
        assert sandbox.pool_stats.hits == claims, sandbox.pool_stats
        figures["hit: code sent to first line"], figures["hit: asked to first line"] = zip(
            *found, strict=True
        )
    async with opened(home, pool_low=0) as (sandbox, _):
        await sandbox.prove(runtime)
        count = max(5, claims // 10)
        missed = [await first_line(sandbox, stamps, runtime) for _ in range(count)]
        figures["miss: code sent to first line"], figures["miss: asked to first line"] = zip(
            *missed, strict=True
        )
    figures["teardown"] = list(stamps.teardowns)
    return figures


async def refill_rate(home: Path, runtime: str) -> tuple[float, list[float]]:
    """Return containers warmed per minute on an idle machine, and MiB of each that waits."""
    async with opened(home, pool_low=REFILLED, pool_high=REFILLED) as (sandbox, leases):
        await run_one(sandbox, work(runtime=runtime))
        already, began = sandbox.pool_stats.warmed, time.monotonic()
        await idle(sandbox, REFILLED)
        seconds = time.monotonic() - began
        rate = (sandbox.pool_stats.warmed - already) / seconds * 60
        names = [lease.member_id for lease in leases.live()]
        return rate, await asyncio.to_thread(memory_mib, names)


def memory_mib(names: Sequence[str]) -> list[float]:
    """Return what the control group of each container holds, files that can be dropped apart."""
    version = mounted_version()
    groups = MemberCgroups(HostTraits(cgroup_version=version))
    file = "memory.usage_in_bytes" if version == 1 else "memory.current"
    printed = subprocess.run(
        ["docker", "inspect", "--format={{.State.Pid}}", *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    found = []
    for process in printed.split():
        group = groups.group_of(int(process))
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        dropped = int(facts["total_inactive_file" if version == 1 else "inactive_file"])
        found.append((int((group / file).read_text()) - dropped) / MIB)
    return found


async def sustained(home: Path, cores: int, trials: int, runtime: str) -> tuple[float, float]:
    """Return trials per minute of batches of one trial each, and the hit rate."""
    async with opened(home, members=cores) as (sandbox, _):
        await run_one(sandbox, work(runtime=runtime))
        began = time.monotonic()
        await asyncio.gather(
            *(run_one(sandbox, work(1, f"c{n % 4}", runtime)) for n in range(trials))
        )
        return trials / (time.monotonic() - began) * 60, sandbox.pool_stats.hit_rate


async def swept(home: Path, cores: int, trials: int, runtime: str) -> float:
    """Return trials per minute of one batch with many points."""
    async with opened(home, members=cores, pool_low=0) as (sandbox, _):
        await sandbox.prove(runtime)
        began = time.monotonic()
        claims = await sandbox.run(work(trials, runtime=runtime), lambda _: None)
        assert {claim.outcome for claim in claims} == {Outcome.SUCCEEDED}
        return trials / (time.monotonic() - began) * 60


async def measure(home: Path, claims: int, trials: int, runtime: str) -> None:
    """Print all tables."""
    stamps = Stamps()
    stamps.attach()
    print(head(f"{runtime}, milliseconds", "p50", "p95", "p99", "n"))
    for name, values in (await latencies(home, claims, stamps, runtime)).items():
        cells = [f"{1000 * percentile(values, share):.1f}" for share in (0.5, 0.95, 0.99)]
        print(row(name, *cells, len(values)), flush=True)
    rate, memory = await refill_rate(home, runtime)
    print("\n" + head("pool", "value"))
    print(row("containers warmed per minute, nothing else running", f"{rate:.0f}"))
    print(row("MiB of a container that waits", f"{percentile(memory, 0.5):.0f}"), flush=True)
    print("\n" + head("trials per minute", "batches of one", "hit rate", "one sweep"))
    for cores in range(1, (os.cpu_count() or 1) + 1):
        single, hits = await sustained(home, cores, trials, runtime)
        sweep = await swept(home, cores, trials, runtime)
        print(row(f"{cores} cores", f"{single:.0f}", f"{hits:.2f}", f"{sweep:.0f}"), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} after")


def main(claims: int, trials: int, runtime: str) -> None:
    """Build the data and measure."""
    print(machine() + "\n")
    with home_with_data() as home:
        asyncio.run(measure(home, claims, trials, runtime))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=200)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--runtime", default="runc")
    arguments = parser.parse_args()
    main(arguments.claims, arguments.trials, arguments.runtime)
