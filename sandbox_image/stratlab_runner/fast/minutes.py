"""What zipline shows of intraday bars at a moment, from dense arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab_runner.fast.adjusted import AdjustedMinutes
from stratlab_runner.fast.lives import Life, last_true
from stratlab_runner.fast.minute_bars import MinuteBars

if TYPE_CHECKING:
    from stratlab_runner.fast.portal import FastPortal


@final
@dataclass(frozen=True, slots=True)
class Moment:
    """Where a moment is in the arrays.

    Attributes:
        dt: The moment itself.
        row: Of its session.
        place: Its number among the calendar's minutes, None when it is none of them.
        bar: Number of the bar that ends then, -1 when there is none.
        seen: How many bars have ended.
    """

    dt: pd.Timestamp
    row: int
    place: int | None
    bar: int
    seen: int


@final
class Minutes:
    """Values and windows of intraday bars, exactly as zipline's portal gives them.

    Args:
        bars: Raw bars.
        portal: Knows sessions and lives, and adjusts single values.
    """

    def __init__(self, bars: MinuteBars, portal: "FastPortal") -> None:
        self._bars = bars
        self._portal = portal
        self._calendar = calendar = portal.trading_calendar
        self._every = calendar.minutes_nanos
        self._adjusted = AdjustedMinutes(bars, self._every, portal.adjustment_reader)
        # Zipline's windows begin at the midnight of the first session, and not before its first
        # minute, whichever is later.
        begin = max(portal.first_minute.value, portal.first_session.value)
        self._first = int(self._every.searchsorted(begin))
        self._trades: dict[int, NDArray[np.int64]] = {}
        self._latest: Moment | None = None

    def moment(self, dt: pd.Timestamp) -> Moment | None:
        """Return where a moment with a time zone is, None outside the bars' sessions."""
        latest = self._latest
        if latest is not None and latest.dt is dt:
            return latest
        row = self._portal.row(dt) if dt.tzinfo is not None else None
        if row is None:
            return None
        now = dt.value
        place: int | None = int(self._every.searchsorted(now))
        if place == len(self._every) or self._every[place] != now:
            place = None
        seen = int(self._bars.minutes.searchsorted(now, side="right"))
        is_bar = seen > 0 and self._bars.minutes[seen - 1] == now
        self._latest = found = Moment(dt, row, place, seen - 1 if is_bar else -1, seen)
        return found

    def value(self, asset: Any, life: Life, field: str, moment: Moment) -> Any:
        """Return a field of an asset at a moment; NotImplemented where that is not proven.

        Args:
            asset: An equity that has bars.
            life: Its own.
            field: Among open, high, low, close, volume, price, last_traded.
            moment: When.
        """
        if field == "last_traded":
            bar = self._last_trade(asset, life, moment.seen)
            return pd.NaT if bar < 0 else self._when(bar)
        if moment.dt.value < life.starts_at or moment.row > life.end:
            return 0 if field == "volume" else np.nan
        if field == "price":
            return self._price(asset, life, moment)
        if moment.place is None:
            return NotImplemented
        if moment.bar < 0:
            return 0 if field == "volume" else np.nan
        return self._bars.arrays[field].item(moment.bar, self._bars.columns[asset.sid])

    def window(
        self, assets: Sequence[Any], field: str, bar_count: int, moment: Moment
    ) -> NDArray[np.float64] | None:
        """Return minutes x assets up to a moment, adjusted as of it; None if unproven.

        Args:
            assets: At least one, all with bars.
            field: Among open, high, low, close, volume, price.
            bar_count: Number of minutes of the calendar.
            moment: The last one.
        """
        if moment.place is None or moment.place + 1 - bar_count < self._first:
            return None
        start = moment.place + 1 - bar_count
        first = int(self._bars.places.searchsorted(start))
        at = self._bars.places[first : moment.seen] - start
        source = "close" if field == "price" else field
        out = np.full((bar_count, len(assets)), 0.0 if field == "volume" else np.nan)
        for number, asset in enumerate(assets):
            column = self._adjusted.as_of(source, asset.sid, moment.place)
            out[at, number] = column[first : moment.seen]
            if field == "price":
                self._fill(out[:, number], asset, start, moment)
        return out

    def day_window(
        self, assets: Sequence[Any], field: str, bar_count: int, moment: Moment
    ) -> NDArray[np.float64] | None:
        """Return sessions x assets, the last one up to a moment; None if unproven.

        Args:
            assets: At least one, all with bars.
            field: Among open, high, low, close, volume, price.
            bar_count: Number of sessions.
            moment: In the last one.
        """
        if moment.place is None:
            return None
        out = self._portal.past_sessions(assets, field, bar_count, moment.row)
        if out is None:
            return None
        begin = self._portal.first_minute_of(moment.row)
        first = int(self._bars.minutes.searchsorted(begin))
        source = "close" if field == "price" else field
        for number, asset in enumerate(assets):
            life = self._portal.life(asset)
            assert life is not None  # past_sessions knew them all
            out[-1, number] = self._so_far(asset, life, source, first, moment)
            if field == "price":
                self._portal.fill(out[:, number], asset, life, moment.row + 1 - bar_count, 1)
        return out

    def index(self, bar_count: int, moment: Moment) -> pd.DatetimeIndex:
        """Return the minutes of a window."""
        assert moment.place is not None  # a window was made
        end = moment.place + 1
        return self._calendar.minutes[end - bar_count : end]

    def _so_far(self, asset: Any, life: Life, field: str, first: int, moment: Moment) -> float:
        # The session up to now as one bar, raw.
        if not life.listed <= moment.row <= life.end:
            return 0.0 if field == "volume" else np.nan
        column = self._bars.columns[asset.sid]
        bars = self._bars.arrays[field][first : moment.seen, column]
        if field == "volume":
            return float(bars.sum(dtype="int64"))
        bars = bars[~np.isnan(bars)]
        if not len(bars):
            return np.nan
        if field in {"open", "close"}:
            return float(bars[0 if field == "open" else -1])
        return float(bars.max() if field == "high" else bars.min())

    def _price(self, asset: Any, life: Life, moment: Moment) -> float:
        closes, column = self._bars.arrays["close"], self._bars.columns[asset.sid]
        if moment.bar >= 0:
            value = closes.item(moment.bar, column)
            if value == value:  # noqa: PLR0124 - NaN
                return float(value)
        bar = self._last_trade(asset, life, moment.seen)
        if bar < 0:
            return np.nan
        when, value = self._when(bar), closes.item(bar, column)
        if when.date() == moment.dt.date():
            return float(value)
        ratio = self._portal.get_adjustments(asset, "close", when, moment.dt)[0]
        return float(value * ratio)

    def _fill(self, out: NDArray[np.float64], asset: Any, start: int, moment: Moment) -> None:
        if np.isnan(out[0]):
            out[0] = self._price_before(asset, start, moment)
        missing = np.isnan(out)
        if missing.any():
            last = np.maximum.accumulate(np.where(missing, 0, np.arange(len(out))))
            out[:] = out[last]
        if moment.dt.value >= asset.end_date.value:
            after = (asset.end_date + pd.Timedelta(days=1)).value
            out[max(int(self._every.searchsorted(after)) - start, 0) :] = np.nan

    def _price_before(self, asset: Any, start: int, moment: Moment) -> float:
        first = self._calendar.minutes[start]
        life, begin = self._portal.life(asset), self.moment(first)
        self._latest = moment
        if life is None or begin is None:
            return np.nan
        bar = self._last_trade(asset, life, begin.seen)
        if bar < 0:
            return np.nan
        when = self._when(bar)
        value = self._bars.arrays["close"].item(bar, self._bars.columns[asset.sid])
        if when.value < life.starts_at or (self._portal.row(when) or 0) > life.end:
            return np.nan
        ratio = self._portal.get_adjustments(asset, "price", when, moment.dt)[0]
        return float(value * ratio)

    def _last_trade(self, asset: Any, life: Life, seen: int) -> int:
        column = self._bars.columns[asset.sid]
        trades = self._trades.get(column)
        if trades is None:
            trades = self._trades[column] = last_true(self._bars.arrays["volume"][:, column] != 0)
        bar = trades.item(seen - 1) if seen else -1
        # Zipline does not look before the asset's first day.
        return bar if bar >= 0 and self._bars.minutes[bar] >= life.starts_at else -1

    def _when(self, bar: int) -> pd.Timestamp:
        return pd.Timestamp(self._bars.minutes.item(bar), tz="UTC")
