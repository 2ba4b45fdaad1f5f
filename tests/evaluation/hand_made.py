"""Hand-made panels, order logs and specs for the tests of evaluation."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from stratlab.domain.market import (
    CostModel,
    CostModelKind,
    MarketSet,
    PricePanel,
    Tier,
    Window,
)
from stratlab.domain.trial import Cancel, Order, OrderKind, Phase, TrialPurpose, TrialSpec
from stratlab.evaluation.repricing import Repricing, reprice

FIRST_DAY = date(2003, 1, 1)
CAPITAL = 100_000.0
FREE = CostModel(slippage_bps=0.0, commission_per_share=0.0, volume_limit=1.0)
COSTLY = CostModel(slippage_bps=100.0, commission_per_share=0.01, volume_limit=1.0)
ZIPLINE = CostModel(CostModelKind.ZIPLINE)
VOLUME = 1_000_000


def day(row):
    return FIRST_DAY + timedelta(days=row)


def bar(row):
    """The label of a row; every calendar day is a session here."""
    moment = day(row)
    return int(datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp())


def panel(quotes, *, splits=(), dividends=(), auto_close=None):
    """A panel of symbol -> rows of (open, high, low, close[, volume]); None is no bar."""
    count = max(len(rows) for rows in quotes.values())
    fields = np.full((5, count, len(quotes)), np.nan)
    fields[4] = 0.0
    for column, rows in enumerate(quotes.values()):
        for row, quote in enumerate(rows):
            if quote is not None:
                fields[:, row, column] = (*quote, VOLUME)[:5]
    return PricePanel(
        np.array([bar(row) for row in range(count)], dtype=np.int64),
        tuple(quotes),
        *fields,
        splits=tuple(splits),
        dividends=tuple(dividends),
        auto_close=auto_close or {},
    )


def flat(*prices):
    """Bars whose four prices are equal."""
    return [(price,) * 4 for price in prices]


def order(number, row, amount, kind=OrderKind.MARKET, *, symbol="AAA", early=False, **levels):
    phase = Phase.BEFORE_OPEN if early else Phase.BAR
    return Order(number, bar(row), phase, symbol, amount, kind, **levels)


def cancel(number, row, *, early=False):
    return Cancel(number, bar(row), Phase.BEFORE_OPEN if early else Phase.BAR)


def bracket(row, amount, stop=None, take=None, *, early=False):
    """An entry with its legs, numbered from 1."""
    log = [order(1, row, amount, early=early)]
    for kind, distance in ((OrderKind.BRACKET_STOP, stop), (OrderKind.BRACKET_TAKE, take)):
        if distance is not None:
            log.append(
                order(len(log) + 1, row, -amount, kind, early=early, parent=1, distance=distance)
            )
    return log


def window(prices, first=0):
    return Window(Tier.TRAIN, day(first), day(len(prices.bars) - 1))


def replay(log, prices, costs=FREE, first=0, capital=CAPITAL) -> Repricing:
    return reprice(log, prices, window(prices, first), capital, costs)


def fills_of(repriced):
    """Fills as (number, row, amount, price)."""
    rows = {int(label): row for row, label in enumerate(repriced.bars)}
    return [(fill.number, rows[fill.bar], fill.amount, fill.price) for fill in repriced.fills]


def spec(prices, costs=FREE, **changes):
    values = {
        "trial_id": "t-1",
        "index": 0,
        "purpose": TrialPurpose.SEARCH,
        "market": MarketSet("hand-made", prices.symbols),
        "window": window(prices),
        "parameters": {},
        "capital": CAPITAL,
        "cost_model": costs,
    }
    return TrialSpec(**{**values, **changes})
