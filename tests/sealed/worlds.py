"""Made-up prices for the controller's side of a sealed replay."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from stratlab.domain.market import (
    CostModel,
    DataSet,
    Dividend,
    MarketSet,
    PricePanel,
    Split,
    Tier,
    TierRange,
    Window,
)
from stratlab.domain.trial import TrialPurpose, TrialSpec

FIRST = date(2020, 1, 1)
DAY = 86_400
SYMBOLS = ("AAA", "BBB", "CCC")


def day(number: int) -> date:
    """The day of a bar; every day is a session."""
    return FIRST + timedelta(days=number)


def label(number: int) -> int:
    """The label of a bar."""
    return int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp()) + number * DAY


def panel(
    present: NDArray[np.bool_],
    seed: int = 0,
    splits: tuple[Split, ...] = (),
    dividends: tuple[Dividend, ...] = (),
) -> PricePanel:
    """Prices where ``present`` (bars x symbols) says so."""
    generator = np.random.default_rng(seed)
    close = np.round(generator.uniform(5, 500, present.shape), 3)
    bars = np.array([label(number) for number in range(len(present))])
    prices = np.where(present, close, np.nan)
    return PricePanel(
        bars=bars,
        symbols=SYMBOLS[: present.shape[1]],
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        volume=np.where(present, generator.integers(1, 10**6, present.shape), 0).astype("float64"),
        splits=splits,
        dividends=dividends,
    )


def data_set(prices: PricePanel, timeframe: str = "1d") -> DataSet:
    """The data set that they come from."""
    last = day(len(prices.bars) - 1)
    return DataSet(
        "made-up", "d" * 64, prices.symbols, timeframe, "24/7", FIRST,
        {Tier.TRAIN: TierRange(FIRST, last)}, "made up",
    )  # fmt: skip


def trial(first: int, last: int, symbols: tuple[str, ...] = ("AAA",)) -> TrialSpec:
    """A trial from one bar to another, both included."""
    return TrialSpec(
        trial_id="t0",
        index=0,
        purpose=TrialPurpose.ADHOC,
        market=MarketSet("made-up", symbols),
        window=Window(Tier.TRAIN, day(first), day(last)),
        parameters={},
        capital=1000.0,
        cost_model=CostModel(),
    )
