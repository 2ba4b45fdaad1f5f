"""Bars of a tier as dense arrays: what scrambling reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PRICES: Final = ("open", "high", "low", "close")
FIELDS: Final = (*PRICES, "volume")


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """All bars of a tier; a bar that a symbol does not have is NaN.

    Attributes:
        symbols: Column order, sorted.
        labels: Label of each row, ascending, shape (T,); of daily bars the session.
        sessions: Every session with a bar, ascending, shape (S,).
        session_of: Number of each row's session, shape (T,).
        bars: Field -> float64, shape (T, N).
        ratios: What the prices before a row are multiplied with to be those of the row, because
            of splits, shape (T, N).
    """

    symbols: tuple[str, ...]
    labels: NDArray[np.datetime64]
    sessions: NDArray[np.datetime64]
    session_of: NDArray[np.intp]
    bars: Mapping[str, NDArray[np.float64]]
    ratios: NDArray[np.float64]

    @classmethod
    def of(cls, prices: pd.DataFrame, splits: pd.DataFrame) -> Self:
        """Arrange tables.

        Args:
            prices: Columns symbol, session and :data:`FIELDS`, and label where bars are intraday.
            splits: Columns symbol, session, ratio.
        """
        times = prices["label" if "label" in prices else "session"].to_numpy()
        labels, row = np.unique(times, return_inverse=True)
        symbols, column = np.unique(prices["symbol"].to_numpy(dtype=str), return_inverse=True)
        of_row = np.empty(len(labels), prices["session"].to_numpy().dtype)
        of_row[row] = prices["session"].to_numpy()
        sessions, session_of = np.unique(of_row, return_inverse=True)
        bars = {}
        for name in FIELDS:
            bars[name] = np.full((len(labels), len(symbols)), np.nan)
            bars[name][row, column] = prices[name].to_numpy("float64")
        grid = cls(
            tuple(symbols.tolist()),
            labels,
            sessions,
            session_of,
            bars,
            np.ones((len(labels), len(symbols))),
        )
        grid.ratios[:] = grid.split_ratios(splits)
        return grid

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there is a bar, shape (T, N)."""
        return ~np.isnan(self.bars["close"])

    @property
    def first_rows(self) -> NDArray[np.intp]:
        """The first row of each session, shape (S,)."""
        return np.searchsorted(self.session_of, np.arange(len(self.sessions)))

    def split_ratios(self, splits: pd.DataFrame) -> NDArray[np.float64]:
        """Return the ratios of a table of splits at the first row of their sessions."""
        ratios = np.ones((len(self.labels), len(self.symbols)))
        sessions = np.searchsorted(self.sessions, splits["session"].to_numpy())
        columns = np.searchsorted(self.symbols, splits["symbol"].to_numpy(dtype=str))
        for session, column, ratio in zip(sessions, columns, splits["ratio"], strict=True):
            if session < len(self.sessions):
                ratios[self.first_rows[session], column] *= ratio
        return ratios

    def lives(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the numbers of each symbol's first and last session, both of shape (N,)."""
        known = self.known
        first = self.session_of[known.argmax(axis=0)]
        last = self.session_of[len(known) - 1 - known[::-1].argmax(axis=0)]
        return first, last


def filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with every NaN replaced by the value above it, if there is one."""
    rows = np.arange(len(values))[:, None]
    found = np.maximum.accumulate(np.where(np.isnan(values), 0, rows), axis=0)
    return np.take_along_axis(values, found, axis=0)
