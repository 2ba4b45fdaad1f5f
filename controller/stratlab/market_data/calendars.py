"""Sessions of an exchange calendar, as the sandbox image knows them.

Imported by the call that needs it: calendars load pandas. The image pins the same version of
``exchange_calendars``, and its trusted job compares every session once more.
"""

from datetime import date, timedelta

import exchange_calendars
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import INTRADAY_MINUTES, SESSIONS_PER_YEAR

# Zipline's own calendars begin here; nothing before it can be traded.
FIRST_DAY = date(1990, 1, 1)

CALENDARS = tuple(SESSIONS_PER_YEAR)
"""Calendars that data sets may have."""


def sessions_between(calendar: str, first: date, last: date) -> pd.DatetimeIndex:
    """Return the sessions from ``first`` to ``last``, without time zone, both ends included.

    Args:
        calendar: One of :data:`CALENDARS`.
        first: Not before :data:`FIRST_DAY`.
        last: Last day.

    Raises:
        InvalidInputError: The calendar is none that is supported, or does not reach that far.
    """
    sessions: pd.DatetimeIndex = _open(calendar, last).sessions
    return sessions[(sessions >= pd.Timestamp(first)) & (sessions <= pd.Timestamp(last))]


def sessions_of(calendar: str, timeframe: str, labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the session of each bar; NaT where the calendar has no such bar.

    Bars are counted from the session's open, which is no minute of the session itself; a bar is
    labelled with its end. The session's last bar ends at its close, however short it is.

    Args:
        calendar: One of :data:`CALENDARS`.
        timeframe: One of :data:`INTRADAY_MINUTES`.
        labels: UTC without time zone.

    Raises:
        InvalidInputError: The calendar is none that is supported, or does not reach that far.
    """
    if labels.empty:
        return labels
    schedule: pd.DataFrame = _open(calendar, labels.max().date()).schedule
    closes = schedule["close"].dt.tz_localize(None)
    opens = schedule["open"].dt.tz_localize(None)
    place = closes.searchsorted(labels)
    inside = place < len(closes)
    place[~inside] = 0
    since = labels - pd.DatetimeIndex(opens.iloc[place])
    whole = since % pd.Timedelta(minutes=INTRADAY_MINUTES[timeframe]) == pd.Timedelta(0)
    ends = labels == pd.DatetimeIndex(closes.iloc[place])
    known = inside & (since > pd.Timedelta(0)) & (whole | ends)
    return pd.DatetimeIndex(schedule.index[place].where(known))


def minutes_of(calendar: str, labels: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Return the minutes from the open of each bar's session to the end of the bar.

    Args:
        calendar: One of :data:`CALENDARS`.
        labels: Ends of bars that the calendar has, UTC without time zone.
    """
    schedule = _open(calendar, labels.max().date()).schedule
    opens, closes = (
        pd.DatetimeIndex(schedule[name].dt.tz_localize(None)) for name in ("open", "close")
    )
    since = labels - opens[closes.searchsorted(labels)]
    return since.to_numpy().astype("timedelta64[m]").astype("int64")


def bar_ends(calendar: str, timeframe: str, starts: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return when the bars end that begin at ``starts``: at the session's close at the latest.

    Args:
        calendar: One of :data:`CALENDARS`.
        timeframe: One of :data:`INTRADAY_MINUTES`.
        starts: UTC without time zone; what lies in no session is returned as it is.

    Raises:
        InvalidInputError: The calendar is none that is supported, or does not reach that far.
    """
    if starts.empty:
        return starts
    schedule = _open(calendar, starts.max().date()).schedule
    opens, closes = (
        pd.DatetimeIndex(schedule[name].dt.tz_localize(None)) for name in ("open", "close")
    )
    place = closes.searchsorted(starts, side="right")
    place[place == len(closes)] = 0
    ends = np.minimum(starts + pd.Timedelta(minutes=INTRADAY_MINUTES[timeframe]), closes[place])
    return pd.DatetimeIndex(np.where(starts >= opens[place], ends, starts))


def _open(calendar: str, last: date) -> exchange_calendars.ExchangeCalendar:
    if calendar not in CALENDARS:
        raise InvalidInputError(
            f"calendar {calendar!r} is not supported",
            hint=f"Use one of {', '.join(CALENDARS)}.",
            calendar=calendar,
        )
    # Wider than asked: a calendar of a few days can be without any session. By default the
    # calendars 24/7 and 24/5 begin twenty years before today, whatever day that is.
    try:
        return exchange_calendars.get_calendar(
            calendar, start=FIRST_DAY, end=max(last, FIRST_DAY) + timedelta(days=31), side="right"
        )
    except ValueError as error:
        raise InvalidInputError(
            f"calendar {calendar} does not reach to {last}: {error}", calendar=calendar
        ) from None
