"""Random markets as tiers on disk: gaps, listings, delistings and every kind of adjustment."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from zipline.assets import AssetDBWriter
from zipline.data.adjustments import SQLiteAdjustmentWriter
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader, BcolzDailyBarWriter

from stratlab_runner.minute_bars import whole_sessions, write_minutes

FIRST = pd.Timestamp("2019-01-02")
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
NAMES = {0: "1d", 15: "15m", 60: "1h", 240: "4h"}
RATIOS = (0.5, 0.25, 1 / 3, 0.7, 2.0, 3.0, 10.0, 0.97)


@dataclass(frozen=True)
class Life:
    """One asset.

    Attributes:
        listed: Number of its first session.
        sessions: How many it has.
        gaps: Fraction of them without a bar.
        price, volume: About where it starts and what it trades.
        closes: Days from its last session to the one at which zipline closes it.
        splits, mergers: (session, ratio).
        dividends: (session, amount, sessions until it is paid).
        stock_dividends: (session, ratio, number of the asset that is paid).
        odd_hours: Whether effective dates are the day before, which may be no session.
    """

    listed: int
    sessions: int
    gaps: float
    price: float
    volume: int
    closes: int
    splits: tuple[tuple[int, float], ...]
    mergers: tuple[tuple[int, float], ...]
    dividends: tuple[tuple[int, float, int], ...]
    stock_dividends: tuple[tuple[int, float, int], ...]
    odd_hours: bool


@dataclass(frozen=True)
class Market:
    """A universe over some sessions; ``minutes`` is the length of intraday bars, if any."""

    sessions: int
    seed: int
    lives: tuple[Life, ...]
    calendar: str = "XNYS"
    minutes: int = 0


def lives(sessions: int) -> st.SearchStrategy[Life]:
    """Any asset within so many sessions."""
    day = st.integers(0, sessions - 1)
    ratio = st.sampled_from(RATIOS)
    amount = st.sampled_from((0.01, 0.13, 0.5, 2.0))
    return st.builds(
        Life,
        listed=st.just(0) | st.integers(0, sessions // 2),
        sessions=st.just(sessions) | st.integers(2, sessions),
        gaps=st.sampled_from((0.0, 0.0, 0.05, 0.4)),
        price=st.sampled_from((0.5, 9.0, 40.0, 700.0)),
        volume=st.sampled_from((30, 2_000, 500_000)),
        closes=st.integers(1, 4),
        splits=st.lists(st.tuples(day, ratio), max_size=3).map(tuple),
        mergers=st.lists(st.tuples(day, ratio), max_size=1).map(tuple),
        dividends=st.lists(st.tuples(day, amount, st.integers(0, 6)), max_size=3).map(tuple),
        stock_dividends=st.lists(
            st.tuples(day, st.sampled_from((0.1, 0.29, 1.0)), st.integers(0, 3)), max_size=1
        ).map(tuple),
        odd_hours=st.booleans(),
    )


@st.composite
def markets(draw: st.DrawFn, calendar: str = "XNYS", minutes: int = 0) -> Market:
    """Any market of one to four assets, the first of which lives all the time."""
    sessions = draw(st.integers(6, 15) if minutes else st.integers(15, 60))
    first = draw(lives(sessions))
    others = draw(st.lists(lives(sessions), max_size=len(SYMBOLS) - 1))
    whole = Life(**{**_fields(first), "listed": 0, "sessions": sessions})
    return Market(sessions, draw(st.integers(0, 2**32)), (whole, *others), calendar, minutes)


def _fields(life: Life) -> dict[str, object]:
    return {name: getattr(life, name) for name in Life.__dataclass_fields__}


def write(market: Market, folder: Path, calendar: Any) -> None:
    """Write the market as a tier's mount with zipline's own writers."""
    start = calendar.date_to_session(FIRST, "next")
    sessions = calendar.sessions_window(start, market.sessions)
    generator = np.random.default_rng(market.seed)
    if market.minutes:
        frames = _write_intraday(market, folder, sessions, calendar, generator)
    else:
        frames = [_bars(life, _days(life, sessions), generator) for life in market.lives]
    bars = str(folder / "daily_equities.bcolz")
    BcolzDailyBarWriter(bars, calendar, sessions[0], sessions[-1]).write(enumerate(frames))
    equities = pd.DataFrame(
        {
            "symbol": SYMBOLS[: len(frames)],
            "asset_name": SYMBOLS[: len(frames)],
            "exchange": market.calendar,
            "start_date": [frame.index[0] for frame in frames],
            "end_date": [frame.index[-1] for frame in frames],
            "first_traded": [frame.index[0] for frame in frames],
            "auto_close_date": [
                frame.index[-1] + pd.Timedelta(days=life.closes)
                if frame.index[-1] < sessions[-1]
                else pd.NaT
                for life, frame in zip(market.lives, frames, strict=True)
            ],
        },
        index=range(len(frames)),
    )
    AssetDBWriter(str(folder / "assets.sqlite")).write(
        equities=equities,
        exchanges=pd.DataFrame({"exchange": [market.calendar], "country_code": ["US"]}),
    )
    _write_adjustments(market, folder, sessions, BcolzDailyBarReader(bars))
    description = {
        "data_set": "fuzz", "tier": "train", "calendar": market.calendar,
        "first_session": str(sessions[0].date()), "last_session": str(sessions[-1].date()),
        "digest": "0" * 64, "timeframe": NAMES[market.minutes],
    }  # fmt: skip
    (folder / "tier.json").write_text(json.dumps(description))


def _days(life: Life, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return sessions[life.listed : life.listed + life.sessions]


def _write_intraday(
    market: Market,
    folder: Path,
    sessions: pd.DatetimeIndex,
    calendar: Any,
    generator: np.random.Generator,
) -> list[pd.DataFrame]:
    # Writes the minute store; returns the daily bars.
    by_symbol, frames = {}, []
    for symbol, life in zip(SYMBOLS, market.lives, strict=False):
        days = _days(life, sessions)
        rows = []
        for day in days:
            first, last = calendar.session_open(day), calendar.session_close(day)
            step = pd.Timedelta(minutes=market.minutes)
            labels = pd.date_range(first + step, last, freq=step).tz_localize(None)
            rows.append(pd.DataFrame({"label": labels, "session": day}))
        table = pd.concat(rows, ignore_index=True)
        bars = _bars(life, pd.DatetimeIndex(table["label"]), generator, always=1)
        bars = bars.reset_index(drop=True)
        table = table.join(bars)
        table = table[table["volume"] > 0].assign(symbol=symbol)
        by_symbol[symbol] = table
        whole = whole_sessions(table).set_index("session").drop(columns="symbol")
        frames.append(whole.reindex(days, fill_value=0))
    sids = {symbol: sid for sid, symbol in enumerate(by_symbol)}
    write_minutes(folder, by_symbol, sids, sessions, calendar)
    return frames


def _bars(
    life: Life, days: pd.DatetimeIndex, generator: np.random.Generator, always: int = 0
) -> pd.DataFrame:
    # The first bars trade always, for the minute store has no asset without any.
    count = len(days)
    close = life.price * np.exp(generator.normal(0, 0.03, count).cumsum())
    start = close * np.exp(generator.normal(0, 0.01, count))
    high = np.maximum(start, close) * (1 + abs(generator.normal(0, 0.01, count)))
    low = np.minimum(start, close) * (1 - abs(generator.normal(0, 0.01, count)))
    volume = generator.integers(1, 2 * life.volume, count)
    frame = pd.DataFrame(
        {"open": start, "high": high, "low": low, "close": close, "volume": volume}, index=days
    ).round(3)
    frame[(generator.random(count) < life.gaps) & (np.arange(count) >= always)] = 0
    return frame.clip(lower=0)


def _write_adjustments(
    market: Market, folder: Path, sessions: pd.DatetimeIndex, reader: BcolzDailyBarReader
) -> None:
    splits, mergers, dividends, stock = [], [], [], []
    for sid, life in enumerate(market.lives):
        shift = pd.Timedelta(days=int(life.odd_hours))
        for kind, rows in ((splits, life.splits), (mergers, life.mergers)):
            kind += [
                {"sid": sid, "effective_date": sessions[day] - shift, "ratio": ratio}
                for day, ratio in dict(rows).items()
            ]
        for day, amount, later in life.dividends:
            paid = sessions[min(day + later, len(sessions) - 1)]
            dividends.append(
                {"sid": sid, "ex_date": sessions[day], "declared_date": pd.NaT,
                 "record_date": pd.NaT, "pay_date": paid, "amount": amount}
            )  # fmt: skip
        for day, ratio, paid_in in life.stock_dividends:
            stock.append({"sid": sid, "ex_date": sessions[day], "declared_date": sessions[day],
                          "record_date": sessions[day], "pay_date": sessions[-1],
                          "payment_sid": paid_in % len(market.lives), "ratio": ratio})  # fmt: skip
    with SQLiteAdjustmentWriter(
        str(folder / "adjustments.sqlite"), reader, overwrite=True
    ) as writer:
        writer.write(
            splits=pd.DataFrame(splits, columns=["sid", "effective_date", "ratio"]),
            mergers=pd.DataFrame(mergers, columns=["sid", "effective_date", "ratio"]),
            dividends=_typed(dividends, ("amount",)),
            stock_dividends=_typed(stock, ("payment_sid", "ratio")),
        )


def _typed(rows: list[dict[str, object]], others: tuple[str, ...]) -> pd.DataFrame:
    dates = ("ex_date", "declared_date", "record_date", "pay_date")
    frame = pd.DataFrame(rows, columns=["sid", *dates, *others])
    return frame.astype(dict.fromkeys(dates, "datetime64[ns]"))
