"""Random markets as tables: deaths, births, gaps, splits, dividends; daily and hourly."""

from functools import lru_cache

import numpy as np
import pandas as pd

from stratlab_runner.worlds.scramble import Market

FIRST = pd.Timestamp("2010-01-04")


@lru_cache(maxsize=16)
def daily_market(seed: int, sessions: int) -> Market:
    """AAA and BBB trade always, CCC is born late, DDD and EEE die early; DDD has gaps."""
    return make_market(seed, pd.bdate_range(FIRST, periods=sessions))


def make_market(seed: int, days: pd.DatetimeIndex) -> Market:
    """The same on given sessions."""
    random = np.random.default_rng(seed)
    sessions = len(days)
    lives = {
        "AAA": (0, sessions),
        "BBB": (0, sessions),
        "CCC": (sessions // 3, sessions),
        "DDD": (0, sessions // 2),
        "EEE": (5, sessions * 3 // 4),
    }
    frames, splits, dividends = [], [], []
    for symbol, (first, last) in lives.items():
        count = last - first
        ratios = np.ones(count)
        for row in random.choice(np.arange(10, count - 10), 3, replace=False):
            ratios[row] = 0.5
            splits.append((symbol, days[first + row], 0.5))
        dividends += [
            (symbol, days[first + row], days[first + row + 3], 0.2)
            for row in range(15, count - 5, 30)
        ]
        frame = _bars(random, count, np.cumprod(ratios))
        frame.insert(0, "session", days[first:last])
        frame.insert(0, "symbol", symbol)
        if symbol == "DDD":
            kept = random.random(count) > 0.05
            kept[[0, -1]] = True
            frame = frame[kept]
        frames.append(frame)
    return Market(
        pd.concat(frames, ignore_index=True),
        pd.DataFrame(splits, columns=["symbol", "session", "ratio"]),
        pd.DataFrame(dividends, columns=["symbol", "ex_session", "pay_session", "amount"]),
    )


@lru_cache(maxsize=4)
def hourly_market(seed: int, sessions: int) -> Market:
    """AAA and BBB with seven bars a session."""
    random = np.random.default_rng(seed)
    days = pd.bdate_range(FIRST, periods=sessions)
    labels = [day + pd.Timedelta(hours=15 + hour) for day in days for hour in range(7)]
    frames = []
    for symbol in ("AAA", "BBB"):
        frame = _bars(random, len(labels), np.ones(len(labels)))
        frame.insert(0, "session", np.repeat(days, 7))
        frame.insert(0, "label", labels)
        frame.insert(0, "symbol", symbol)
        frames.append(frame)
    columns = {"session": "datetime64[ns]", "ex_session": "datetime64[ns]"}
    return Market(
        pd.concat(frames, ignore_index=True),
        pd.DataFrame({"symbol": [], "session": [], "ratio": []}).astype(
            {"symbol": str, "session": columns["session"], "ratio": float}
        ),
        pd.DataFrame({"symbol": [], "ex_session": [], "pay_session": [], "amount": []}).astype(
            {
                "symbol": str,
                "ex_session": columns["ex_session"],
                "pay_session": columns["session"],
                "amount": float,
            }
        ),
    )


def _bars(random: np.random.Generator, count: int, ratios: np.ndarray) -> pd.DataFrame:
    close = 120 * np.exp(np.cumsum(random.normal(0.0003, 0.015, count))) * ratios
    before = np.concatenate([[close[0]], close[:-1]]) * np.concatenate(
        [[1], ratios[1:] / ratios[:-1]]
    )
    open_ = before * np.exp(random.normal(0, 0.006, count))
    four = np.round(
        [open_, np.maximum(open_, close) * 1.004, np.minimum(open_, close) * 0.996, close], 2
    )
    return pd.DataFrame(
        {
            "open": four[0],
            "high": four.max(axis=0),
            "low": four.min(axis=0),
            "close": four[3],
            "volume": random.integers(5_000, 50_000, count) * 100,
        }
    )
