"""Where each asset's life is in the arrays of daily bars."""

import sys
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.fast.day_bars import DayBars


@final
class Life:
    """Rows and moments of one asset.

    Attributes:
        column: Its own.
        first, last: Rows of its first and last bar.
        listed, end: Rows of its first and last session.
        start: First row at which zipline shows it: zipline compares the last minute of a session,
            which may be the midnight of the next one.
        until: Last row at which zipline lets it trade.
        starts_at: Nanoseconds since 1970-01-01 before which zipline shows nothing at a moment.
        closes_at: Nanoseconds since 1970-01-01 at which zipline closes positions in it.
    """

    __slots__ = (
        "_bars", "_closes", "_volumes", "closes_at", "column", "end", "first", "last", "listed",
        "start", "starts_at", "until",
    )  # fmt: skip

    def __init__(
        self, asset: Any, column: int, bars: DayBars, last_minutes: NDArray[np.int64]
    ) -> None:
        self.column = column
        self.first, self.last = bars.lives[column].tolist()
        self.listed = int(bars.sessions.searchsorted(asset.start_date))
        self.starts_at: int = asset.start_date.value
        self.start = int(last_minutes.searchsorted(self.starts_at))
        self.end = _last_row(bars, asset.end_date)
        closing = asset.auto_close_date
        self.closes_at: int = sys.maxsize if closing is None else closing.value
        self.until = self.end if closing is None else min(self.end, _last_row(bars, closing))
        self._bars = bars
        self._closes: NDArray[np.int64] | None = None
        self._volumes: NDArray[np.int64] | None = None

    def last_close(self, row: int) -> int:
        """Return the last row up to one that has a close, -1 when there is none."""
        if self._closes is None:
            closes = self._bars.arrays["close"][self.first : self.last + 1, self.column]
            self._closes = last_true(~np.isnan(closes))
        return self._found(self._closes, row)

    def last_volume(self, row: int) -> int:
        """Return the last row up to one that has volume, -1 when there is none."""
        if self._volumes is None:
            volumes = self._bars.arrays["volume"][self.first : self.last + 1, self.column]
            self._volumes = last_true(volumes != 0)
        return self._found(self._volumes, row)

    def _found(self, known: NDArray[np.int64], row: int) -> int:
        at = min(row, self.last) - self.first
        found = known.item(at) if at >= 0 else -1
        return self.first + found if found >= 0 else -1


def last_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the position of the last true flag up to each, -1 before the first."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1))


def _last_row(bars: DayBars, date: pd.Timestamp) -> int:
    return int(bars.sessions.searchsorted(date, side="right")) - 1
