"""Other lives, splits and dividends after a cut: what a future must not tell of itself."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.worlds.grid import Grid, filled

_KEPT: Final = 0.5  # share of what happens all the same, at another time
_SHIFT: Final = 15  # sessions, either way
_SPREAD: Final = 0.2  # of amounts
_UNITS: Final = 10_000  # of amounts of dividends


@final
@dataclass(frozen=True, slots=True)
class Lives:
    """When symbols have bars, as numbers of sessions, all of shape (N,).

    Attributes:
        first, last: First and last session.
    """

    first: NDArray[np.intp]
    last: NDArray[np.intp]

    def alive(self, sessions: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether symbols live in sessions, shape (len(sessions), N)."""
        number = sessions[:, None]
        return (number >= self.first) & (number <= self.last)


def redraw_lives(grid: Grid, cut: int, random: np.random.Generator) -> Lives:
    """Return other lives: after session ``cut`` births and deaths are moved, added and removed.

    As large a share dies as truly does; who is dead by then stays so. Some symbol lives to the end.

    Args:
        grid: The tier.
        cut: Number of the last session with a true bar, not the last of all.
        random: Source of randomness.
    """
    first, last = grid.lives()
    end = len(grid.sessions) - 1
    born, died = first <= cut, last < cut
    share = float((last < end).mean())
    keeps = np.where(last < end, random.random(len(last)) < _KEPT, random.random(len(last)) < share)
    dies = keeps & born & ~died
    if (dies | died).all():
        dies[int(np.flatnonzero(~died)[0])] = False
    moved_first = random.integers(cut + 1, end + 1, len(first))
    moved_last = random.integers(cut + 1, end + 1, len(last))
    return Lives(
        np.where(born, first, moved_first),
        np.where(died, last, np.where(dies, moved_last, end)),
    )


def redraw_splits(
    splits: pd.DataFrame, grid: Grid, lives: Lives, cut: int, random: np.random.Generator
) -> pd.DataFrame:
    """Return splits of which those after session ``cut`` are left out or moved anywhere.

    Args:
        splits: Columns symbol, session, ratio.
        grid: The tier.
        lives: Of the new tier.
        cut: Number of the last session with a true bar.
        random: Source of randomness.
    """
    number, column = _places(splits, "session", grid)
    later = number > cut
    moved = random.integers(cut + 1, len(grid.sessions), len(splits))
    happens = random.random(len(splits)) < _KEPT
    inside = (moved > lives.first[column]) & (moved <= lives.last[column])
    changed = splits.copy()
    changed["session"] = grid.sessions[np.where(later, moved, number)]
    changed = changed[~later | (happens & inside)]
    return changed.drop_duplicates(["symbol", "session"])


def redraw_dividends(
    dividends: pd.DataFrame,
    grid: Grid,
    lives: Lives,
    closes: NDArray[np.float64],
    cut: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Return dividends of which those after session ``cut`` have other dates and amounts.

    The yield stays about the same; what would be paid after the last session is not paid.

    Args:
        dividends: Columns symbol, ex_session, pay_session, amount.
        grid: The tier.
        lives: Of the new tier.
        closes: Closes of the new tier, without gaps from a symbol's first bar on, shape (T, N).
        cut: Number of the last session with a true bar.
        random: Source of randomness.
    """
    if dividends.empty:
        # Read from a file without a row, its columns have no types to reckon with.
        return dividends
    number, column = _places(dividends, "ex_session", grid)
    later = number > cut
    end = len(grid.sessions) - 1
    moved = np.clip(number + random.integers(-_SHIFT, _SHIFT + 1, len(number)), cut + 1, end)
    inside = (moved > lives.first[column]) & (moved <= lives.last[column])
    rows = grid.first_rows
    true, new = (
        each[rows[place] - 1, column]
        for each, place in ((filled(grid.bars["close"]), number), (closes, moved))
    )
    factor = new / true * np.exp(_SPREAD * random.standard_normal(len(number)))
    pay = np.searchsorted(grid.sessions, dividends["pay_session"].to_numpy()) - number + moved
    is_paid = (pay <= end) & dividends["pay_session"].notna().to_numpy()
    changed = dividends.copy()
    amounts = np.maximum(np.round(dividends["amount"] * factor * _UNITS), 1.0) / _UNITS
    changed["amount"] = np.where(later, amounts, dividends["amount"])
    changed["ex_session"] = grid.sessions[np.where(later, moved, number)]
    paid = np.where(is_paid, grid.sessions[np.minimum(pay, end)], np.datetime64("NaT"))
    changed["pay_session"] = np.where(later, paid, dividends["pay_session"].to_numpy())
    changed = changed[(~later | inside) & np.isfinite(changed["amount"])]
    return changed.drop_duplicates(["symbol", "ex_session"])


def _places(
    table: pd.DataFrame, time: str, grid: Grid
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return (
        np.searchsorted(grid.sessions, table[time].to_numpy()),
        np.searchsorted(grid.symbols, table["symbol"].to_numpy(dtype=str)),
    )
