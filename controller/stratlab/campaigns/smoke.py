"""Which bars a smoke run sees: one year, from when every symbol of its market trades."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from stratlab.domain.market import Window

if TYPE_CHECKING:
    from stratlab.domain.market import PricePanel

SMOKE_INDEX: Final = -1
"""Trial index: before the trials that count, whose own numbers do not depend on it."""

SMOKE_DAYS: Final = 365

MAX_SMOKE_BARS: Final = 20_000
"""A year of minutes would not fit into the time of a smoke run."""


def smoke_window(window: Window, prices: "PricePanel") -> Window:
    """Return the first year of a window in which the whole market trades.

    The year begins at the window's own start when that never happens. It is shorter at the end
    of the window, and where a year has more than :data:`MAX_SMOKE_BARS` bars.

    Args:
        window: Of the trials that the smoke run stands in front of.
        prices: Of their market, at least up to the end of the window.
    """
    traded = ((prices.volume > 0) & (prices.close > 0)).all(axis=1)
    first, last = _midnight(window.start), _midnight(window.end)
    inside = (prices.sessions >= first) & (prices.sessions <= last)
    sessions = prices.sessions[traded & inside][:MAX_SMOKE_BARS]
    if not len(sessions):
        end = window.start + timedelta(days=SMOKE_DAYS - 1)
        return Window(window.tier, window.start, min(end, window.end))
    start = _day(int(sessions[0]))
    end = min(start + timedelta(days=SMOKE_DAYS - 1), window.end)
    if len(sessions) == MAX_SMOKE_BARS:
        end = min(end, _day(int(sessions[-1])))
    return Window(window.tier, start, end)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
