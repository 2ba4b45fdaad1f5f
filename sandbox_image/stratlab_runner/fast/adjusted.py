"""Columns of bars adjusted as of a session or minute, exactly as zipline's history windows are."""

from bisect import bisect_right
from typing import Any, Final, NamedTuple, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.fast.day_bars import DayBars
from stratlab_runner.fast.minute_bars import MinuteBars

DECIMALS: Final = 3
"""Zipline rounds the windows of equities, volumes included."""


class _Step(NamedTuple):
    # From ``place`` on, the rows before ``row`` are multiplied by ``ratio``.
    place: int
    row: int
    ratio: float


@final
class _Column:
    # One field of one asset, multiplied by one adjustment after the other, so that every product
    # is rounded as zipline's is.
    __slots__ = ("_adjusted", "_applied", "_places", "_raw", "_rounded", "_steps")

    def __init__(self, raw: NDArray[np.float64], steps: list[_Step]) -> None:
        self._raw = raw
        self._steps = steps
        self._places = [step.place for step in steps]
        self._applied = 0
        self._adjusted = raw
        self._rounded = np.round(raw, DECIMALS)

    def as_of(self, place: int) -> NDArray[np.float64]:
        known = bisect_right(self._places, place)
        if known != self._applied:
            self._apply(known)
        return self._rounded

    def _apply(self, known: int) -> None:
        if self._applied == 0 or known < self._applied:
            self._adjusted, self._applied = self._raw.copy(), 0
        for step in self._steps[self._applied : known]:
            self._adjusted[: step.row] *= step.ratio
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
            raw = self._bars.arrays[field][:, self._bars.columns[sid]].astype("float64")
            steps = []
            for when, ratio in _adjustments(self._reader, field, sid):
                at = int(self._bars.sessions.searchsorted(when))
                steps.append(_Step(at, at, ratio))
            column = self._columns[field, sid] = _Column(raw, _ordered(steps))
        return column.as_of(row)


@final
class AdjustedMinutes:
    """Adjusted intraday bars, made as they are asked for.

    Args:
        bars: Raw bars.
        every: All minutes of the calendar, nanoseconds since 1970-01-01.
        adjustment_reader: Zipline's, or None.
    """

    def __init__(self, bars: MinuteBars, every: NDArray[np.int64], adjustment_reader: Any) -> None:
        self._bars = bars
        self._every = every
        self._reader = adjustment_reader
        self._columns: dict[tuple[str, int], _Column] = {}

    def as_of(self, field: str, sid: int, place: int) -> NDArray[np.float64]:
        """Return a whole column, not to be written to; bars up to ``place`` hold.

        Args:
            field: One of open, high, low, close, volume.
            sid: Number of an asset that has bars.
            place: Number of the minute from which it is looked at.
        """
        try:
            column = self._columns[field, sid]
        except KeyError:
            raw = self._bars.arrays[field][:, self._bars.columns[sid]].astype("float64")
            steps = []
            for when, ratio in _adjustments(self._reader, field, sid):
                at = int(self._every.searchsorted(when.value))
                steps.append(_Step(at, int(self._bars.places.searchsorted(at)), ratio))
            column = self._columns[field, sid] = _Column(raw, _ordered(steps))
        return column.as_of(place)


def _adjustments(reader: Any, field: str, sid: int) -> list[tuple[pd.Timestamp, float]]:
    # Zipline's order: mergers, dividends, splits.
    if reader is None:
        return []
    if field == "volume":
        splits = reader.get_adjustments_for_sid("splits", sid)
        return [(when, 1.0 / ratio) for when, ratio in splits]
    return [
        (when, ratio)
        for table in ("mergers", "dividends", "splits")
        for when, ratio in reader.get_adjustments_for_sid(table, sid)
    ]


def _ordered(steps: list[_Step]) -> list[_Step]:
    # By place alone: those of one session or minute keep their order.
    return sorted(steps, key=lambda step: step.place)
