"""Sealed replays in the real sandbox: equal for the honest, of no use to cheats, no byte ahead."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.sealed.attacks import ATTACKS, PEEKER, SLEEPER, Attack
from tests.sealed.searching import found_in_memory, patterns

from stratlab.bootstrap import SystemClock
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.trial import (
    Limits,
    Outcome,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)
from stratlab.evaluation.evaluator import HostEvaluator
from stratlab.generation.templates import load_templates
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import Settings
from stratlab.store import open_repository

pytestmark = [pytest.mark.docker, pytest.mark.load]

MARKET = MarketSet("us-daily", ("AAPL", "GOOG", "IBM", "MSFT"))
# With the first day of GOOG, splits of AAPL, and dividends of IBM and MSFT.
WINDOW = Window(Tier.TRAIN, date(2004, 6, 1), date(2005, 5, 31))


class Replay(NamedTuple):
    """What came out of one replay."""

    claim: TrialClaim
    result: TrialResult


def batch(source: str, window: Window = WINDOW, runtime: str = "runc") -> TrialBatch:
    trial = TrialSpec(
        trial_id="t0",
        index=0,
        purpose=TrialPurpose.ADHOC,
        market=MARKET,
        window=window,
        parameters={},
        capital=100_000.0,
        cost_model=CostModel(),
    )
    return TrialBatch("sealed", source, (trial,), Limits(max_leverage=3.0), runtime)


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[DockerSandbox]:
    settings = Settings(home=home)
    repository = open_repository(settings.store_url)
    changed = settings.sandbox.model_copy(update={"pool_low": 0})
    async with DockerSandbox.open(
        changed, home, repository.leases(), Catalogue(home), SystemClock(), alone=True
    ) as sandbox:
        yield sandbox
    repository.close()


def settled(home: Path, work: TrialBatch, claim: TrialClaim) -> TrialResult:
    trial = work.trials[0]
    prices = Catalogue(home).prices(trial.market, trial.window.tier)
    return HostEvaluator().settle(trial, claim, prices, work.limits)


@pytest.fixture(scope="module")
def replays(us_daily_home: Path) -> dict[str, Replay]:
    """Of all attacks, and of the peeker; several at a time."""
    works = {attack.name: batch(attack.source) for attack in ATTACKS} | {"peeker": batch(PEEKER)}

    async def run() -> dict[str, Replay]:
        async with opened(us_daily_home) as sandbox:
            claims = await asyncio.gather(
                *(sandbox.run_sealed(work, lambda _: None) for work in works.values())
            )
        return {
            name: Replay(claim, settled(us_daily_home, work, claim))
            for (name, work), (claim,) in zip(works.items(), claims, strict=True)
        }

    return asyncio.run(run())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_cheat_is_found_out(attack: Attack, replays: dict[str, Replay]) -> None:
    result = replays[attack.name].result
    assert (result.outcome, result.reason) == (attack.outcome, result.reason)
    assert attack.reason in result.reason


def test_peeker_finds_nothing(replays: dict[str, Replay]) -> None:
    """By gc, the portal, raw arrays, the finder, tables, mounts, and other connections."""
    claim, result = replays["peeker"]
    assert result.outcome is Outcome.SUCCEEDED, result
    told = [json.loads(line) for line in claim.output_tail.splitlines() if line.startswith("{")]
    assert told[-1]["looks"] >= 240
    assert told[-1]["found"] == {}


def same(home: Path, source: str, window: Window = WINDOW, runtime: str = "runc") -> TrialResult:
    work = batch(source, window, runtime)

    async def both() -> tuple[TrialClaim, TrialClaim]:
        async with opened(home) as sandbox:
            (plain,) = await sandbox.run(work, lambda _: None)
            (sealed,) = await sandbox.run_sealed(work, lambda _: None)
        return plain, sealed

    plain, sealed = asyncio.run(both())
    for name in ("outcome", "log", "fills", "equity"):
        assert getattr(plain, name) == getattr(sealed, name), name
    return settled(home, work, sealed)


def test_honest_strategy_does_the_same_sealed_and_is_settled_alike(us_daily_home: Path) -> None:
    source = compile_to_zipline(load_templates()["ema_cross_atr"])
    result = same(us_daily_home, source)
    assert result.outcome is Outcome.SUCCEEDED, result
    assert len(result.fills) > 5
    assert result.metrics is not None


@pytest.mark.gvisor
def test_honest_strategy_does_the_same_under_gvisor(us_daily_home: Path) -> None:
    source = compile_to_zipline(load_templates()["ema_cross_atr"])
    window = Window(Tier.TRAIN, date(2004, 6, 1), date(2004, 12, 31))
    assert same(us_daily_home, source, window, "runsc").outcome is Outcome.SUCCEEDED


def test_memory_and_mounts_hold_no_bar_to_come(us_daily_home: Path) -> None:
    """Every process of the container is searched, while the strategy stands still."""
    work = batch(SLEEPER.replace("SECONDS", "600"))
    prices = Catalogue(us_daily_home).prices(MARKET, Tier.TRAIN)
    known, ahead = patterns(prices, WINDOW.start, seen=60)

    async def search() -> tuple[dict[str, int], dict[str, int], list[str]]:
        async with opened(us_daily_home) as sandbox:
            bars: list[int] = []
            task = asyncio.create_task(
                sandbox.run_sealed(work, lambda progress: bars.append(progress.bar))
            )
            try:
                return await asyncio.to_thread(found_in_memory, "sealed", known, ahead)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    found, leaked, mounts = asyncio.run(search())
    assert mounts == ["/run/stratlab"]
    assert all(found.values()), found
    assert not any(leaked.values()), leaked


async def test_world_cannot_be_replayed_sealed(us_daily_home: Path) -> None:
    work = batch(PEEKER)
    trial = dataclasses.replace(work.trials[0], world="w1")
    async with opened(us_daily_home) as sandbox:
        with pytest.raises(InvalidSpecError, match="cannot be replayed sealed"):
            await sandbox.run_sealed(dataclasses.replace(work, trials=(trial,)), lambda _: None)
