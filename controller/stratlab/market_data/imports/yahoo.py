"""Fetches daily prices with the yfinance package, which is an extra and may be missing."""

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from http import HTTPStatus
from types import ModuleType

import pandas as pd

from stratlab.domain.errors import InvalidInputError, UnavailableError
from stratlab.market_data.imports.corporate import Actions
from stratlab.market_data.imports.parsing import SymbolNames

INSTALL = 'pip install "stratlab[yfinance]"'
SOURCE = "Yahoo"
CAVEATS = (
    "Yahoo's prices are for personal use, and revised without notice: another day, another digest.",
    "Yahoo has no pay dates: a dividend is paid on its ex date.",
)
TIMEOUT_SECONDS = 30


def fetch_yahoo(
    symbols: Sequence[str], first: date, last: date, names: SymbolNames
) -> tuple[pd.DataFrame, Actions]:
    """Return rows and corporate actions, as :func:`inspect_rows` takes them.

    Args:
        symbols: Yahoo's own names.
        first: First day.
        last: Last day, included.
        names: Brings symbols to their form.

    Raises:
        InvalidInputError: Yahoo has no prices of a symbol in that time.
        UnavailableError: The package is missing, or Yahoo does not answer.
    """
    yfinance = _package()
    parts, actions = [], Actions()
    for symbol in symbols:
        table = _history(yfinance, symbol, first, last)
        name = names.canonical(symbol, SOURCE)
        days = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
        parts.append(
            pd.DataFrame(
                {
                    "symbol": name,
                    "session": days.astype("datetime64[ns]"),
                    **{field.lower(): table[field].to_numpy("float64") for field in _FIELDS},
                    "file": SOURCE,
                    "row": range(len(table)),
                }
            )
        )
        for day, split, dividend in zip(
            days, table["Stock Splits"], table["Dividends"], strict=True
        ):
            if split not in {0.0, 1.0}:
                actions.splits.append((name, day, 1.0 / split))
            if dividend:
                actions.dividends.append((name, day, day, dividend))
    return pd.concat(parts, ignore_index=True), actions


_FIELDS = ("Open", "High", "Low", "Close", "Volume")


@cache
def _cache_directory() -> "tempfile.TemporaryDirectory[str]":
    # The client keeps databases open for the life of the process; nothing of it stays behind in
    # the user's own cache.
    return tempfile.TemporaryDirectory(prefix="stratlab-yfinance-")


def _package() -> ModuleType:
    try:
        import yfinance  # noqa: PLC0415 - an extra
    except ImportError:
        raise UnavailableError(
            "the package yfinance is not installed", hint=f"Run: {INSTALL}", package="yfinance"
        ) from None
    module: ModuleType = yfinance
    module.set_tz_cache_location(_cache_directory().name)
    return module


def _history(yfinance: ModuleType, symbol: str, first: date, last: date) -> pd.DataFrame:
    from yfinance import exceptions  # noqa: PLC0415 - an extra

    hidden = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    try:
        table = yfinance.Ticker(symbol).history(
            start=first.isoformat(),
            end=(last + timedelta(days=1)).isoformat(),
            interval="1d",
            auto_adjust=False,
            actions=True,
            timeout=TIMEOUT_SECONDS,
        )
    except Exception as error:  # noqa: BLE001 - the client lets those of three packages through
        missing = (exceptions.YFTickerMissingError, exceptions.YFPricesMissingError)
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, missing) or status == HTTPStatus.NOT_FOUND:
            raise InvalidInputError(
                f"Yahoo has no prices of {symbol!r} from {first} to {last}: {error}",
                hint="Check the symbol at finance.yahoo.com, and the days.",
                symbol=symbol,
            ) from None
        raise UnavailableError(
            f"Yahoo does not answer for {symbol!r}: {type(error).__name__}: {error}",
            hint="Try again later; Yahoo limits the rate. Or bring the prices as CSV files.",
            symbol=symbol,
        ) from None
    finally:
        yfinance.config.debug.hide_exceptions = hidden
    if table.empty:
        raise InvalidInputError(
            f"Yahoo has no prices of {symbol!r} from {first} to {last}", symbol=symbol
        )
    return pd.DataFrame(table)
