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
from tests.sealed.attacks import ATTACKS, PEEKER, Attack

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
HONEST = compile_to_zipline(load_templates()["ema_cross_atr"])
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


class Session(NamedTuple):
    """All that ran in one sandbox.

    Attributes:
        replays: Of each attack, of the peeker, and of the honest one.
        mounted: The honest one with its tier mounted.
        refused: Why a trial in a world was refused.
    """

    replays: dict[str, Replay]
    mounted: TrialClaim
    refused: str


@pytest.fixture(scope="module")
def session(us_daily_home: Path) -> Session:
    """Several replays at a time."""
    return asyncio.run(_session(us_daily_home))


async def _session(home: Path) -> Session:
    works = {attack.name: batch(attack.source) for attack in ATTACKS}
    works |= {"peeker": batch(PEEKER), "honest": batch(HONEST)}
    world = dataclasses.replace(works["honest"].trials[0], world="w1")
    async with opened(home) as sandbox:
        claims = await asyncio.gather(
            *(sandbox.run_sealed(work, lambda _: None) for work in works.values())
        )
        (mounted,) = await sandbox.run(works["honest"], lambda _: None)
        try:
            elsewhere = dataclasses.replace(works["honest"], trials=(world,))
            await sandbox.run_sealed(elsewhere, lambda _: None)
        except InvalidSpecError as error:
            refused = error.message
    replays = {
        name: Replay(claim, settled(home, work, claim))
        for (name, work), (claim,) in zip(works.items(), claims, strict=True)
    }
    return Session(replays, mounted, refused)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_cheat_is_found_out(attack: Attack, session: Session) -> None:
    result = session.replays[attack.name].result
    assert result.outcome is attack.outcome, result.reason
    assert attack.reason in result.reason


def test_peeker_finds_nothing(session: Session) -> None:
    """By gc, the portal, raw arrays, the finder, tables, mounts, and other connections."""
    claim, result = session.replays["peeker"]
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    told = [json.loads(line) for line in claim.output_tail.splitlines() if line.startswith("{")]
    assert told[-1]["looks"] >= 240
    assert told[-1]["found"] == {}


def test_honest_strategy_does_the_same_sealed_and_is_settled_alike(session: Session) -> None:
    claim, result = session.replays["honest"]
    for name in ("outcome", "log", "fills", "equity"):
        assert getattr(claim, name) == getattr(session.mounted, name), name
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    assert len(result.fills) > 5
    assert result.metrics is not None


def test_world_cannot_be_replayed_sealed(session: Session) -> None:
    assert "cannot be replayed sealed" in session.refused


@pytest.mark.gvisor
def test_honest_strategy_does_the_same_under_gvisor(us_daily_home: Path) -> None:
    work = batch(HONEST, Window(Tier.TRAIN, date(2004, 6, 1), date(2004, 12, 31)), "runsc")

    async def both() -> tuple[TrialClaim, TrialClaim]:
        async with opened(us_daily_home) as sandbox:
            (plain,) = await sandbox.run(work, lambda _: None)
            (sealed,) = await sandbox.run_sealed(work, lambda _: None)
        return plain, sealed

    plain, sealed = asyncio.run(both())
    assert sealed.outcome is Outcome.SUCCEEDED, sealed.reason
    assert (plain.log, plain.fills, plain.equity) == (sealed.log, sealed.fills, sealed.equity)
