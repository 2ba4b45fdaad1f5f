"""Columns of bars adjusted as of a session, exactly as zipline's history windows are."""

from bisect import bisect_right
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from stratlab_runner.fast.day_bars import DayBars

DECIMALS: Final = 3
"""Zipline rounds the windows of equities, volumes included."""


@final
class _Column:
    # One field of one asset; the rows before an adjustment are multiplied by it, one adjustment
    # after the other, so that every product is rounded as zipline's is.
    __slots__ = ("_adjusted", "_applied", "_raw", "_rounded", "_steps", "_whens")

    def __init__(self, raw: NDArray[np.float64], steps: list[tuple[int, float]]) -> None:
        self._raw = raw
        self._steps = steps
        self._whens = [row for row, _ in steps]
        self._applied = 0
        self._adjusted = raw
        self._rounded = np.round(raw, DECIMALS)

    def as_of(self, row: int) -> NDArray[np.float64]:
        known = bisect_right(self._whens, row)
        if known != self._applied:
            self._apply(known)
        return self._rounded

    def _apply(self, known: int) -> None:
        if self._applied == 0 or known < self._applied:
            self._adjusted, self._applied = self._raw.copy(), 0
        for row, ratio in self._steps[self._applied : known]:
            self._adjusted[:row] *= ratio
        self._applied = known
        self._rounded = np.round(self._adjusted, DECIMALS)


@final
class AdjustedBars:
    """Adjusted daily bars, made as they are asked for.

    Args:
        bars: Raw bars.
        adjustment_reader: Zipline's, or None.
    """

    def __init__(self, bars: DayBars, adjustment_reader: Any) -> None:
        self._bars = bars
        self._reader = adjustment_reader
        self._columns: dict[tuple[str, int], _Column] = {}

    def as_of(self, field: str, sid: int, row: int) -> NDArray[np.float64]:
        """Return a whole column, not to be written to; rows up to ``row`` hold.

        Args:
            field: One of open, high, low, close, volume.
            sid: Number of an asset that has bars.
            row: Of the session from which it is looked at: its adjustments are known.
        """
        try:
            column = self._columns[field, sid]
        except KeyError:
            raw = self._bars.values[field][:, self._bars.columns[sid]].astype("float64")
            column = self._columns[field, sid] = _Column(raw, self._steps(field, sid))
        return column.as_of(row)

    def _steps(self, field: str, sid: int) -> list[tuple[int, float]]:
        # Zipline's order: by session, and within one mergers, dividends, splits.
        if self._reader is None:
            return []
        steps = []
        for table in ("mergers", "dividends", "splits"):
            if field == "volume" and table != "splits":
                continue
            for when, ratio in self._reader.get_adjustments_for_sid(table, sid):
                row = int(self._bars.sessions.searchsorted(when))
                steps.append((row, 1.0 / ratio if field == "volume" else ratio))
        return sorted(steps, key=lambda step: step[0])
