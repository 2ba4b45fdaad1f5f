"""What a share is worth at the close of each bar, and how splits and dividends change that."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.market import PricePanel


def closing_prices(prices: "PricePanel") -> "NDArray[np.float64]":
    """Return the mark of every symbol at every bar, shape (T, N); NaN before its first bar.

    A bar without a close is marked with the last one, multiplied by the splits and dividend
    ratios since (:func:`adjustment_ratios`); a symbol that has ended keeps its last mark, whatever
    happens to it later.

    Source: ``DataPortal._get_daily_spot_value`` of zipline-reloaded 3.2.1.
    """
    close = prices.close
    known = ~np.isnan(close)
    rows = np.arange(len(close))[:, None]
    found = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    marks = np.take_along_axis(close, np.maximum(found, 0), axis=0)
    marks[found < 0] = np.nan
    if bool(known.all()):
        return marks
    ended = rows > np.where(known, rows, -1).max(axis=0)
    factor = np.cumprod(adjustment_ratios(prices), axis=0)
    since = factor / np.take_along_axis(factor, np.maximum(found, 0), axis=0)
    stale = (found >= 0) & ~known & ~ended
    marks[stale] *= since[stale]
    # Past its end a symbol keeps the mark of its last bar, which has a close of its own.
    return marks


def adjustment_ratios(prices: "PricePanel") -> "NDArray[np.float64]":
    """Return what prices of earlier bars are multiplied with, shape (T, N); 1 at most bars.

    A split has its own ratio, a dividend 1 minus its amount over the close of the session before
    the ex date; where there is no such close it changes nothing.

    Source: ``SQLiteAdjustmentWriter.calc_dividend_ratios`` of zipline-reloaded 3.2.1.
    """
    ratios = np.ones_like(prices.close)
    sessions = prices.sessions
    row_of = {int(bar): row for row, bar in enumerate(prices.bars)}
    column_of = {symbol: column for column, symbol in enumerate(prices.symbols)}
    for split in prices.splits:
        if split.bar in row_of:
            ratios[row_of[split.bar], column_of[split.symbol]] *= split.ratio
    for dividend in prices.dividends:
        row = row_of.get(dividend.ex_bar, 0)
        if row > 0:
            column = column_of[dividend.symbol]
            first = int(np.searchsorted(sessions, sessions[row - 1]))
            closes = prices.close[first:row, column]
            known = closes[~np.isnan(closes)]
            # Without a close in the session before there is no ratio.
            ratio = 1.0 - dividend.amount / known[-1] if len(known) else 0.0
            if ratio > 0:
                ratios[row, column] *= ratio
    return ratios
