"""Zipline's interface of a daily bar reader over dense arrays."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline.data.bar_reader import NoDataAfterDate, NoDataBeforeDate, NoDataOnDate
from zipline.data.session_bars import CurrencyAwareSessionBarReader

from stratlab_runner.fast.day_bars import DayBars


@final
class DayBarReader(CurrencyAwareSessionBarReader):  # type: ignore[misc]  # zipline has no types
    """Daily bars from arrays, exactly as zipline's own reader gives them.

    Args:
        bars: What to read.
        stock: The reader that they were compiled from.
    """

    def __init__(self, bars: DayBars, stock: Any) -> None:
        self.bars = bars
        self._trading_calendar = stock.trading_calendar
        self._first_trading_day = stock.first_trading_day

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """All sessions that the bars cover."""
        return self.bars.sessions

    @property
    def last_available_dt(self) -> pd.Timestamp:
        """The last session."""
        return self.bars.sessions[-1]

    @property
    def trading_calendar(self) -> Any:
        """Zipline's calendar instance."""
        return self._trading_calendar

    @property
    def first_trading_day(self) -> pd.Timestamp:
        """The first session with a bar."""
        return self._first_trading_day

    def load_raw_arrays(
        self,
        columns: Sequence[str],
        start_date: pd.Timestamp,
        end_date: pd.Timestamp,
        assets: Sequence[Any],
    ) -> list[NDArray[Any]]:
        """Return one array (sessions x assets) for each column, raw.

        Raises:
            NoDataOnDate: A date is no session of the bars.
            ValueError: None of the assets is known.
        """
        span = slice(self._row(start_date), self._row(end_date) + 1)
        known = self.bars.columns
        places = [known.get(int(asset), -1) for asset in assets]
        if all(place < 0 for place in places):
            raise ValueError("At least one valid asset id is required.")
        unknown = [number for number, place in enumerate(places) if place < 0]
        arrays = []
        for name in columns:
            array = self.bars.arrays[name][span, places]
            array[:, unknown] = 0 if name == "volume" else np.nan
            arrays.append(array)
        return arrays

    def get_value(self, sid: Any, dt: pd.Timestamp, field: str) -> Any:
        """Return a raw value: a price, NaN where there is no bar, or a volume.

        Raises:
            KeyError: The asset is unknown.
            NoDataOnDate: The session is none, or not within the asset's bars.
        """
        try:
            row = self.bars.rows[dt.value]
        except KeyError as error:
            raise NoDataOnDate(f"day={dt} is outside of calendar={self.sessions}") from error
        column = self.bars.columns[int(sid)]
        first, last = self.bars.lives[column].tolist()
        if row < first:
            raise NoDataBeforeDate(f"No data on or before day={dt} for sid={sid}")
        if row > last:
            raise NoDataAfterDate(f"No data on or after day={dt} for sid={sid}")
        return self.bars.arrays[field].item(row, column)

    def get_last_traded_dt(self, asset: Any, day: pd.Timestamp) -> pd.Timestamp:
        """Return the last session up to ``day`` with volume, NaT when there is none."""
        row = self.bars.rows.get(day.value)
        if row is None:
            return pd.NaT
        column = self.bars.columns[int(asset)]
        first, last = self.bars.lives[column].tolist()
        (traded,) = self.bars.arrays["volume"][first : min(row, last) + 1, column].nonzero()
        if not len(traded):
            return pd.NaT
        found = first + int(traded[-1])
        return day if found == row else self.sessions[found]

    def currency_codes(self, sids: Sequence[Any]) -> NDArray[Any]:
        """Return the currency of each asset, None for one that is not known."""
        known = self.bars.columns
        codes = ["USD" if int(sid) in known else None for sid in sids]
        return np.array(codes, dtype=object)

    def _row(self, date: pd.Timestamp) -> int:
        # As zipline's reader, whose sessions have no time zone.
        row = None if date.tzinfo is not None else self.bars.rows.get(date.value)
        if row is None:
            raise NoDataOnDate(date)
        return row
