"""Zipline's data portal with daily windows and values taken from dense arrays."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline.assets import Asset, Equity

from stratlab_runner.fast.adjusted import AdjustedBars
from stratlab_runner.fast.day_bars import FIELDS, DayBars
from stratlab_runner.fast.lives import Life
from stratlab_runner.fast.minute_bars import MinuteBars
from stratlab_runner.fast.minutes import Minutes
from stratlab_runner.fast.tally import Tally
from stratlab_runner.portal import SessionPortal

WINDOW_FIELDS: Final = frozenset((*FIELDS, "price"))
SPOT_FIELDS: Final = WINDOW_FIELDS | {"last_traded"}
_SECOND: Final = 10**9


class FastPortal(SessionPortal):
    """Zipline's portal; what it can prove comes from arrays, all else from zipline.

    Args:
        bars: Daily bars of every asset.
        minutes: Intraday bars of every asset, None where there are none in memory.
        tally: Counts what falls back.
        asset_finder: Zipline's.
        options: Of zipline's portal; its daily reader reads the same bars.
    """

    def __init__(
        self,
        bars: DayBars,
        minutes: MinuteBars | None,
        tally: Tally,
        asset_finder: Any,
        **options: Any,
    ) -> None:
        super().__init__(asset_finder, **options)
        self.tally = tally
        self._minute_columns = {} if minutes is None else minutes.columns
        self._bars = bars
        self._arrays = bars.arrays
        self._adjusted = AdjustedBars(bars, self._adjustment_reader)
        self._lives: dict[Any, Life | None] = {}
        calendar = self.trading_calendar
        sessions = calendar.sessions
        # Row of a session in the bars plus this is its number in the calendar.
        self._offset = int(sessions.searchsorted(bars.sessions[0]))
        self._first_row = int(bars.sessions.searchsorted(self._first_trading_day))
        numbers = slice(self._offset, self._offset + len(bars.sessions))
        self._first_minutes = calendar.first_minutes_nanos[numbers]
        self._last_minutes = calendar.last_minutes_nanos[numbers]
        every = calendar.last_minutes_nanos
        self._begin = int(every[self._offset - 1]) if self._offset else 0
        self._end = int(self._last_minutes[-1])
        self._split_days: frozenset[int] | None = None
        self._days: tuple[int, int, pd.DatetimeIndex] | None = None
        self.minutes = None if minutes is None else Minutes(minutes, self)

    @property
    def first_minute(self) -> pd.Timestamp:
        """The first minute of the data."""
        return self._first_trading_minute

    @property
    def first_session(self) -> pd.Timestamp:
        """The first session of the data."""
        return self._first_trading_day

    def first_minute_of(self, row: int) -> int:
        """Return the first minute of a session, nanoseconds since 1970-01-01."""
        return int(self._first_minutes[row])

    def row(self, dt: pd.Timestamp) -> int | None:
        """Return the row of a session, or of the session that a moment belongs to, if any."""
        if dt.tzinfo is None:
            return self._bars.rows.get(dt.value)
        # As the calendar does: a moment between two sessions belongs to the later one.
        now = dt.value
        if not self._begin < now <= self._end:
            return None
        return int(self._last_minutes.searchsorted(now))

    def life(self, asset: Any) -> Life | None:
        """Return where an asset is in the arrays, None if it is not there."""
        try:
            return self._lives[asset]
        except KeyError:
            pass
        column = self._bars.columns.get(asset.sid) if isinstance(asset, Equity) else None
        life = None if column is None else Life(asset, column, self._bars, self._last_minutes)
        self._lives[asset] = life
        return life

    def minute_life(self, asset: Any) -> Life | None:
        """Return where an asset is in the arrays, None if its intraday bars are not there."""
        is_known = isinstance(asset, Equity) and asset.sid in self._minute_columns
        return self.life(asset) if is_known else None

    def session_value(self, asset: Any, life: Life, field: str, row: int) -> Any:
        """Return a field of an asset in a session, as zipline's portal does in daily data.

        Args:
            asset: An equity.
            life: Its own.
            field: Among open, high, low, close, volume, price, last_traded.
            row: Of the session.
        """
        if field == "last_traded":
            found = life.last_volume(row)
            return pd.NaT if found < 0 else self._bars.sessions[found]
        if not life.start <= row <= life.end:
            return 0 if field == "volume" else np.nan
        if not life.first <= row <= life.last:
            return np.nan
        if field != "price":
            return self._arrays[field].item(row, life.column)
        value = self._arrays["close"].item(row, life.column)
        return value if value == value else self._stale_price(asset, life, row)  # noqa: PLR0124 - NaN

    def value_at(self, asset: Any, life: Life, field: str, dt: pd.Timestamp, row: int) -> Any:
        """Return the same at a moment, which may come before the midnight of its session.

        Args:
            asset: An equity.
            life: Its own.
            field: As for :meth:`session_value`.
            dt: The moment, or the name of a session.
            row: Of its session.
        """
        if dt.tzinfo is not None and dt.value < life.starts_at and field != "last_traded":
            return 0 if field == "volume" else np.nan
        return self.session_value(asset, life, field, row)

    def get_spot_value(self, assets: Any, field: str, dt: pd.Timestamp, data_frequency: str) -> Any:
        """Return a field of one asset or several, as zipline does."""
        if isinstance(assets, Asset):
            return self.get_scalar_asset_spot_value(assets, field, dt, data_frequency)
        if isinstance(assets, Iterable) and not isinstance(assets, str):
            return [
                self.get_scalar_asset_spot_value(asset, field, dt, data_frequency)
                for asset in assets
            ]
        with self.tally.fallback("get_spot_value"):
            return super().get_spot_value(assets, field, dt, data_frequency)

    def get_scalar_asset_spot_value(
        self, asset: Any, field: str, dt: pd.Timestamp, data_frequency: str
    ) -> Any:
        """Return a field of one asset, as zipline does."""
        if data_frequency == "daily" and field in SPOT_FIELDS:
            life, row = self.life(asset), self.row(dt)
            if life is not None and row is not None:
                return self.value_at(asset, life, field, dt, row)
        elif self.minutes is not None and field in SPOT_FIELDS:
            moment, life = self.minutes.moment(dt), self.minute_life(asset)
            if moment is not None and life is not None:
                value = self.minutes.value(asset, life, field, moment)
                if value is not NotImplemented:
                    return value
        with self.tally.fallback("get_scalar_asset_spot_value"):
            return super().get_scalar_asset_spot_value(asset, field, dt, data_frequency)

    def get_history_window(
        self,
        assets: Any,
        end_dt: pd.Timestamp,
        bar_count: int,
        frequency: str,
        field: str,
        data_frequency: str,
        ffill: bool = True,  # noqa: FBT001, FBT002 - zipline's signature
    ) -> pd.DataFrame:
        """Return past bars, as zipline does."""
        if data_frequency == "daily" and frequency == "1d" and type(assets) in {list, tuple}:
            row = self.row(end_dt)
            window = None if row is None else self.window(assets, field, bar_count, row)
            if row is not None and window is not None:
                return pd.DataFrame(window, index=self.days(row, bar_count), columns=assets)
        with self.tally.fallback("get_history_window"):
            return super().get_history_window(
                assets, end_dt, bar_count, frequency, field, data_frequency, ffill
            )

    def window(
        self, assets: Sequence[Any], field: str, bar_count: int, row: int
    ) -> NDArray[np.float64] | None:
        """Return sessions x assets, adjusted as of the last session, or None if unproven.

        Args:
            assets: At least one.
            field: Among open, high, low, close, volume, price.
            bar_count: Number of sessions.
            row: Of the last one.
        """
        start = row + 1 - bar_count
        if field not in WINDOW_FIELDS or bar_count < 1 or start < self._first_row or not assets:
            return None
        out = np.empty((bar_count, len(assets)))
        source = "close" if field == "price" else field
        for number, asset in enumerate(assets):
            life = self.life(asset)
            if life is None:
                return None
            out[:, number] = self._adjusted.as_of(source, asset.sid, row)[start : row + 1]
            if field == "price":
                self.fill(out[:, number], asset, life, start)
        return out

    def days(self, row: int, bar_count: int) -> pd.DatetimeIndex:
        """Return the sessions up to one, without time zone.

        Args:
            row: Of the last one.
            bar_count: Their number.
        """
        known = self._days
        if known is None or known[0] != row or known[1] != bar_count:
            end = row + 1 + self._offset
            days = self.trading_calendar.sessions[end - bar_count : end]
            self._days = known = (row, bar_count, days)
        # A strategy may name what it gets.
        return known[2].view()

    def get_splits(self, assets: Any, dt: pd.Timestamp) -> list[tuple[Any, float]]:
        """Return the splits of a session, as zipline does."""
        if self._split_days is None:
            self._split_days = self._read_split_days()
        if not assets or dt.value // _SECOND not in self._split_days:
            return []
        splits: list[tuple[Any, float]] = super().get_splits(assets, dt)
        return splits

    def _read_split_days(self) -> frozenset[int]:
        if self._adjustment_reader is None:
            return frozenset()
        rows = self._adjustment_reader.conn.execute("SELECT effective_date FROM splits")
        return frozenset(int(day) for (day,) in rows)

    def _stale_price(self, asset: Any, life: Life, row: int) -> float:
        found = life.last_close(row)
        if found < 0:
            return np.nan
        sessions = self._bars.sessions
        value = self._arrays["close"].item(found, life.column)
        ratio = self.get_adjustments(asset, "price", sessions[found], sessions[row])[0]
        return float(value * ratio)

    def past_sessions(
        self, assets: Sequence[Any], field: str, bar_count: int, row: int
    ) -> NDArray[np.float64] | None:
        """Return sessions x assets, of which the last is still to be filled in.

        Args:
            assets: At least one.
            field: Among open, high, low, close, volume, price.
            bar_count: Number of sessions.
            row: Of the last one, from whose first minute the others are looked at.
        """
        start = row + 1 - bar_count
        if start < self._first_row:
            return None
        out = np.empty((bar_count, len(assets)))
        source = "close" if field == "price" else field
        for number, asset in enumerate(assets):
            if self.life(asset) is None:
                return None
            out[:-1, number] = self._adjusted.as_of(source, asset.sid, row)[start:row]
        return out

    def fill(
        self, out: NDArray[np.float64], asset: Any, life: Life, start: int, before: int = 0
    ) -> None:
        """Forward-fill prices of sessions, from before the first one too, as zipline does.

        Args:
            out: One for each session; those after the end of the asset's life become NaN.
            asset: An equity.
            life: Its own.
            start: Row of the first session.
            before: How many sessions earlier zipline begins to look for the last trade.
        """
        row = start + len(out) - 1
        if np.isnan(out[0]):
            out[0] = self._price_before(asset, life, start - before, row)
        missing = np.isnan(out)
        if missing.any():
            last = np.maximum.accumulate(np.where(missing, 0, np.arange(len(out))))
            out[:] = out[last]
        if row >= life.end:
            out[max(life.end + 1 - start, 0) :] = np.nan

    def _price_before(self, asset: Any, life: Life, until: int, row: int) -> float:
        # The last trade is found by its volume, the price at it by the close.
        found = life.last_volume(until) if until >= 0 else -1
        if found < 0:
            return np.nan
        sessions = self._bars.sessions
        value = self.session_value(asset, life, "price", found)
        ratio = self.get_adjustments(asset, "price", sessions[found], sessions[row])[0]
        return float(value * ratio)
