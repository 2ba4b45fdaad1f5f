"""Reads the host's own prices of a market set from a data set's parquet files.

Imported by the call that needs it: pandas takes half a second to load.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab.domain.market import Dividend, PricePanel, Split
from stratlab.market_data.content import PRICE_FIELDS, PRICE_UNITS
from stratlab.market_data.layout import DIVIDENDS, EMPTY_SESSIONS, PRICES, SPLITS


@lru_cache(maxsize=32)
def load_panel(
    directory: Path, digest: str, symbols: tuple[str, ...], last: date, calendar: str
) -> PricePanel:
    """Return raw prices of ``symbols`` from the first session of the data set to ``last``.

    The arrays are read-only and shared between calls. Prices are the very doubles that zipline's
    reader returns for the mounts of the same data set.

    Args:
        directory: The data set.
        digest: Its digest; a rebuilt data set is read again.
        symbols: Column order.
        last: Last session.
        calendar: Of the data set.
    """
    del digest
    end = pd.Timestamp(last)
    prices = pd.read_parquet(directory / PRICES, filters=[("session", "<=", end)])
    intraday = "label" in prices
    if intraday:
        pairs = prices[["label", "session"]].drop_duplicates("label").sort_values("label")
        labels, sessions = pd.DatetimeIndex(pairs["label"]), pd.DatetimeIndex(pairs["session"])
    else:
        labels = sessions = _sessions(directory, prices, end)
    row = labels.get_indexer(pd.DatetimeIndex(prices["label" if intraday else "session"]))
    column = pd.Index(symbols).get_indexer(pd.Index(prices["symbol"]))
    wanted = column >= 0
    columns: dict[str, NDArray[np.float64]] = {}
    for name in (*PRICE_FIELDS, "volume"):
        values = prices[name].to_numpy("float64")[wanted]
        if name in PRICE_FIELDS:
            # Multiplied, not divided: so zipline turns its stored thousandths into doubles.
            values = np.rint(values * PRICE_UNITS) * (1 / PRICE_UNITS)
        empty = np.nan if name in PRICE_FIELDS else 0.0
        columns[name] = np.full((len(labels), len(symbols)), empty)
        columns[name][row[wanted], column[wanted]] = values
    bars, days = (_epochs(index) for index in (labels, sessions))
    minutes = _minutes(calendar, labels) if intraday else None
    for array in (bars, days, *columns.values()):
        array.flags.writeable = False
    # The latest come first in the arguments, so that a session's first bar is what stays.
    first_bar = dict(zip(days[::-1].tolist(), bars[::-1].tolist(), strict=True))
    return PricePanel(
        bars=bars,
        symbols=symbols,
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        volume=columns["volume"],
        splits=_splits(directory, symbols, end, first_bar),
        dividends=_dividends(directory, symbols, end, first_bar),
        auto_close=_auto_close(symbols, bars, days, columns["volume"]),
        intraday_sessions=days if intraday else None,
        intraday_minutes=minutes,
    )


def _minutes(calendar: str, labels: pd.DatetimeIndex) -> NDArray[np.int64]:
    from stratlab.market_data.calendars import minutes_of  # noqa: PLC0415 - daily bars need none

    minutes = minutes_of(calendar, labels)
    minutes.flags.writeable = False
    return minutes


def _sessions(directory: Path, prices: pd.DataFrame, end: pd.Timestamp) -> pd.DatetimeIndex:
    sessions = pd.DatetimeIndex(prices["session"].unique())
    if (directory / EMPTY_SESSIONS).exists():
        table = pd.read_parquet(directory / EMPTY_SESSIONS, filters=[("session", "<=", end)])
        sessions = sessions.union(pd.DatetimeIndex(table["session"]))
    return sessions.sort_values()


def _splits(
    directory: Path, symbols: tuple[str, ...], end: pd.Timestamp, first_bar: Mapping[int, int]
) -> tuple[Split, ...]:
    table = pd.read_parquet(directory / SPLITS, filters=[("session", "<=", end)])
    table = table[table["symbol"].isin(symbols)].sort_values(["session", "symbol"])
    return tuple(
        Split(first_bar[_epoch(session)], symbol, ratio)
        for session, symbol, ratio in zip(
            table["session"], table["symbol"], table["ratio"], strict=True
        )
    )


def _dividends(
    directory: Path, symbols: tuple[str, ...], end: pd.Timestamp, first_bar: Mapping[int, int]
) -> tuple[Dividend, ...]:
    table = pd.read_parquet(directory / DIVIDENDS, filters=[("ex_session", "<=", end)])
    table = table[table["symbol"].isin(symbols)].sort_values(["ex_session", "symbol"])
    # What is paid after the last session keeps its day: no run reaches it.
    return tuple(
        Dividend(
            first_bar[_epoch(ex_session)],
            first_bar.get(_epoch(pay_session), _epoch(pay_session)),
            symbol,
            amount,
        )
        for ex_session, pay_session, symbol, amount in zip(
            table["ex_session"],
            table["pay_session"],
            table["symbol"],
            table["amount"],
            strict=True,
        )
    )


def _auto_close(
    symbols: tuple[str, ...],
    bars: NDArray[np.int64],
    sessions: NDArray[np.int64],
    volume: NDArray[np.float64],
) -> dict[str, int]:
    # The end of the first session without the symbol; one with a bar in the last session lives.
    closes = {}
    for column, symbol in enumerate(symbols):
        (traded,) = volume[:, column].nonzero()
        if len(traded) and sessions[traded[-1]] < sessions[-1]:
            following = sessions[sessions > sessions[traded[-1]]][0]
            closes[symbol] = int(bars[sessions == following][-1])
    return closes


def _epochs(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    return index.to_numpy().astype("datetime64[s]").astype("int64")


def _epoch(session: pd.Timestamp) -> int:
    return int(session.timestamp())
