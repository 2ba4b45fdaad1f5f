"""A strategy gives the same orders wherever it runs: alone or in a sweep, runtime, engine."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random

import pytest
import pytest_asyncio
from tests.sandbox.real import RealSandbox
from tests.suites.sandbox_suite import ignore, suite_trial

from stratlab.contract.space import Grid
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import MarketSet, Tier, Window
from stratlab.domain.trial import Engine, Limits, Order, Outcome, TrialBatch, TrialClaim, TrialSpec
from stratlab.evaluation.order_log import orders_digest
from stratlab.generation.templates import load_templates

# The sandbox of the module lives on its event loop.
pytestmark = [pytest.mark.docker, pytest.mark.load, pytest.mark.asyncio(loop_scope="module")]

MARKET = MarketSet("us-daily", ("AAPL", "IBM", "MSFT"))
LAST_DAYS = {True: date(2006, 12, 29), False: date(2003, 12, 31)}
"""By whether the suite runs at full size."""
LEAST_ORDERS = 20
DRAWS = 5
SEED = 11


@dataclass(frozen=True)
class Family:
    """Strategies that share a source: points of one template, and what each ordered in a sweep."""

    work: TrialBatch
    digests: tuple[str, ...]

    def alone(self, **changes: str) -> list[TrialBatch]:
        """A batch for each."""
        return [replace(self.work, trials=(trial,), **changes) for trial in self.work.trials]


def orders_of(claim: TrialClaim) -> int:
    assert claim.outcome is Outcome.SUCCEEDED, f"{claim.outcome}: {claim.reason}"
    return sum(isinstance(entry, Order) for entry in claim.log)


async def digests(real: RealSandbox, batches: Sequence[TrialBatch]) -> list[str]:
    runs = await asyncio.gather(*(real.sandbox.run(work, ignore) for work in batches))
    claims = [claim for run in runs for claim in run]
    assert min(map(orders_of, claims)) >= LEAST_ORDERS
    return [orders_digest(claim.log) for claim in claims]


async def family(
    real: RealSandbox, name: str, count: int, window: Window, random: Random
) -> Family:
    """Draw points of a template until enough of them order enough."""
    contract = load_templates()[name]
    grid = Grid(contract)
    work = TrialBatch("same", compile_to_zipline(contract), (), Limits())
    trials: list[TrialSpec] = []
    found: list[str] = []
    for draw in range(DRAWS):
        points = map(grid.point, random.sample(range(grid.size), count))
        some = tuple(
            replace(suite_trial(f"{name}-{draw}-{n}"), market=MARKET, window=window, parameters=p)
            for n, p in enumerate(points)
        )
        claims = await real.sandbox.run(replace(work, trials=some), ignore)
        busy = [
            pair for pair in zip(some, claims, strict=True) if orders_of(pair[1]) >= LEAST_ORDERS
        ]
        trials += [trial for trial, _ in busy]
        found += [orders_digest(claim.log) for _, claim in busy]
        if len(trials) >= count:
            return Family(replace(work, trials=tuple(trials[:count])), tuple(found[:count]))
    raise AssertionError(f"{name} hardly ever orders")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def families(real: RealSandbox, full_size: bool) -> list[Family]:
    """5 strategies of two templates, or 50 of all."""
    counts = [9, 9, 8, 8, 8, 8] if full_size else [3, 2]
    window, random = Window(Tier.TRAIN, date(2001, 6, 1), LAST_DAYS[full_size]), Random(SEED)
    return [
        await family(real, name, count, window, random)
        for name, count in zip(load_templates(), counts, strict=False)
    ]


async def test_alone_and_in_a_sweep(real: RealSandbox, families: list[Family]) -> None:
    alone = await digests(real, [work for family in families for work in family.alone()])
    assert alone == [digest for family in families for digest in family.digests]
    assert len(set(alone)) > 1


async def test_fast_and_stock_engine(real: RealSandbox, families: list[Family]) -> None:
    stock = [replace(family.work, engine=Engine.STOCK) for family in families]
    assert await digests(real, stock) == [
        digest for family in families for digest in family.digests
    ]


@pytest.mark.gvisor
async def test_runc_and_gvisor(real: RealSandbox, families: list[Family], full_size: bool) -> None:
    swept = [replace(family.work, runtime="runsc") for family in families]
    alone = [work for family in families for work in family.alone(runtime="runsc")]
    assert await digests(real, alone if full_size else swept) == [
        digest for family in families for digest in family.digests
    ]
