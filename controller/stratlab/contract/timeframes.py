"""Timeframes of contracts: their one spelling, which is a multiple of which, and their periods."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, final

from stratlab.contract import periods

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stratlab.domain.market import PricePanel

_DAY_MINUTES = 1440
_DAY_SECONDS = 86_400
_TEXT = re.compile(r"([1-9][0-9]{0,2})([mhdwM])")


@final
@dataclass(frozen=True, slots=True)
class Timeframe:
    """A length of bars.

    Attributes:
        count: How many units.
        unit: ``m`` minutes of a session, ``d`` sessions, ``w`` weeks, ``M`` months.
    """

    count: int
    unit: str

    def __str__(self) -> str:
        """Return the one spelling: whole hours are not written in minutes."""
        if self.unit == "m" and self.count % 60 == 0:
            return f"{self.count // 60}h"
        return f"{self.count}{self.unit}"

    def is_longer_than(self, base: "Timeframe") -> bool:
        """Return whether one bar holds several whole bars of ``base``."""
        if self.unit == base.unit:
            return self.count > base.count and self.count % base.count == 0
        if base.unit == "m":
            return True  # a session is made of whole bars
        return base == Timeframe(1, "d") and self.unit in {"w", "M"}


def parse_timeframe(text: str) -> Timeframe:
    """Return the timeframe of a text like ``15m``, ``4h``, ``1d``, ``1w`` or ``3M``.

    Raises:
        ValueError: The text is no timeframe, or one inside the day is longer than it.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        message = f"{text!r} is no timeframe like 15m, 4h, 1d, 1w or 3M"
        raise ValueError(message)
    count, unit = int(found[1]), found[2]
    if unit == "h":
        count, unit = count * 60, "m"
    if unit == "m" and count > _DAY_MINUTES:
        message = f"{text} is longer than a day: write it in d, w or M"
        raise ValueError(message)
    return Timeframe(count, unit)


def longer_problem(timeframe: str, bases: Iterable[str]) -> str:
    """Return why a timeframe cannot be made of the bars that a strategy trades, "" if it can.

    Args:
        timeframe: Of a reference ``x@TF`` or of an indicator.
        bases: Timeframes of the strategy.
    """
    longer = parse_timeframe(timeframe)
    for base in bases:
        own = parse_timeframe(base)
        if longer == own:
            return f"{base} is the strategy's own timeframe, leave it out"
        if not longer.is_longer_than(own):
            return f"bars of {base} make no bars of {timeframe}: it must be a multiple"
    return ""


def canonical_timeframe(text: str) -> str:
    """Return the one spelling of a timeframe: ``60m`` is ``1h``.

    Raises:
        ValueError: The text is no timeframe.
    """
    return str(parse_timeframe(text))


def panel_periods(panel: "PricePanel", timeframe: str) -> "NDArray[np.int64]":
    """Return the period of each bar of a panel, shape (T,), as compiled strategies count it.

    Two bars belong to one bar of the timeframe if and only if their periods are equal.

    Args:
        panel: Its bars are shorter than the timeframe.
        timeframe: Of a reference ``x@TF`` or of an indicator.

    Raises:
        ValueError: The timeframe lies inside a session and the panel's bars are sessions.
    """
    minutes = panel.intraday_minutes
    longer = parse_timeframe(timeframe)
    # By arithmetic of whole numbers alone, which arrays have as well.
    session = cast("int", panel.sessions // _DAY_SECONDS)
    if longer.unit != "m":
        found = period_of(longer, session, 0, panel.days_per_week)
    elif minutes is not None:
        found = period_of(longer, session, cast("int", minutes), panel.days_per_week)
    else:
        message = f"bars of whole sessions make no bars of {timeframe}"
        raise ValueError(message)
    return cast("NDArray[np.int64]", found)


def period_of(timeframe: Timeframe, session: int, minute: int, week: int) -> int:
    """Return the period of a bar.

    Args:
        timeframe: Longer than the bar.
        session: Of the bar, in days since 1970-01-01.
        minute: From the session's open to the end of the bar; unused for whole sessions.
        week: Days of a week that have sessions.
    """
    count = timeframe.count
    match timeframe.unit:
        case "m":
            return periods.period_of_minutes(session, minute, count)
        case "d":
            return periods.period_of_days(session, count, week)
        case "w":
            return periods.period_of_weeks(session, count)
        case _:
            return periods.period_of_months(session, count)


def period_text(timeframe: Timeframe, bar: str) -> str:
    """Return the call that computes the period of a bar in a compiled strategy."""
    count = timeframe.count
    match timeframe.unit:
        case "m":
            return f"period_of_minutes({bar}.session, {bar}.minute, {count})"
        case "d":
            return f"period_of_days({bar}.session, {count}, lab.days_per_week())"
        case "w":
            return f"period_of_weeks({bar}.session, {count})"
        case _:
            return f"period_of_months({bar}.session, {count})"
