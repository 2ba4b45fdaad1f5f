"""Intraday bars as dense arrays over the minutes at which any asset has one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
from numpy.typing import NDArray
from zipline.data.bar_reader import NoDataForSid

from stratlab_runner.fast.day_bars import FIELDS

MAX_CELLS: Final = 2_000_000
"""Bars times assets that are kept in memory (80 MB); beyond them stock zipline reads minutes."""

_CHUNK: Final = 100_000
_SECOND: Final = 10**9


@final
@dataclass(frozen=True, slots=True)
class MinuteBars:
    """Raw intraday bars of a bundle.

    Attributes:
        minutes: When the bars end, nanoseconds since 1970-01-01, ascending.
        places: Number of each among all minutes of the calendar.
        columns: Number of an asset -> its column.
        arrays: Field -> bars x assets, as zipline's reader loads them.
    """

    minutes: NDArray[np.int64]
    places: NDArray[np.int64]
    columns: dict[int, int]
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def compile(cls, reader: Any, labels: NDArray[np.int64], sids: Sequence[int]) -> Self | None:
        """Read everything that a bundle has; None where that is too much for memory.

        Args:
            reader: Zipline's BcolzMinuteBarReader.
            labels: When the bars end, UTC epoch seconds.
            sids: Assets of the bundle.
        """
        if len(labels) * len(sids) > MAX_CELLS:
            return None
        calendar = reader.trading_calendar
        first = calendar.session_first_minute(reader.first_trading_day)
        known = [sid for sid in sids if _has_bars(reader, first, sid)]
        every, wanted = calendar.minutes_nanos, labels * _SECOND
        shape = (len(labels), len(known))
        arrays = {
            field: np.empty(shape, "uint32" if field == "volume" else "float64") for field in FIELDS
        }
        for start, end in _chunks(calendar, every, reader):
            rows = slice(*np.searchsorted(wanted, [every[start], every[end - 1] + 1]).tolist())
            inside = np.searchsorted(every[start:end], wanted[rows])
            moments = calendar.minutes[start], calendar.minutes[end - 1]
            for field, array in zip(
                FIELDS, reader.load_raw_arrays(list(FIELDS), *moments, known), strict=True
            ):
                arrays[field][rows] = array[inside]
        columns = {sid: column for column, sid in enumerate(known)}
        return cls(wanted, np.searchsorted(every, wanted), columns, arrays)


def _has_bars(reader: Any, first: Any, sid: int) -> bool:
    try:
        reader.get_value(sid, first, "volume")
    except NoDataForSid:
        return False
    return True


def _chunks(calendar: Any, every: NDArray[np.int64], reader: Any) -> Iterator[tuple[int, int]]:
    # Whole sessions, so many at a time that their minutes fit into memory with ease.
    first = int(calendar.sessions.get_loc(reader.first_trading_day))
    last = int(calendar.last_minutes_nanos.searchsorted(reader.last_available_dt.value))
    numbers = slice(first, last + 1)
    begins = np.searchsorted(every, calendar.first_minutes_nanos[numbers]).tolist()
    ends = (np.searchsorted(every, calendar.last_minutes_nanos[numbers]) + 1).tolist()
    start = 0
    while start < len(begins):
        last = start
        while last + 1 < len(begins) and ends[last + 1] - begins[start] <= _CHUNK:
            last += 1
        yield begins[start], ends[last]
        start = last + 1
