"""What a strategy finds of its trial: parameters, symbols, and bars of any timeframe.

Strategies reach these through ``stratlab_runner.lab``. Nothing but the standard library and
zipline is imported here, because exported strategies carry the text of this file.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

from zipline.api import symbol
from zipline.utils.api_support import get_algo_instance
from zipline.utils.events import Always, EventRule

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240}
"""Timeframes inside a session; ``1d`` is the whole session."""

_MINUTE = 60 * 10**9
_DAY = 1440 * _MINUTE
_WHOLE_SESSION = 10**6


class TimeframeError(Exception):
    """The data of this run have no bars of a timeframe; the message says why."""


@final
class MarketSymbols(tuple[str, ...]):
    """The symbols of a trial; a call is zipline's ``context.symbols()``, whose name it takes."""

    __slots__ = ()

    def __call__(self, *names: str, **options: Any) -> list[Any]:
        """Return the assets of the given symbols."""
        return [symbol(name, **options) for name in names]


def bind_context(
    context: Any, params: Mapping[str, float], symbols: Sequence[str], timeframe: str = "1d"
) -> None:
    """Set what every strategy finds: ``context.params``, ``.symbols`` and ``.timeframe``.

    Args:
        context: Zipline's algorithm, before ``initialize``.
        params: Name -> number; read-only for the strategy.
        symbols: The market set, in its order.
        timeframe: Of the data.
    """
    context.params = MappingProxyType(dict(params))
    context.symbols = MarketSymbols(symbols)
    # The second one stays when a strategy gives the first name to something of its own.
    context.timeframe = context._lab_timeframe = timeframe  # noqa: SLF001 - see above


def on_bar(timeframe: str, function: Callable[[Any, Any], None]) -> None:
    """Call ``function(context, data)`` when a bar of a timeframe has ended.

    Bars are counted from the session's open; the last one ends at its close, however short it
    is. Where the data have no bar at that very time, the call comes at the next one.

    Args:
        timeframe: That of the data (``context.timeframe``), a multiple of it, or ``1d``.
        function: What to call.

    Raises:
        TimeframeError: It is no multiple of the data's timeframe.
    """
    algorithm = get_algo_instance()
    base = _timeframe()
    if timeframe == base == "1d":
        algorithm.add_event(Always(), function)
        return
    known = ["1d"] if base == "1d" else _multiples(base)
    if timeframe not in known:
        raise TimeframeError(
            f"bars of {base} make no bars of {timeframe!r}; choose one of {', '.join(known)}"
        )
    minutes = MINUTES.get(timeframe, _WHOLE_SESSION)
    algorithm.add_event(_BarEnd(algorithm.trading_calendar, minutes), function)


