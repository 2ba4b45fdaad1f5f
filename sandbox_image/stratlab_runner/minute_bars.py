"""Writes intraday bars into zipline's minute store: a part of the trusted data job."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from zipline.data.bcolz_minute_bars import BcolzMinuteBarWriter
from zipline.utils.calendar_utils import TradingCalendar

from stratlab_runner.tier_data import LABELS, MINUTES

_AGGREGATES: Final = {
    "open": "first",
    "high": "max",
    "low": "min",
    "close": "last",
    "volume": "sum",
}


def check_labels(prices: pd.DataFrame, calendar: TradingCalendar) -> None:
    """Compare the session of every bar with the calendar's.

    Args:
        prices: Columns label and session, without time zone.
        calendar: Zipline's calendar instance.

    Raises:
        ValueError: A label is no minute of its session.
    """
    pairs = prices[["label", "session"]].drop_duplicates("label")
    for label, session in pairs.itertuples(index=False):
        first, last = (
            minute.tz_localize(None)
            for minute in (
                calendar.session_first_minute(session),
                calendar.session_last_minute(session),
            )
        )
        if not first <= label <= last:
            raise ValueError(f"calendar {calendar.name}: {label} is no minute of {session.date()}")


def whole_sessions(prices: pd.DataFrame) -> pd.DataFrame:
    """Return the daily bars of intraday ones, ordered by symbol and session.

    Args:
        prices: Columns symbol, session, open, high, low, close, volume; ordered by time.
    """
    return prices.groupby(["symbol", "session"], as_index=False).agg(_AGGREGATES)


def write_minutes(
    folder: Path,
    by_symbol: dict[str, pd.DataFrame],
    sids: dict[str, int],
    sessions: pd.DatetimeIndex,
    calendar: TradingCalendar,
) -> None:
    """Write the minute store of a tier, and the labels of all its bars.

    Args:
        folder: Of the tier.
        by_symbol: Bars of each symbol with the column label, ordered by it.
        sids: Number of each symbol.
        sessions: Sessions of the tier.
        calendar: Zipline's calendar instance.
    """
    closes = calendar.schedule.loc[sessions, "close"]
    lengths = closes - calendar.first_minutes.loc[sessions] + pd.Timedelta(minutes=1)
    minutes_per_day = int(lengths.max() / pd.Timedelta(minutes=1))
    store = folder / MINUTES
    store.mkdir()
    writer = BcolzMinuteBarWriter(
        str(store),
        calendar,
        sessions[0],
        sessions[-1],
        minutes_per_day,
        expectedlen=len(sessions) * minutes_per_day,
    )
    for symbol, frame in by_symbol.items():
        minutes = frame.set_index(pd.DatetimeIndex(frame["label"], tz="UTC"))
        writer.write_sid(sids[symbol], minutes, invalid_data_behavior="raise")
    labels = np.unique(np.concatenate([frame["label"].to_numpy() for frame in by_symbol.values()]))
    np.save(folder / LABELS, labels.astype("datetime64[s]").astype("<i8"))
