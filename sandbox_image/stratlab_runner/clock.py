"""When things happen in a trial: its sessions and bars, and rules for times that are no bar."""

from dataclasses import dataclass
from datetime import time
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline.utils.calendar_utils import TradingCalendar, days_at_time
from zipline.utils.events import AfterOpen, BeforeClose, StatefulRule, StatelessRule

from stratlab_runner.tier_data import TierData

_ONE_MINUTE = pd.Timedelta(minutes=1)
_MOST_LABELS = 50_000
_remembered: "tuple[TierData, pd.DatetimeIndex, list[TradedSession | None]] | None" = None


@final
@dataclass(frozen=True, slots=True)
class TradedSession:
    """One session of a trial; moments are UTC.

    Attributes:
        day: Its midnight, as zipline names the session.
        before_open: When ``before_trading_start`` is called.
        close: Its last minute.
        moments: When each bar is seen, at least one.
        labels: UTC epoch seconds that orders and fills of each bar are stamped with.
    """

    day: pd.Timestamp
    before_open: pd.Timestamp
    close: pd.Timestamp
    moments: tuple[pd.Timestamp, ...]
    labels: tuple[int, ...]


def traded_sessions(tier: TierData, sessions: pd.DatetimeIndex) -> list[TradedSession]:
    """Return the sessions of a trial with the bars that the data set has.

    Zipline would call a strategy at every minute of the calendar; years of hourly bars would
    take millions of calls that see nothing new. A session without any intraday bar is left out.
    ``before_trading_start`` comes before the first bar: zipline's fixed time (8:45 in New York)
    is the middle of a session on the calendars that trade around the clock.

    Args:
        tier: Calendar and bars.
        sessions: The window, without time zone.
    """
    days, rows = _whole_tier(tier)
    begin = int(days.searchsorted(sessions[0])) if len(sessions) else 0
    end = begin + len(sessions)
    if not days[begin:end].equals(sessions):
        rows, begin, end = _rows(tier, sessions), 0, len(sessions)
    return [row for row in rows[begin:end] if row is not None]


def _whole_tier(tier: TierData) -> tuple[pd.DatetimeIndex, list[TradedSession | None]]:
    # Made once, before the fork: it takes longer than all else before a strategy's first line.
    global _remembered  # noqa: PLW0603 - a process serves one tier
    if _remembered is None or _remembered[0] is not tier:
        days = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)
        if tier.labels.size > _MOST_LABELS:
            days = days[:0]
        _remembered = tier, days, _rows(tier, days)
    return _remembered[1:]


def _rows(tier: TierData, sessions: pd.DatetimeIndex) -> list[TradedSession | None]:
    # One for each session, None for one without bars.
    if sessions.empty:
        return []
    rows: list[TradedSession | None] = []
    firsts = _seconds(tier.calendar.first_minutes.loc[sessions])
    closes = _seconds(tier.calendar.schedule.loc[sessions, "close"])
    mornings = _seconds(days_at_time(sessions, time(8, 45), "US/Eastern", day_offset=0))
    before = np.minimum(mornings, firsts)
    begins, ends = np.searchsorted(tier.labels, [firsts, closes + 1])
    for row, session in enumerate(sessions):
        close = _utc(closes[row])
        if tier.minute_reader is None:
            moments, labels = (close,), (int(session.timestamp()),)
        else:
            labels = tuple(tier.labels[begins[row] : ends[row]].tolist())
            moments = tuple(map(_utc, labels))
        day, before_open = session.tz_localize("UTC"), _utc(before[row])
        rows.append(TradedSession(day, before_open, close, moments, labels) if moments else None)
    return rows


@final
class FirstBarFrom(StatelessRule):  # type: ignore[misc]  # zipline has no types
    """True from the moment on that a time rule of zipline's means; its own minute may be no bar.

    Args:
        rule: What ``time_rules.market_open`` or ``market_close`` made.
    """

    def __init__(self, rule: AfterOpen | BeforeClose) -> None:
        self._after_open = isinstance(rule, AfterOpen)
        self._offset = rule.offset
        self._session: pd.Timestamp | None = None
        self._moment: pd.Timestamp | None = None

    def should_trigger(self, dt: pd.Timestamp) -> bool:
        """Return whether the moment is reached."""
        session = self.cal.minute_to_session(dt)
        if session != self._session:
            self._session = session
            if self._after_open:
                first = self.cal.session_first_minute(session)
                self._moment = first + self._offset - _ONE_MINUTE
            else:
                self._moment = self.cal.session_close(session) - self._offset
        return bool(dt >= self._moment)


@final
class OncePerSession(StatefulRule):  # type: ignore[misc]  # zipline has no types
    """True at the first bar of a session at which a rule is.

    Zipline's own rule counts days of 24 hours, and misses a session whose clocks went forward.
    """

    _session: pd.Timestamp | None = None

    def should_trigger(self, dt: pd.Timestamp) -> bool:
        """Return whether this bar is it."""
        session = self.cal.minute_to_session(dt)
        if session == self._session or not self.rule.should_trigger(dt):
            return False
        self._session = session
        return True


def session_of(calendar: TradingCalendar, moment: pd.Timestamp) -> pd.Timestamp:
    """Return the midnight (UTC) of the session that ``moment`` belongs to, or of the next one."""
    return calendar.minute_to_session(moment).tz_localize("UTC")


def _seconds(moments: Any) -> NDArray[np.int64]:
    return (
        pd.DatetimeIndex(moments)
        .tz_localize(None)
        .to_numpy()
        .astype("datetime64[s]")
        .astype("int64")
    )


def _utc(seconds: int) -> pd.Timestamp:
    # Zipline compares time zones by identity, and its calendars have another one.
    return pd.Timestamp(seconds, unit="s", tz="UTC")
