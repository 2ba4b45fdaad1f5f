"""Files and rows that the tests of imports use."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from stratlab.market_data.calendars import sessions_between
from stratlab.market_data.imports.corporate import Actions
from stratlab.market_data.imports.files import FileFormat
from stratlab.market_data.imports.findings import Findings
from stratlab.market_data.imports.importer import ImportOptions, ImportReport, inspect_files


def sessions(first: date = date(2010, 1, 4), last: date = date(2011, 3, 31)) -> pd.DatetimeIndex:
    return sessions_between("XNYS", first, last)


def walk(
    days: pd.DatetimeIndex,
    *,
    start: float = 50.0,
    volatility: float = 0.01,
    decimals: int = 2,
    volume: float = 1e6,
    seed: int = 1,
) -> pd.DataFrame:
    """Return a random walk with consistent bars, as a vendor's file would have it."""
    random = np.random.default_rng(seed)
    count = len(days)
    close = start * np.exp(np.cumsum(random.normal(0, volatility, count)))
    opening = np.r_[start, close[:-1]] * np.exp(random.normal(0, volatility / 4, count))
    high = np.maximum(opening, close) * (1 + np.abs(random.normal(0, volatility / 2, count)))
    low = np.minimum(opening, close) * (1 - np.abs(random.normal(0, volatility / 2, count)))
    prices = np.stack([opening, high, low, close]).round(decimals)
    return pd.DataFrame(
        {
            "Date": days.strftime("%Y-%m-%d"),
            "Open": prices[0],
            "High": prices.max(axis=0),
            "Low": prices.min(axis=0),
            "Close": prices[3],
            "Volume": (volume * random.lognormal(0, 0.2, count)).round(),
        }
    )


def write_folder(folder: Path, tables: Mapping[str, pd.DataFrame]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, table in tables.items():
        table.to_csv(folder / f"{symbol}.csv", index=False)
    return folder


def inspected(path: Path, **options: object) -> ImportReport:
    return inspect_files(path, FileFormat.AUTO, ImportOptions(**options))  # type: ignore[arg-type] # a test names what it needs


def codes(found: ImportReport | Findings) -> dict[str, list[str]]:
    """Return code -> symbols of the findings."""
    items = found.findings if isinstance(found, ImportReport) else tuple(found)
    grouped: dict[str, list[str]] = {}
    for item in items:
        grouped.setdefault(item.code, []).append(item.symbol)
    return grouped


def rows(symbol: str, days: Sequence[pd.Timestamp], closes: Sequence[float]) -> pd.DataFrame:
    """Return flat bars with the given closes."""
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session": pd.DatetimeIndex(days),
            "open": closes,
            "high": closes,
            "low": closes,
            "close": closes,
            "volume": 1e6,
            "file": f"{symbol}.csv",
            "row": range(len(closes)),
        }
    )


def given(
    *splits: tuple[str, str, float], dividends: Sequence[tuple[str, str, float]] = ()
) -> Actions:
    """Return actions; a ratio is new shares for one old one."""
    return Actions(
        [(symbol, pd.Timestamp(day), 1.0 / ratio) for symbol, day, ratio in splits],
        [(s, pd.Timestamp(day), pd.Timestamp(day), amount) for s, day, amount in dividends],
    )
