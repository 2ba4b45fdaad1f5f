"""Zipline's data portal, which shows the bar of the right session on every calendar."""

from typing import Any

import pandas as pd
from zipline.data.data_portal import DataPortal


class SessionPortal(DataPortal):  # type: ignore[misc]  # zipline has no types
    """A portal that takes a session's name for that session.

    In daily data zipline asks for a session by its midnight, and then looks up which session
    that minute belongs to. On calendars whose sessions end at midnight that is the one before,
    so that zipline itself shows every daily bar a session late. Names of sessions have no time
    zone, moments have one.
    """

    def get_spot_value(self, assets: Any, field: str, dt: pd.Timestamp, data_frequency: str) -> Any:
        """Return a field of one asset or several, as zipline does."""
        return super().get_spot_value(assets, field, self._moment(dt), data_frequency)

    def get_scalar_asset_spot_value(
        self, asset: Any, field: str, dt: pd.Timestamp, data_frequency: str
    ) -> Any:
        """Return a field of one asset, as zipline does."""
        return super().get_scalar_asset_spot_value(asset, field, self._moment(dt), data_frequency)

    def get_history_window(
        self, assets: Any, end_dt: pd.Timestamp, *args: Any, **kwargs: Any
    ) -> pd.DataFrame:
        """Return past bars, as zipline does."""
        return super().get_history_window(assets, self._moment(end_dt), *args, **kwargs)

    def _moment(self, dt: pd.Timestamp) -> pd.Timestamp:
        if dt.tzinfo is None and self.trading_calendar.minute_to_session(dt) != dt:
            return self.trading_calendar.session_close(dt)
        return dt
