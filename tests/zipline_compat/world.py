"""The made-up data set that published and own algorithms run on."""

from datetime import date

import exchange_calendars
import numpy as np
import pandas as pd

from stratlab.domain.market import Tier, TierRange
from stratlab.market_data.content import Content, canonical

NAME = "compat"
FIRST, LAST = date(2008, 1, 2), date(2011, 12, 30)
TIERS = {
    Tier.TRAIN: TierRange(date(2008, 7, 1), date(2010, 12, 31)),
    Tier.VALIDATION: TierRange(date(2011, 1, 3), date(2011, 6, 30)),
    Tier.HOLDOUT: TierRange(date(2011, 7, 1), LAST),
}
# What the published examples name; then a late listing, a delisting, and one that trades thinly.
NAMED = ("AAPL", "AMD", "CERN", "COST", "DELL", "GPS", "INTC", "MMM", "MSFT")
LATE, GONE, THIN = "LATE", "GONE", "THIN"
SYMBOLS = (*NAMED, LATE, GONE, THIN)
SPLITS = {"AAPL": {400: 0.5}, "CERN": {250: 0.25}, "THIN": {500: 4.0}}
DIVIDENDS = {"MSFT": 0.13, "MMM": 0.52, "INTC": 0.11}
LISTED, DELISTED = 290, 600


def content(seed: int = 11) -> Content:
    """Four years of twelve symbols, with splits, dividends, gaps and small volumes."""
    calendar = exchange_calendars.get_calendar("XNYS")
    sessions = calendar.sessions_in_range(FIRST.isoformat(), LAST.isoformat())
    generator = np.random.default_rng(seed)
    life = dict.fromkeys(SYMBOLS, slice(None)) | {LATE: slice(LISTED, None)}
    life[GONE] = slice(0, DELISTED)
    rows = [_bars(symbol, sessions, generator).iloc[life[symbol]] for symbol in SYMBOLS]
    rows[-1] = rows[-1][generator.random(len(sessions)) > 0.1]
    return canonical(
        calendar="XNYS",
        timeframe="1d",
        prices=pd.concat(rows),
        splits=pd.DataFrame(
            [
                {"symbol": symbol, "session": sessions[number], "ratio": ratio}
                for symbol, known in SPLITS.items()
                for number, ratio in known.items()
            ]
        ),
        dividends=pd.DataFrame(
            [
                {
                    "symbol": symbol,
                    "ex_session": sessions[number],
                    "pay_session": sessions[number] + pd.Timedelta(days=23),
                    "amount": amount,
                }
                for symbol, amount in DIVIDENDS.items()
                for number in range(30, len(sessions) - 30, 63)
            ]
        ),
        tiers=TIERS,
    )


def _bars(symbol: str, sessions: pd.DatetimeIndex, generator: np.random.Generator) -> pd.DataFrame:
    count = len(sessions)
    steps = generator.normal(0.0002, 0.018, (2, count)).cumsum(axis=1)
    close = generator.uniform(20, 90) * np.exp(steps[0])
    start = close * np.exp(generator.normal(0, 0.006, count))
    for number, ratio in SPLITS.get(symbol, {}).items():
        close[number:] *= ratio
        start[number:] *= ratio
    close, start = close.round(2), start.round(2)
    high = (np.maximum(start, close) * (1 + abs(generator.normal(0, 0.004, count)))).round(2)
    low = (np.minimum(start, close) * (1 - abs(generator.normal(0, 0.004, count)))).round(2)
    volume = generator.integers(*((400, 4_000) if symbol == THIN else (60_000, 900_000)), count)
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session": sessions,
            "open": start,
            "high": np.maximum(high, np.maximum(start, close)),
            "low": np.minimum(low, np.minimum(start, close)),
            "close": close,
            "volume": volume,
        }
    )
