"""What the causality test costs for one candidate.

Run ``python -m benchmarks.causality [--rounds N] [--second-runtime runsc]``; needs the engine and
the sandbox image. A compiled template on one symbol, five and a half years of daily bars to train
and three to validate, is put to the test with its default budget. ``build`` is the trusted job that
makes all worlds, from nothing; ``cached`` the same when they are there; ``re-runs`` is everything
else, nearly all of it containers that start cold and trials in them, side by side.
"""

import argparse
import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import structlog
from benchmarks.support.figures import head, machine, row

from stratlab.bootstrap import SystemClock, build_data_set, trusted_jobs
from stratlab.campaigns.causality import CausalityTest, seed_of
from stratlab.campaigns.rerun import Suspect
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.causality import World
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.trial import Engine, Limits, TrialBatch, TrialPurpose, TrialSpec
from stratlab.evaluation import HostEvaluator
from stratlab.generation.templates import load_templates
from stratlab.market_data import Catalogue
from stratlab.market_data.layout import FOLDER, WORLDS
from stratlab.market_data.worlds import WorldCache
from stratlab.sandbox import DockerSandbox
from stratlab.settings import Settings
from stratlab.store import open_repository

TEMPLATE = "ema_cross_atr"
SYMBOL = "IBM"


class TimedWorlds:
    """A cache of worlds that remembers how long each opening took."""

    def __init__(self, cache: WorldCache) -> None:
        self._cache = cache
        self.seconds: list[float] = []
        self.count = 0

    @contextmanager
    def opened(self, worlds: Sequence[World]) -> Iterator[Sequence[str]]:
        """Open and measure."""
        began = time.perf_counter()
        with self._cache.opened(worlds) as names:
            self.seconds.append(time.perf_counter() - began)
            self.count = len(names)
            yield names


async def measure(home: Path, rounds: int, second_runtime: str) -> None:
    """Print the table."""
    settings = Settings(home=home)
    catalogue, repository = Catalogue(home), open_repository(settings.store_url)
    source = compile_to_zipline(load_templates()[TEMPLATE])
    worlds = TimedWorlds(WorldCache(home, partial(trusted_jobs, settings)))
    totals: dict[str, list[float]] = {"fresh": [], "cached": []}
    async with DockerSandbox.open(
        settings.sandbox, home, repository.leases(), catalogue, SystemClock()
    ) as sandbox:
        suspect = await _suspect(sandbox, catalogue, source)
        test = CausalityTest(catalogue, sandbox, worlds, second_runtime=second_runtime)
        if second_runtime:
            await sandbox.prove(second_runtime)
        for _ in range(rounds):
            shutil.rmtree(home / FOLDER / WORLDS, ignore_errors=True)
            for state, seconds in totals.items():
                del state
                began = time.perf_counter()
                evidence = await test.run(suspect)
                seconds.append(time.perf_counter() - began)
                assert evidence.is_clean, evidence.reason
    builds, reads = worlds.seconds[::2], worlds.seconds[1::2]
    print(head("part", "seconds, median", "least", "most"))
    for name, values in (
        (f"build of {worlds.count} worlds", builds),
        ("the same, cached", reads),
        ("re-runs", [each - read for each, read in zip(totals["cached"], reads, strict=True)]),
        ("whole test, fresh", totals["fresh"]),
        ("whole test, cached", totals["cached"]),
    ):
        print(row(name, f"{median(values):.2f}", f"{min(values):.2f}", f"{max(values):.2f}"))
    compared = sum(cut.compared_orders for cut in evidence.cuts)
    print(f"\n{len(evidence.cuts)} cuts, {compared} orders compared: {evidence.reason}.")
    repository.close()


async def _suspect(sandbox: DockerSandbox, catalogue: Catalogue, source: str) -> Suspect:
    results = []
    for tier in (Tier.TRAIN, Tier.VALIDATION):
        span = catalogue.get("us-daily").tiers[tier]
        spec = TrialSpec(
            trial_id=f"bench-{tier}",
            index=0,
            purpose=TrialPurpose.SEARCH,
            market=MarketSet("us-daily", (SYMBOL,)),
            window=Window(tier, span.start, span.end),
            parameters=dict(load_templates()[TEMPLATE].parameters),
            capital=100_000.0,
            cost_model=CostModel(),
        )
        (claim,) = await sandbox.run(TrialBatch("bench", source, (spec,), Limits()), lambda _: None)
        prices = catalogue.prices(spec.market, tier)
        results.append(HostEvaluator().settle(spec, claim, prices))
    return Suspect(
        campaign_id="bench",
        source=source,
        limits=Limits(),
        runtime="runc",
        engine=Engine.FAST,
        results=tuple(results),
        seed=seed_of(0, source),
        notify=lambda _: None,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--second-runtime", default="")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(machine() + "\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        build_data_set(Settings(home=home), "us-daily")
        asyncio.run(measure(home, asked.rounds, asked.second_runtime))


if __name__ == "__main__":
    main()
