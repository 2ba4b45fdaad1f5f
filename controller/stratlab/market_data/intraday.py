"""Checks and sessions of bars inside a session, for the canonical content of a data set.

Imported by the call that needs it: calendars load pandas.
"""

import pandas as pd

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import INTRADAY_MINUTES
from stratlab.market_data.calendars import sessions_of

# Zipline dates an action with its session's midnight. Where that is no moment between two
# sessions, it adjusts prices for it at another bar than shares.
CALENDARS_WITH_ACTIONS = ("XNYS",)

_UINT32_MAX = 2**32 - 1


def with_sessions(prices: pd.DataFrame, calendar: str, timeframe: str) -> pd.DataFrame:
    """Return intraday bars with the column ``session``.

    Zipline shows no bar before the midnight (UTC) of a symbol's first session, so that the
    bars of an evening before are left out where a symbol begins.

    Args:
        prices: Columns symbol, label (end of the bar, UTC, with or without time zone) and more.
        calendar: Exchange calendar name.
        timeframe: One of :data:`INTRADAY_MINUTES`.

    Raises:
        InvalidInputError: The calendar is unknown, or has no bar that ends at a label.
    """
    if "label" not in prices:
        raise InvalidInputError(
            f"bars of {timeframe} need the time of their end",
            hint="Give a column of times, or import the bars as daily ones.",
        )
    labels = pd.DatetimeIndex(prices["label"])
    if labels.tz is not None:
        labels = labels.tz_convert("UTC").tz_localize(None)
    prices = prices.assign(label=labels, session=sessions_of(calendar, timeframe, labels))
    if prices["label"].isna().any():
        raise InvalidInputError("a row has no label")
    lost = prices["session"].isna()
    if lost.any():
        row = prices[lost].iloc[0]
        raise InvalidInputError(
            f"{row['symbol']} {row['label']}: no {timeframe} bar of {calendar} ends there "
            f"({int(lost.sum())} such rows)",
            hint=f"Label bars with their end in UTC, in steps of {timeframe} from the session's "
            "open; the last one ends at its close.",
            symbol=row["symbol"],
            label=row["label"],
        )
    shown = prices["label"].where(prices["label"] >= prices["session"])
    return prices[prices["label"] >= shown.groupby(prices["symbol"]).transform("min")]


def check_intraday(prices: pd.DataFrame, actions: int, calendar: str) -> None:
    """Refuse what zipline cannot hold or would apply at the wrong bar.

    Args:
        prices: Columns symbol, session, volume.
        actions: Number of splits and dividends.
        calendar: Exchange calendar name.

    Raises:
        InvalidInputError: A session's whole volume is too large, or the calendar's sessions do
            not begin and end on one day and there are actions.
    """
    if actions and calendar not in CALENDARS_WITH_ACTIONS:
        raise InvalidInputError(
            f"intraday bars on the calendar {calendar} cannot have splits or dividends",
            hint="Leave them out, adjust the prices, or use daily bars.",
            calendar=calendar,
        )
    total = prices.groupby(["symbol", "session"])["volume"].sum().reset_index()
    if (total["volume"] > _UINT32_MAX).any():
        row = total.loc[total["volume"].idxmax()]
        day = row["session"].date()
        raise InvalidInputError(
            f"{row['symbol']} {day} has a volume above {_UINT32_MAX} in one session, the most "
            "that zipline can store",
            hint="Scale the symbol's volumes.",
            symbol=row["symbol"],
            session=day,
        )


def check_timeframe(timeframe: str) -> None:
    """Refuse what is no timeframe inside a session.

    Raises:
        InvalidInputError: It is none.
    """
    if timeframe not in INTRADAY_MINUTES:
        raise InvalidInputError(
            f"a timeframe {timeframe!r} is not supported",
            hint=f"Use one of {', '.join(INTRADAY_MINUTES)}, or 1d.",
            timeframe=timeframe,
        )
