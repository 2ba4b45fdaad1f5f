"""What strategies see as ``data``: zipline's BarData with its answers from dense arrays."""

from collections.abc import Callable, Collection
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline._protocol import BarData
from zipline.assets import Equity
from zipline.finance.asset_restrictions import NoRestrictions

from stratlab_runner.fast.frames import window_frame
from stratlab_runner.fast.portal import SPOT_FIELDS, WINDOW_FIELDS, FastPortal


@final
class FastBarData(BarData):  # type: ignore[misc]  # zipline has no types
    """Zipline's BarData; a call that is not proven goes to zipline's own method and is counted.

    Args:
        data_portal: Ours.
        simulation_dt_func: Returns the current moment.
        data_frequency: ``daily`` or ``minute``.
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
        self._is_daily = data_frequency == "daily"
        self._restrictions = None if type(restrictions) is NoRestrictions else restrictions
        self._seen: pd.Timestamp | None = None
        self._seen_row: int | None = None

    def current(self, assets: Any, fields: Any) -> Any:
        """Return current values, as zipline does."""
        self._tally.calls += 1
        row = self._row()
        if row is not None and type(fields) is str and fields in SPOT_FIELDS:
            life = self._portal.life(assets) if type(assets) is Equity else None
            if life is not None:
                return self._portal.session_value(assets, life, fields, row)
            if self._are_known(assets):
                return self._series(assets, fields, row)
        elif row is not None and _are_among(fields, SPOT_FIELDS):
            if self._are_known([assets]):
                values = {field: self._value(assets, field, row) for field in fields}
                return pd.Series(data=values, index=fields, name=assets.symbol)
            if self._are_known(assets):
                return pd.DataFrame({field: self._series(assets, field, row) for field in fields})
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
        row = self._row()
        if row is not None:
            if self._are_known([assets]):
                return self._is_tradable(assets, row)
            if self._are_known(assets):
                flags = [self._is_tradable(asset, row) for asset in assets]
                return pd.Series(data=flags, index=assets, dtype=bool)
        with self._tally.fallback("can_trade"):
            return super().can_trade(assets)

    def is_stale(self, assets: Any) -> Any:
        """Return whether assets live but did not trade in this bar, as zipline does."""
        self._tally.calls += 1
        row = self._row()
        if row is not None:
            if self._are_known([assets]):
                return self._is_stale(assets, row)
            if self._are_known(assets):
                return pd.Series(data={asset: self._is_stale(asset, row) for asset in assets})
        with self._tally.fallback("is_stale"):
            return super().is_stale(assets)

    @property
    def current_session(self) -> pd.Timestamp:
        """The current session, without time zone."""
        row = self._row()
        if row is None:
            return super().current_session
        return self._portal.days(row, 1)[0]

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
        return window[:, 0] if type(assets) is Equity else window

    def _bars(
        self, assets: Any, field: Any, bar_count: Any, frequency: Any
    ) -> NDArray[np.float64] | None:
        row = self._row()
        if row is None or frequency != "1d" or type(bar_count) is not int:
            return None
        if type(assets) is Equity:
            return self._portal.window([assets], field, bar_count, row)
        if type(assets) is not list or not self._are_known(assets):
            return None
        return self._portal.window(assets, field, bar_count, row)

    def _one_field(
        self, assets: Any, field: str, bar_count: Any, frequency: Any
    ) -> pd.Series | pd.DataFrame | None:
        window = self._bars(assets, field, bar_count, frequency)
        if window is None:
            return None
        days = self._portal.days(self._seen_row, bar_count)
        if type(assets) is Equity:
            return pd.Series(window[:, 0], index=days, name=assets)
        return pd.DataFrame(window, index=days, columns=assets)

    def _several_fields(
        self, assets: Any, fields: Any, bar_count: Any, frequency: Any
    ) -> pd.DataFrame | None:
        windows = []
        for field in fields:
            window = self._bars(assets, field, bar_count, frequency)
            if window is None:
                return None
            windows.append(window)
        known = [assets] if type(assets) is Equity else assets
        if len(set(known)) < len(known):
            return None
        days = self._portal.days(self._seen_row, bar_count)
        return window_frame(fields, windows, days, known, "date")

    def _row(self) -> int | None:
        # The row of the session in daily data; the same moment object is asked about many times.
        now = self._now()
        if now is not self._seen:
            self._seen = now
            self._seen_row = self._portal.row(now) if self._is_daily and now is not None else None
        return self._seen_row

    def _are_known(self, assets: Any) -> bool:
        life = self._portal.life
        return (
            type(assets) in {list, tuple}
            and len(assets) > 0
            and all(type(asset) is Equity and life(asset) is not None for asset in assets)
        )

    def _value(self, asset: Any, field: str, row: int) -> Any:
        return self._portal.session_value(asset, self._portal.life(asset), field, row)

    def _series(self, assets: Collection[Any], field: str, row: int) -> pd.Series:
        values = {asset: self._value(asset, field, row) for asset in assets}
        return pd.Series(data=values, index=assets, name=field)

    def _is_tradable(self, asset: Any, row: int) -> bool:
        if self._restrictions is not None and self._restrictions.is_restricted(asset, self._now()):
            return False
        life = self._portal.life(asset)
        if not life.listed <= row <= life.until:
            return False
        price = self._portal.value_at(asset, life, "price", self._now(), row)
        return bool(price == price)  # noqa: PLR0124 - NaN

    def _is_stale(self, asset: Any, row: int) -> bool:
        now, life = self._now(), self._portal.life(asset)
        if not asset.is_alive_for_session(now.normalize()):
            return False
        if self._portal.value_at(asset, life, "volume", now, row) > 0:
            return False
        return self._portal.session_value(asset, life, "last_traded", row) is not pd.NaT


def _are_among(fields: Any, known: frozenset[str]) -> bool:
    return (
        type(fields) in {list, tuple}
        and len(fields) > 0
        and all(type(field) is str and field in known for field in fields)
    )
