"""Makes longer bars of bars; stdlib only, for the compiler copies it verbatim.

A longer bar holds all bars of one period, and a period is a number that grows with time. Whole
numbers in, whole numbers out, by arithmetic alone: the functions take numpy arrays as well.
Sessions are days since 1970-01-01, minutes count from the session's open to the end of a bar.
A period depends on the calendar alone, never on the bar a series happens to begin with.
"""

from stratlab.contract.streaming import Bar


def period_of_minutes(session: int, minute: int, length: int) -> int:
    """Return the period of ``length`` minutes, counted from each session's open."""
    return session * 1440 + (minute - 1) // length


def period_of_days(session: int, count: int, week: int) -> int:
    """Return the period of ``count`` days of which a week from Monday on has ``week``."""
    weekday = (session + 3) % 7
    trading_day = weekday - (weekday >= week) * (weekday - week + 1)
    return ((session + 3) // 7 * week + trading_day) // count


def period_of_weeks(session: int, count: int) -> int:
    """Return the period of ``count`` weeks that begin on Monday."""
    return (session + 3) // 7 // count


def period_of_months(session: int, count: int) -> int:
    """Return the period of ``count`` months, counted from January of the year 0.

    Source: H. Hinnant, chrono-compatible low-level date algorithms (civil_from_days).
    """
    day = session + 719468  # since March 1st of the year 0
    era = day // 146097
    day = day - era * 146097
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    month = (5 * (day - 365 * year - year // 4 + year // 100) + 2) // 153
    return (12 * (400 * era + year) + month + 2) // count


class LongerBars:
    """Joins bars to longer ones; one is over when a bar of the next period was added.

    The first period is left out, because it may have begun before the first bar that was added;
    ``count`` is the number of those that ended after it.
    """

    def __init__(self) -> None:
        self._period: int | None = None
        self._bar: Bar | None = None
        self._is_whole = False
        self.count = 0

    def add(self, period: int, bar: Bar) -> Bar | None:
        """Add a bar and return the longer one that it ended, None when it ended none."""
        if self._bar is not None and period == self._period:
            self._bar = joined(self._bar, bar)
            return None
        ended = self._bar if self._is_whole else None
        self.count += self._is_whole
        self._is_whole = self._bar is not None
        self._period, self._bar = period, bar
        return ended


def joined(earlier: Bar, later: Bar) -> Bar:
    """Return two bars as one."""
    return later._replace(
        open=earlier.open,
        high=max(earlier.high, later.high),
        low=min(earlier.low, later.low),
        volume=earlier.volume + later.volume,
    )
