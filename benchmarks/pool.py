"""Warm containers: hit and miss latency, teardown, refill rate, trials per minute, memory.

Run ``python -m benchmarks.pool [--claims N] [--trials N]``; needs the engine and the sandbox image.
Everything goes through the product's own sandbox, with the data set that comes with it. A trial is
IBM over one year of daily bars. The first thing that its code does is print the monotonic clock,
which a container of runc shares with the host: that is the first line.

``code sent`` is the moment at which the request is handed to gRPC; ``asked`` that at which the
sandbox is asked for the batch, so it holds the claim and everything else of the controller too.
"""

import argparse
import asyncio
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import structlog
from benchmarks.support.figures import head, machine, percentile, row

from stratlab.bootstrap import SystemClock, build_data_set
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.ports import Leases
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialPurpose, TrialSpec
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.sandbox.link import Link
from stratlab.sandbox.warm_member import WarmMember
from stratlab.settings import Settings
from stratlab.store import open_repository
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

WINDOW = Window(Tier.TRAIN, date(2001, 6, 1), date(2002, 5, 31))
REFILLED = 6
SPEC = TrialSpec(
    trial_id="t0",
    index=0,
    purpose=TrialPurpose.ADHOC,
    market=MarketSet("us-daily", ("IBM",)),
    window=WINDOW,
    parameters={"days": 20},
    capital=100_000.0,
    cost_model=CostModel(),
)
SOURCE = """
import time
print(time.monotonic(), flush=True)
from zipline.api import order_target_percent, symbol


def initialize(context):
    context.asset = symbol("IBM")


def handle_data(context, data):
    prices = data.history(context.asset, "close", int(context.params["days"]), "1d")
    order_target_percent(context.asset, 0.5 if prices.iloc[-1] > prices.mean() else 0.0)
"""


@dataclass
class Stamps:
    """What the sandbox does not tell: when code was sent, and how long each teardown took."""

    sent: float = 0.0
    teardowns: list[float] = field(default_factory=list)

    def attach(self) -> None:
        """Measure from now on."""
        send, close = Link.send, WarmMember.close

        async def stamped_send(link: Link, response: pb.AttachResponse) -> None:
            if response.HasField("run"):
                self.sent = time.monotonic()
            await send(link, response)

        async def timed_close(member: WarmMember) -> None:
            began = time.monotonic()
            await close(member)
            self.teardowns.append(time.monotonic() - began)

        Link.send = stamped_send  # type: ignore[method-assign]  # measured from outside
        WarmMember.close = timed_close  # type: ignore[method-assign]  # the same


def batch(trials: int = 1, campaign: str = "benchmark") -> TrialBatch:
    """Return a batch whose trials differ in a parameter."""
    specs = tuple(
        replace(SPEC, trial_id=f"t{n}", index=n, parameters={"days": 20 + n}) for n in range(trials)
    )
    return TrialBatch(campaign, SOURCE, specs, Limits())


@asynccontextmanager
async def opened(home: Path, **options: float) -> AsyncIterator[tuple[DockerSandbox, Leases]]:
    """Open a proven sandbox with changed settings."""
    settings = Settings(home=home)
    repository = open_repository(settings.store_url)
    changed = settings.sandbox.model_copy(update=options)
    async with DockerSandbox.open(
        changed, home, repository.leases(), Catalogue(home), SystemClock(), alone=True
    ) as sandbox:
        await sandbox.prove()
        yield sandbox, repository.leases()
    repository.close()


async def idle(sandbox: DockerSandbox, count: int) -> None:
    """Wait until so many containers wait for work."""
    while sandbox.pool_stats.idle < count:  # noqa: ASYNC110 - raises no event
        await asyncio.sleep(0.005)


async def first_line(sandbox: DockerSandbox, stamps: Stamps) -> tuple[float, float]:
    """Run one trial; return seconds from code sent, and from asked, to its first line."""
    asked = time.monotonic()
    (claim,) = await sandbox.run(batch(), lambda _: None)
    assert claim.outcome is Outcome.SUCCEEDED, claim
    printed = float(claim.output_tail.split()[0])
    return printed - stamps.sent, printed - asked


