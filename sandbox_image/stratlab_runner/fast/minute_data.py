"""What strategies see as ``data`` in intraday data: zipline's BarData, answered from arrays."""

from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline._protocol import BarData

from stratlab_runner.fast.bar_data import FastBarData
from stratlab_runner.fast.minutes import Minutes, Moment


@final
class MinuteBarData(FastBarData):
    """The fast BarData over minutes.

    In ``before_trading_start`` zipline shows the minute before, adjusted as of now.
    """

    _before: bool = False
    _by_first: bool = False
    _exchange: tuple[Any, str, bool] | None = None

    @property
    def _handle_non_market_minutes(self) -> bool:
        return self._before

    @_handle_non_market_minutes.setter
    def _handle_non_market_minutes(self, is_before: bool) -> None:
        # Zipline's own switch, which its own methods look at.
        BarData._handle_non_market_minutes.__set__(self, is_before)  # noqa: SLF001 - see above
        self._before = is_before
        self._seen = None

    @property
    def _minutes(self) -> Minutes:
        minutes = self._portal.minutes
        assert minutes is not None  # else no moment was found
        return minutes

    def _find(self, now: pd.Timestamp) -> Moment | None:
        if self._portal.minutes is None:
            return None
        if self._before:
            now = self._portal.trading_calendar.previous_minute(now)
        moment = self._minutes.moment(now)
        return moment if moment is not None and moment.place is not None else None

    def _life(self, asset: Any) -> Any:
        return self._portal.minute_life(asset)

    def _value(self, asset: Any, field: str, place: Any) -> Any:
        value = self._minutes.value(asset, self._life(asset), field, place)
        if not self._before:
            return value
        if field == "last_traded":  # which zipline tries to adjust
            return NotImplemented
        return value * self._portal.get_adjustments(asset, field, place.dt, self._now())[0]

    def _made(
        self, assets: list[Any], field: str, bar_count: int, frequency: str, place: Any
    ) -> NDArray[np.float64] | None:
        if frequency == "1d":
            window = self._minutes.day_window(assets, field, bar_count, place)
        elif frequency == "1m":
            window = self._minutes.window(assets, field, bar_count, place)
        else:
            return None
        if window is not None and self._before:
            ratios = self._portal.get_adjustments(assets, field, place.dt, self._now())
            window = window * (ratios[0] if self._by_first else np.array(ratios))
        return window

    def _index(self, bar_count: int, frequency: str, place: Any) -> pd.DatetimeIndex:
        if frequency == "1d":
            return self._portal.days(place.row, bar_count)
        return self._minutes.index(bar_count, place)

    def _several_fields(
        self, assets: Any, fields: Any, bar_count: Any, frequency: Any
    ) -> pd.DataFrame | None:
        # Before trading zipline then adjusts all assets by the ratio of the first one.
        self._by_first = True
        try:
            return super()._several_fields(assets, fields, bar_count, frequency)
        finally:
            self._by_first = False

    def _is_tradable(self, asset: Any, place: Any) -> bool:
        if self._restrictions is not None and self._restrictions.is_restricted(asset, place.dt):
            return False
        life, now = self._life(asset), self._now()
        row = place.row if not self._before else self._portal.row(now)
        if row is None or not life.listed <= row <= life.until or not self._is_open(asset, now):
            return False
        price = self._minutes.value(asset, life, "price", place)
        return bool(price == price)  # noqa: PLR0124 - NaN

    def _is_open(self, asset: Any, now: pd.Timestamp) -> bool:
        known = self._exchange
        if known is None or known[0] is not now or known[1] != asset.exchange:
            calendar = self._portal.trading_calendar
            moment = now if calendar.is_open_on_minute(now) else calendar.next_open(now)
            self._exchange = known = (now, asset.exchange, asset.is_exchange_open(moment))
        return known[2]

    def _is_stale(self, asset: Any, place: Any) -> bool:
        life = self._life(asset)
        if not asset.is_alive_for_session(self._now().normalize()):
            return False
        if self._minutes.value(asset, life, "volume", place) > 0:
            return False
        return self._minutes.value(asset, life, "last_traded", place) is not pd.NaT
