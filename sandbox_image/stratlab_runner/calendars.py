"""Opens the exchange calendar of a tier and makes it the only one that zipline finds."""

from typing import Final

import pandas as pd
from exchange_calendars import register_calendar_type
from exchange_calendars.always_open import AlwaysOpenCalendar
from exchange_calendars.exchange_calendar_cmes import CMESExchangeCalendar
from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar
from exchange_calendars.weekday_calendar import WeekdayCalendar
from zipline.algorithm import TradingAlgorithm
from zipline.pipeline.domain import GENERIC, Domain, EquityCalendarDomain
from zipline.utils.calendar_utils import TradingCalendar, get_calendar

COUNTRIES: Final = {"XNYS": "US", "CMES": "US", "24/5": "ZZ", "24/7": "ZZ"}
"""Country of each calendar's assets; pipelines ask for it, and ZZ is no country."""

_TYPES: Final = {
    "XNYS": XNYSExchangeCalendar,
    "CMES": CMESExchangeCalendar,
    "24/5": WeekdayCalendar,
    "24/7": AlwaysOpenCalendar,
}
# Zipline's own choice; the others start a year before the data, for a calendar with all its
# minutes takes much memory. By default they start twenty years before today.
_XNYS_START: Final = pd.Timestamp("1990-01-01")
_MARGIN: Final = pd.Timedelta(days=366)


def open_calendar(name: str, first: pd.Timestamp, last: pd.Timestamp) -> TradingCalendar:
    """Return a calendar as zipline itself will find it by its name from now on.

    Zipline's readers look calendars up by name, and zipline compares them by identity. The
    sessions do not depend on today's date.

    Args:
        name: One of :data:`COUNTRIES`.
        first: First session with prices.
        last: Last session with prices.

    Raises:
        ValueError: The calendar is unknown.
    """
    if name not in _TYPES:
        raise ValueError(f"calendar {name!r} is not one of {sorted(COUNTRIES)}")
    start = min(first - _MARGIN, _XNYS_START) if name == "XNYS" else first - _MARGIN
    opened = _TYPES[name](start=start, end=last + _MARGIN, side="right")
    register_calendar_type(name, lambda **_: opened, force=True)
    return get_calendar(name)


def pipeline_domain(calendar: TradingCalendar) -> Domain:
    """Return the domain of pipelines without one of their own; zipline has none for 24/7."""
    default = TradingAlgorithm.default_pipeline_domain(calendar)
    if default is GENERIC:
        return EquityCalendarDomain(COUNTRIES[calendar.name], calendar.name)
    return default