async def latencies(home: Path, claims: int, stamps: Stamps) -> dict[str, Sequence[float]]:
    """Measure hits, then misses, one at a time."""
    figures: dict[str, Sequence[float]] = {}
    async with opened(home, members=2, pool_low=1, pool_high=1) as (sandbox, _):
        await first_line(sandbox, stamps)
        stamps.teardowns.clear()
        found = []
        for _ in range(claims):
            await idle(sandbox, 1)
            await asyncio.sleep(0.05)
            found.append(await first_line(sandbox, stamps))
        assert sandbox.pool_stats.hits == claims, sandbox.pool_stats
        figures["hit: code sent to first line"], figures["hit: asked to first line"] = zip(
            *found, strict=True
        )
    async with opened(home, pool_low=0) as (sandbox, _):
        missed = [await first_line(sandbox, stamps) for _ in range(max(5, claims // 10))]
        figures["miss: code sent to first line"], figures["miss: asked to first line"] = zip(
            *missed, strict=True
        )
    figures["teardown"] = list(stamps.teardowns)
    return figures


async def refill_rate(home: Path) -> tuple[float, list[float]]:
    """Return containers warmed per minute on an idle machine, and MiB of each that waits."""
    async with opened(home, pool_low=REFILLED, pool_high=REFILLED) as (sandbox, leases):
        await sandbox.run(batch(), lambda _: None)
        already, began = sandbox.pool_stats.warmed, time.monotonic()
        await idle(sandbox, REFILLED)
        seconds = time.monotonic() - began
        rate = (sandbox.pool_stats.warmed - already) / seconds * 60
        names = [lease.member_id for lease in leases.live()]
        return rate, await asyncio.to_thread(memory_mib, names)


def memory_mib(names: Sequence[str]) -> list[float]:
    """Return what the engine says each container holds, the page cache apart."""
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    printed = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    used = [line.split("/")[0].strip() for line in printed.splitlines()]
    return [float(each[:-3]) * units[each[-3:]] for each in used]


async def sustained(home: Path, cores: int, trials: int, **options: int) -> tuple[float, float]:
    """Return trials per minute of batches of one trial each, and the hit rate."""
    async with opened(home, members=cores, **options) as (sandbox, _):
        await sandbox.run(batch(), lambda _: None)
        began = time.monotonic()
        await asyncio.gather(
            *(sandbox.run(batch(1, f"c{n % 4}"), lambda _: None) for n in range(trials))
        )
        return trials / (time.monotonic() - began) * 60, sandbox.pool_stats.hit_rate


async def swept(home: Path, cores: int, trials: int) -> float:
    """Return trials per minute of one batch with many points."""
    async with opened(home, members=cores, pool_low=0) as (sandbox, _):
        began = time.monotonic()
        claims = await sandbox.run(batch(trials), lambda _: None)
        assert {claim.outcome for claim in claims} == {Outcome.SUCCEEDED}
        return trials / (time.monotonic() - began) * 60


async def measure(home: Path, claims: int, trials: int) -> None:
    """Print all tables."""
    stamps = Stamps()
    stamps.attach()
    print(head("milliseconds", "p50", "p95", "p99", "n"))
    for name, values in (await latencies(home, claims, stamps)).items():
        cells = [f"{1000 * percentile(values, share):.1f}" for share in (0.5, 0.95, 0.99)]
        print(row(name, *cells, len(values)), flush=True)
    rate, memory = await refill_rate(home)
    print("\n" + head("pool", "value"))
    print(row("containers warmed per minute, nothing else running", f"{rate:.0f}"))
    print(row("MiB of a container that waits", f"{percentile(memory, 0.5):.0f}"), flush=True)
    print("\n" + head("trials per minute", "batches of one", "hit rate", "one sweep"))
    for cores in range(1, (os.cpu_count() or 1) + 1):
        single, hits = await sustained(home, cores, trials)
        sweep = await swept(home, cores, trials)
        print(row(f"{cores} cores", f"{single:.0f}", f"{hits:.2f}", f"{sweep:.0f}"), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} after")


def main(claims: int, trials: int) -> None:
    """Build the data and measure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(machine() + "\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        build_data_set(Settings(home=home), "us-daily")
        asyncio.run(measure(home, claims, trials))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=200)
    parser.add_argument("--trials", type=int, default=40)
    arguments = parser.parse_args()
    main(arguments.claims, arguments.trials)
