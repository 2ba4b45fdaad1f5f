"""Other histories that might have been: blocks of real sessions in another order."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.valuation import adjustment_ratios

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.market import PricePanel

MEAN_BLOCK = 60.0
"""Sessions of a block, on average: a quarter, so that what goes on within one stays as it was."""


def bootstrapped_panel(
    prices: "PricePanel", first_row: int, seed: int, mean_block: float = MEAN_BLOCK
) -> "PricePanel":
    """Return daily prices whose changes are blocks of the real ones, for all symbols the same.

    By the stationary bootstrap: blocks begin anywhere on or after ``first_row``, have lengths with
    a geometric distribution, and go on at ``first_row`` behind the last bar. Opens, highs, lows and
    volumes go with the close they belong to. Splits and dividends are in the prices, as changes
    without them; a symbol without a bar keeps its price and does not trade. What was before
    ``first_row`` stays, as history.

    Args:
        prices: Daily bars.
        first_row: First bar that is replaced, at least 1.
        seed: Of the blocks.
        mean_block: Mean length of a block, in sessions.

    Raises:
        InvalidSpecError: The bars are not daily.

    Source: D. N. Politis and J. P. Romano, "The Stationary Bootstrap", Journal of the American
    Statistical Association 89, 1994.
    """
    if prices.intraday_sessions is not None:
        raise InvalidSpecError("only daily bars can be put into another order")
    random = np.random.default_rng(seed)
    count = len(prices.bars) - first_row
    chosen = first_row + _blocks(random, count, mean_block)
    rows = np.concatenate((np.arange(first_row), chosen))
    # Prices without the jumps of splits and dividends: what later ones did to earlier prices.
    ratios = adjustment_ratios(prices)
    later = np.cumprod(ratios[::-1], axis=0)[::-1]
    factor = np.concatenate((later[1:], np.ones((1, later.shape[1]))))
    known = ~np.isnan(prices.close)
    close = prices.close * factor
    last = _carried(close, known)
    before = np.concatenate((np.full((1, close.shape[1]), np.nan), last[:-1]))
    with np.errstate(invalid="ignore"):
        change = close / before
    usable = np.isfinite(change)
    # From the price as it was, so that what is charged by the share weighs as it did.
    start = np.take_along_axis(prices.close, known.argmax(axis=0)[None], axis=0)[0]
    steps = np.where(usable[rows], change[rows], 1.0)
    steps[0] = 1.0
    path = start * np.cumprod(steps, axis=0)
    trades = (usable | _is_first(known))[rows]

    def moved(field: "NDArray[np.float64]") -> "NDArray[np.float64]":
        with np.errstate(invalid="ignore"):
            relative = (field / prices.close)[rows]
        return np.where(trades, path * relative, np.nan)

    return replace(
        prices,
        open=moved(prices.open),
        high=moved(prices.high),
        low=moved(prices.low),
        close=np.where(trades, path, np.nan),
        volume=np.where(trades, prices.volume[rows], 0.0),
        splits=(),
        dividends=(),
        auto_close={},
    )


def _blocks(random: np.random.Generator, count: int, mean_block: float) -> "NDArray[np.intp]":
    begins = random.random(count) < 1.0 / mean_block
    begins[0] = True
    starts = random.integers(count, size=count)
    rows = np.arange(count)
    # Every row goes on from where its block began.
    origin = np.maximum.accumulate(np.where(begins, rows, 0))
    return (starts[origin] + rows - origin) % count


def _carried(values: "NDArray[np.float64]", known: "NDArray[np.bool_]") -> "NDArray[np.float64]":
    rows = np.arange(len(values))[:, None]
    found = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    carried = np.take_along_axis(values, np.maximum(found, 0), axis=0)
    return np.where(found < 0, np.nan, carried)


def _is_first(known: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
    first: NDArray[np.bool_] = known & (np.cumsum(known, axis=0) == 1)
    return first
