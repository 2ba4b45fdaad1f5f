"""Scrambles the future of a tier: the same market up to a cut, another plausible one after it."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.worlds.actions import redraw_dividends, redraw_lives, redraw_splits
from stratlab_runner.worlds.grid import FIELDS, Grid, filled
from stratlab_runner.worlds.paths import Moves, draw_against, draw_rows, walk


@final
@dataclass(frozen=True, slots=True)
class Cut:
    """After which bar a tier is another, and how.

    Attributes:
        label: UTC epoch seconds of the label of the last true bar.
        seed: Of everything that is drawn.
        against: Symbol whose price is to move the other way than it did, "" for none.
        bars: Over how many of its bars after the cut.
    """

    label: int
    seed: int
    against: str = ""
    bars: int = 1


@final
@dataclass(frozen=True, slots=True)
class Market:
    """The tables of a tier.

    Attributes:
        prices: Columns symbol, session, open, high, low, close and volume, and label where bars
            are intraday; ordered by symbol and time.
        splits: Columns symbol, session, ratio.
        dividends: Columns symbol, ex_session, pay_session, amount; NaT is never paid.
    """

    prices: pd.DataFrame
    splits: pd.DataFrame
    dividends: pd.DataFrame


def scramble(market: Market, cut: Cut) -> Market:
    """Return a market that is the same up to a bar, and another one after it.

    Bars are drawn from the whole tier, whole sessions in blocks and for all symbols together, and
    stretched at random, so that none is a copy; volumes keep their level, prices their ticks.
    Births, deaths, splits and dividends after the cut come at other times or not at all. The
    sessions are the same. Equal arguments give equal tables.

    Args:
        market: Of the whole tier, and nothing after it.
        cut: Where and how. At or after the last bar nothing changes.
    """
    grid = Grid.of(market.prices, market.splits)
    first = int(np.searchsorted(grid.labels, _moment(cut.label), side="right"))
    last_true = int(grid.session_of[max(first - 1, 0)])
    if first == 0 or last_true == len(grid.sessions) - 1:
        return market
    random = np.random.default_rng([cut.seed, cut.label])
    lives = redraw_lives(grid, last_true, random)
    alive = lives.alive(grid.session_of[first:])
    moves = Moves.of(grid)
    if cut.against in grid.symbols:
        column = grid.symbols.index(cut.against)
        rows, mirrored = draw_against(grid, moves, first, alive, random, column, cut.bars)
    else:
        rows, mirrored = draw_rows(grid, first, alive, random), bool(random.random() < 0.5)  # noqa: PLR2004 - a coin
    splits = redraw_splits(market.splits, grid, lives, last_true, random)
    ratios = grid.split_ratios(splits)
    bars = walk(grid, moves, rows, ratios, random, mirrored=mirrored)
    bars = {name: np.where(alive, values, np.nan) for name, values in bars.items()}
    closes = filled(np.vstack([grid.bars["close"][:first], bars["close"]]))
    return Market(
        _joined(market.prices, grid, first, bars),
        splits,
        redraw_dividends(market.dividends, grid, lives, closes, last_true, random),
    )


def _joined(
    prices: pd.DataFrame, grid: Grid, first: int, bars: dict[str, NDArray[np.float64]]
) -> pd.DataFrame:
    time = "label" if "label" in prices else "session"
    column, row = (~np.isnan(bars["close"])).T.nonzero()
    after = pd.DataFrame(
        {
            "symbol": np.array(grid.symbols, dtype=object)[column],
            "label": grid.labels[first:][row],
            "session": grid.sessions[grid.session_of[first:][row]],
            **{name: bars[name][row, column] for name in FIELDS},
        }
    )
    after["volume"] = after["volume"].astype(prices["volume"].dtype)
    before = prices[prices[time].to_numpy() < grid.labels[first]]
    joined = pd.concat([before, after[list(prices.columns)]], ignore_index=True)
    return joined.sort_values(["symbol", time], ignore_index=True)


def _moment(seconds: int) -> np.datetime64:
    return np.datetime64(seconds, "s")
