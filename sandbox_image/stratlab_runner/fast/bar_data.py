"""What strategies see as ``data`` in daily data: zipline's BarData, answered from arrays."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline._protocol import BarData
from zipline.assets import Equity
from zipline.finance.asset_restrictions import NoRestrictions

from stratlab_runner.fast.frames import window_frame
from stratlab_runner.fast.portal import SPOT_FIELDS, WINDOW_FIELDS, FastPortal


class FastBarData(BarData):  # type: ignore[misc]  # zipline has no types
    """Zipline's BarData; a call that is not proven goes to zipline's own method and is counted.

    Args:
        data_portal: Ours.
        simulation_dt_func: Returns the current moment.
        data_frequency: ``daily``.
        trading_calendar: Zipline's calendar instance.
        restrictions: Of the run.
    """

    def __init__(
        self,
        data_portal: FastPortal,
        simulation_dt_func: Callable[[], pd.Timestamp],
        data_frequency: str,
        trading_calendar: Any,
        restrictions: Any,
    ) -> None:
        super().__init__(
            data_portal, simulation_dt_func, data_frequency, trading_calendar, restrictions
        )
        self._portal = data_portal
        self._tally = data_portal.tally
        self._now = simulation_dt_func
        self._restrictions = None if type(restrictions) is NoRestrictions else restrictions
        self._seen: pd.Timestamp | None = None
        self._seen_place: Any = None

    def current(self, assets: Any, fields: Any) -> Any:
        """Return current values, as zipline does."""
        self._tally.calls += 1
        place = self._place()
        answer = NotImplemented if place is None else self._current(assets, fields, place)
        if answer is not NotImplemented:
            return answer
        with self._tally.fallback("current"):
            return super().current(assets, fields)

    def history(self, assets: Any, fields: Any, bar_count: Any, frequency: Any) -> Any:
        """Return a trailing window, as zipline does."""
        self._tally.calls += 1
        answer = None
        if type(fields) is str:
            answer = self._one_field(assets, fields, bar_count, frequency)
        elif _are_among(fields, WINDOW_FIELDS) and len(set(fields)) == len(fields):
            answer = self._several_fields(assets, fields, bar_count, frequency)
        if answer is not None:
            return answer
        with self._tally.fallback("history"):
            return super().history(assets, fields, bar_count, frequency)

    def can_trade(self, assets: Any) -> Any:
        """Return whether assets can be traded now, as zipline does."""
        self._tally.calls += 1
        place = self._place()
        if place is not None:
            if self._are_known([assets]):
                return self._is_tradable(assets, place)
            if self._are_known(assets):
                flags = [self._is_tradable(asset, place) for asset in assets]
                return pd.Series(data=flags, index=assets, dtype=bool)
        with self._tally.fallback("can_trade"):
            return super().can_trade(assets)

    def is_stale(self, assets: Any) -> Any:
        """Return whether assets live but did not trade in this bar, as zipline does."""
        self._tally.calls += 1
        place = self._place()
        if place is not None:
            if self._are_known([assets]):
                return self._is_stale(assets, place)
            if self._are_known(assets):
                return pd.Series(data={asset: self._is_stale(asset, place) for asset in assets})
        with self._tally.fallback("is_stale"):
            return super().is_stale(assets)

    @property
    def current_session(self) -> pd.Timestamp:
        """The current session, without time zone."""
        row = self._portal.row(self._now())
        return super().current_session if row is None else self._portal.days(row, 1)[0]

    def _window(
        self, assets: Any, field: str, bar_count: int, frequency: str
    ) -> NDArray[np.float64]:
        # What lab.window asks for: bars x assets, or the bars of one asset.
        self._tally.calls += 1
        window = self._bars(assets, field, bar_count, frequency)
        if window is None:
            with self._tally.fallback("window"):
                history = super().history(assets, field, bar_count, frequency)
                return np.array(history, dtype="float64")
        return window[:, 0] if isinstance(assets, Equity) else window

    # What daily and intraday data do in their own way; a place is where the current moment is in
    # the arrays, None where they cannot answer.

    def _find(self, now: pd.Timestamp) -> Any:
        return self._portal.row(now)

    def _life(self, asset: Any) -> Any:
        return self._portal.life(asset)

    def _value(self, asset: Any, field: str, place: Any) -> Any:
        return self._portal.session_value(asset, self._life(asset), field, place)

    def _made(
        self, assets: list[Any], field: str, bar_count: int, frequency: str, place: Any
    ) -> NDArray[np.float64] | None:
        return self._portal.window(assets, field, bar_count, place) if frequency == "1d" else None

    def _index(self, bar_count: int, frequency: str, place: Any) -> pd.DatetimeIndex:
        del frequency
        return self._portal.days(place, bar_count)

    def _is_tradable(self, asset: Any, place: Any) -> bool:
        now = self._now()
        if self._restrictions is not None and self._restrictions.is_restricted(asset, now):
            return False
        life = self._life(asset)
        if not life.listed <= place <= life.until:
            return False
        price = self._portal.value_at(asset, life, "price", now, place)
        return bool(price == price)  # noqa: PLR0124 - NaN

    def _is_stale(self, asset: Any, place: Any) -> bool:
        now, life = self._now(), self._life(asset)
        if not asset.is_alive_for_session(now.normalize()):
            return False
        if self._portal.value_at(asset, life, "volume", now, place) > 0:
            return False
        return self._portal.session_value(asset, life, "last_traded", place) is not pd.NaT

    # The shapes of arguments and answers.

    def _place(self) -> Any:
        # The same moment object is asked about many times.
        now = self._now()
        if now is not self._seen:
            self._seen = now
            self._seen_place = None if now is None else self._find(now)
        return self._seen_place

    def _current(self, assets: Any, fields: Any, place: Any) -> Any:  # noqa: PLR0911 - one for each shape
        is_one = isinstance(assets, Equity) and self._life(assets) is not None
        if not is_one and not self._are_known(assets):
            return NotImplemented
        if type(fields) is str and fields in SPOT_FIELDS:
            find = self._value if is_one else self._series
            return find(assets, fields, place)
        if not _are_among(fields, SPOT_FIELDS):
            return NotImplemented
        if is_one:
            values = {field: self._value(assets, field, place) for field in fields}
            if any(value is NotImplemented for value in values.values()):
                return NotImplemented
            return pd.Series(data=values, index=fields, name=assets.symbol)
        columns = {field: self._series(assets, field, place) for field in fields}
        if any(column is NotImplemented for column in columns.values()):
            return NotImplemented
        return pd.DataFrame(columns)

    def _series(self, assets: Collection[Any], field: str, place: Any) -> Any:
        values = {asset: self._value(asset, field, place) for asset in assets}
        if any(value is NotImplemented for value in values.values()):
            return NotImplemented
        return pd.Series(data=values, index=assets, name=field)

    def _bars(
        self, assets: Any, field: Any, bar_count: Any, frequency: Any
    ) -> NDArray[np.float64] | None:
        place = self._place()
        known = [assets] if isinstance(assets, Equity) else assets
        is_asked_well = (
            place is not None
            and type(bar_count) is int
            and bar_count > 0
            and type(field) is str
            and field in WINDOW_FIELDS
            and type(known) is list
            and self._are_known(known)
        )
        return self._made(known, field, bar_count, frequency, place) if is_asked_well else None

    def _one_field(
        self, assets: Any, field: str, bar_count: Any, frequency: Any
    ) -> pd.Series | pd.DataFrame | None:
        window = self._bars(assets, field, bar_count, frequency)
        if window is None:
            return None
        index = self._index(bar_count, frequency, self._seen_place)
        if isinstance(assets, Equity):
            return pd.Series(window[:, 0], index=index, name=assets)
        return pd.DataFrame(window, index=index, columns=assets)

    def _several_fields(
        self, assets: Any, fields: Any, bar_count: Any, frequency: Any
    ) -> pd.DataFrame | None:
        windows = []
        for field in fields:
            window = self._bars(assets, field, bar_count, frequency)
            if window is None:
                return None
            windows.append(window)
        known = [assets] if isinstance(assets, Equity) else assets
        if len(set(known)) < len(known):
            return None
        index = self._index(bar_count, frequency, self._seen_place)
        name = "date" if frequency == "1d" else "date_time"
        return window_frame(fields, windows, index, known, name)

    def _are_known(self, assets: Any) -> bool:
        life = self._life
        return (
            type(assets) in {list, tuple}
            and len(assets) > 0
            and all(isinstance(asset, Equity) and life(asset) is not None for asset in assets)
        )


def _are_among(fields: Any, known: frozenset[str]) -> bool:
    return (
        type(fields) in {list, tuple}
        and len(fields) > 0
        and all(type(field) is str and field in known for field in fields)
    )