def bars_per_session(data: Any, minutes: int | None = None) -> int:
    """Return how many bars the current session has when none is missing.

    Args:
        data: What zipline passes to the strategy's functions.
        minutes: Length of the bars, None for those of the data.
    """
    base = _timeframe()
    if base == "1d":
        return 1
    calendar, session = get_algo_instance().trading_calendar, data.current_session
    first, last = calendar.session_first_minute(session), calendar.session_close(session)
    return math.ceil(((last - first).value // _MINUTE + 1) / (minutes or MINUTES[base]))


def days_per_week() -> int:
    """Return how many days of a week have sessions, from Monday on."""
    return str(get_algo_instance().trading_calendar.weekmask).count("1")


def session_bars(
    data: Any, asset: Any, fields: Sequence[str], sessions: int
) -> list[tuple[float, ...]]:
    """Return the bars of the last sessions, this one up to now, adjusted as of now.

    Args:
        data: What zipline passes to the strategy's functions.
        asset: Whose bars.
        fields: Among open, high, low, close, volume, and session and minute: when a bar ends,
            as in :func:`bar_time`.
        sessions: How many, the current one included.

    Returns:
        One tuple in the order of ``fields`` for each bar that traded, oldest first.
    """
    if _timeframe() == "1d":
        length, unit = sessions, "1d"
    else:
        calendar = get_algo_instance().trading_calendar
        number = calendar.sessions.get_loc(data.current_session)
        first = calendar.session_first_minute(calendar.sessions[number + 1 - sessions])
        until = calendar.minutes.searchsorted(get_algo_instance().get_datetime(), side="right")
        length, unit = int(until - calendar.minutes.searchsorted(first)), "1m"
    # One field at a time: several would make a frame of millions of rows.
    volume = data.history(asset, "volume", length, unit)
    (traded,) = (volume.to_numpy() > 0).nonzero()
    columns = {"volume": volume.to_numpy()[traded].tolist()}
    if not {"session", "minute"}.isdisjoint(fields):
        columns["session"], columns["minute"] = _bar_times(volume.index[traded])
    for name in fields:
        if name not in columns:
            columns[name] = data.history(asset, name, length, unit).to_numpy()[traded].tolist()
    return list(zip(*(columns[name] for name in fields), strict=True))


def window(assets: Any, field: str, bars: int, unit: str = "1d") -> Any:
    """Return past values, this bar's last, as an array: ``data.history`` without pandas.

    Args:
        assets: An asset, or a list of them.
        field: Among open, high, low, close, volume, and price, which is forward-filled.
        bars: How many.
        unit: ``1d`` for sessions, ``1m`` for minutes.

    Returns:
        One number for each bar; of a list, bars x assets. Adjusted as of now.
    """
    data = get_algo_instance().trading_client.current_data
    # The fast engine's short cut; anything else is zipline's own.
    short_cut = getattr(data, "_window", None)
    if short_cut is not None:
        return short_cut(assets, field, bars, unit)
    return data.history(assets, field, bars, unit).to_numpy(dtype="float64", copy=True)


def bar_time(data: Any) -> tuple[int, int]:
    """Return when the current bar ends: its session, and the minute of the session.

    Args:
        data: What zipline passes to the strategy's functions.

    Returns:
        Days since 1970-01-01, and minutes since the session's open (0 for a whole session).
    """
    session, algorithm = data.current_session, get_algo_instance()
    if _timeframe() == "1d":
        return session.value // _DAY, 0
    first = algorithm.trading_calendar.session_first_minute(session)
    return session.value // _DAY, (algorithm.get_datetime() - first).value // _MINUTE + 1


def _bar_times(labels: Any) -> tuple[list[int], list[int]]:
    if _timeframe() == "1d":
        return (labels.asi8 // _DAY).tolist(), [0] * len(labels)
    calendar = get_algo_instance().trading_calendar
    sessions = calendar.minutes_to_sessions(labels)
    since = labels.tz_localize(None) - calendar.first_minutes[sessions].dt.tz_localize(None).array
    return (sessions.asi8 // _DAY).tolist(), (since.asi8 // _MINUTE + 1).tolist()


@final
class _BarEnd(EventRule):  # type: ignore[misc]  # zipline has no types
    # Whether a bar of a longer timeframe has ended; zipline asks once a bar.
    def __init__(self, calendar: Any, minutes: int) -> None:
        self._calendar = calendar
        self._minutes = minutes
        self._open = self._close = 0
        self._unfinished: tuple[int, int] | None = None

    def should_trigger(self, dt: Any) -> bool:
        now = dt.value // _MINUTE
        if not self._open < now <= self._close:
            session = self._calendar.minute_to_session(dt)
            self._open = self._calendar.session_first_minute(session).value // _MINUTE - 1
            self._close = self._calendar.session_close(session).value // _MINUTE
        since = now - self._open
        bar = (self._open, math.ceil(since / self._minutes))
        ends = since % self._minutes == 0 or now == self._close
        missed = self._unfinished not in {None, bar}
        self._unfinished = None if ends else bar
        return ends or missed


def _timeframe() -> str:
    # Set by bind_context; a run that was not bound has zipline's own bars.
    algorithm = get_algo_instance()
    own = "1m" if algorithm.data_frequency == "minute" else "1d"
    return str(getattr(algorithm, "_lab_timeframe", own))


def _multiples(base: str) -> list[str]:
    return [*(name for name in MINUTES if MINUTES[name] % MINUTES[base] == 0), "1d"]
