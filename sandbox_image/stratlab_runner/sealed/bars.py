"""Daily bars that are filled in session by session, raw and adjusted as of the last one."""

from typing import Final, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.fast.adjusted import DECIMALS, AdjustedBars
from stratlab_runner.fast.day_bars import FIELDS, PRICES, DayBars

EVER: Final = 1 << 40
"""The row of an end that is not known."""

_THOUSANDTH: Final = 0.001
_PLACES: Final = {name: at for at, name in enumerate(FIELDS)}
_CLOSE: Final = _PLACES["close"]
_VOLUME: Final = _PLACES["volume"]


@final
class _Adjusted:
    # One field of all assets, adjusted as of the last session; the products are not rounded.
    __slots__ = ("exact", "rounded")

    def __init__(self, raw: NDArray[np.float64]) -> None:
        self.exact = raw
        self.rounded = np.round(raw, DECIMALS)

    def multiply(self, row: int, column: int, ratio: float) -> None:
        exact = self.exact[:row, column]
        exact *= ratio
        self.rounded[:row, column] = np.round(exact, DECIMALS)


@final
class LiveBars:
    """Bars of one market; what is not known yet is no bar.

    Args:
        sessions: All that there will be, without time zone.
        most_assets: Assets that there will be at most.
        adjustment_reader: Zipline's, of the same market.

    Attributes:
        day_bars: The raw bars, as the fast engine reads them.
        row: Of the last session that is known, -1 before the first.
    """

    def __init__(
        self, sessions: pd.DatetimeIndex, most_assets: int, adjustment_reader: object
    ) -> None:
        # Asset after asset, because windows are of one asset.
        self._prices = np.full((len(PRICES), most_assets, len(sessions)), np.nan)
        self._volumes = np.zeros((most_assets, len(sessions)), "uint32")
        arrays = {name: self._prices[at].T for at, name in enumerate(PRICES)}
        arrays["volume"] = self._volumes.T
        self.row = -1
        self._lives = np.full((most_assets, 2), (EVER, -1))
        rows = {value: row for row, value in enumerate(sessions.asi8.tolist())}
        self.day_bars = DayBars(sessions, {}, arrays, self._lives, rows)
        self._adjustment_reader = adjustment_reader
        self._alive = np.zeros(most_assets, "bool")
        self._last_close = np.full(most_assets, -1)
        self._last_volume = np.full(most_assets, -1)
        self._adjusted: dict[str, _Adjusted] = {}
        self._steps: list[tuple[int, int, float, bool]] = []

    def enter(self, sid: int) -> int:
        """List an asset and return its column."""
        columns = self.day_bars.columns
        return columns.setdefault(sid, len(columns))

    def begin(self, sid: int) -> None:
        """Take note that an asset's first bar is the one that comes next."""
        column = self.day_bars.columns[sid]
        self._lives[column] = self.row + 1
        self._alive[column] = True

    def end(self, sid: int) -> None:
        """Take note that an asset has had its last bar."""
        self._alive[self.day_bars.columns[sid]] = False

    def adjust(self, sid: int, ratio: float, *, is_split: bool) -> None:
        """Multiply an asset's past as of the session that comes next.

        Args:
            sid: Number of the asset.
            ratio: Of prices; volumes are divided by it.
            is_split: Whether it applies to volumes too.
        """
        step = self.row + 1, self.day_bars.columns[sid], ratio, is_split
        self._steps.append(step)
        for field, adjusted in self._adjusted.items():
            _apply(step, field, adjusted)

    def add(self, numbers: NDArray[np.uint32]) -> None:
        """Take the bars of the next session.

        Args:
            numbers: Open, high, low, close in thousandths (0: no bar) and volume, each of all
                listed assets.
        """
        self.row = row = self.row + 1
        count = numbers.shape[1]
        bars = numbers * _THOUSANDTH
        bars[_VOLUME] = numbers[_VOLUME]
        if numbers.all():
            self._last_close[:count] = self._last_volume[:count] = row
        else:
            bars[:_VOLUME][numbers[:_VOLUME] == 0] = np.nan
            self._last_close[:count][numbers[_CLOSE] != 0] = row
            self._last_volume[:count][numbers[_VOLUME] != 0] = row
        self._prices[:, :count, row] = bars[:_VOLUME]
        self._volumes[:count, row] = numbers[_VOLUME]
        if self._adjusted:
            rounded = np.round(bars, DECIMALS)
            for field, adjusted in self._adjusted.items():
                at = _PLACES[field]
                adjusted.exact[row, :count] = bars[at]
                adjusted.rounded[row, :count] = rounded[at]
        self._lives[self._alive, 1] = row

    def last_raw_close(self, sid: int) -> float:
        """Return the raw close of the last session, NaN where there is none."""
        if self.row < 0:
            return np.nan
        return float(self.day_bars.arrays["close"][self.row, self.day_bars.columns[sid]])

    def last_close(self, column: int, row: int) -> int:
        """Return the last row up to one that has a close, -1 when there is none."""
        if row >= self.row:
            return int(self._last_close[column])
        (found,) = (~np.isnan(self.day_bars.arrays["close"][: row + 1, column])).nonzero()
        return int(found[-1]) if len(found) else -1

    def last_volume(self, column: int, row: int) -> int:
        """Return the last row up to one that has volume, -1 when there is none."""
        if row >= self.row:
            return int(self._last_volume[column])
        (found,) = self.day_bars.arrays["volume"][: row + 1, column].nonzero()
        return int(found[-1]) if len(found) else -1

    def as_of(self, field: str, sid: int, row: int) -> NDArray[np.float64]:
        """Return a whole column, as :meth:`AdjustedBars.as_of` does."""
        if row < self.row:
            return AdjustedBars(self.day_bars, self._adjustment_reader).as_of(field, sid, row)
        adjusted = self._adjusted.get(field)
        if adjusted is None:
            adjusted = _Adjusted(self.day_bars.arrays[field].astype("float64"))
            for step in self._steps:
                _apply(step, field, adjusted)
            self._adjusted[field] = adjusted
        return adjusted.rounded[:, self.day_bars.columns[sid]]


def _apply(step: tuple[int, int, float, bool], field: str, adjusted: _Adjusted) -> None:
    row, column, ratio, is_split = step
    if field != "volume":
        adjusted.multiply(row, column, ratio)
    elif is_split:
        adjusted.multiply(row, column, 1.0 / ratio)
