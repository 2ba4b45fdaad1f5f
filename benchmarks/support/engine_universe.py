"""A made-up universe of many stocks over many years, as a tier's mount."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from zipline.assets import AssetDBWriter
from zipline.data.adjustments import SQLiteAdjustmentWriter
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader, BcolzDailyBarWriter

from stratlab_runner.calendars import open_calendar
from stratlab_runner.fast.day_bars import DayBars
from stratlab_runner.tier_data import DAYS

FIRST = pd.Timestamp("1994-01-03")
SPLIT_SHARE, PAYING_SHARE, GONE_SHARE = 0.1, 0.1, 0.1


def write_universe(folder: Path, assets: int, years: int) -> Path:
    """Write the universe unless it is there; return its folder.

    A tenth of the assets split once, a tenth pay dividends every quarter, a tenth are delisted.
    """
    if (folder / "tier.json").exists():
        return folder
    folder.mkdir(parents=True)
    last = FIRST + pd.DateOffset(years=years)
    calendar = open_calendar("XNYS", FIRST, last)
    sessions = calendar.sessions_in_range(FIRST, last)
    generator = np.random.default_rng(1)
    ends = np.full(assets, len(sessions))
    gone = generator.random(assets) < GONE_SHARE
    ends[gone] = generator.integers(len(sessions) // 3, len(sessions) - 30, gone.sum())
    bars = str(folder / "daily_equities.bcolz")
    BcolzDailyBarWriter(bars, calendar, sessions[0], sessions[-1]).write(
        _frames(sessions, ends, generator), invalid_data_behavior="raise"
    )
    names = [f"S{number:05d}" for number in range(assets)]
    closed = [sessions[end] if end < len(sessions) else pd.NaT for end in ends]
    equities = pd.DataFrame(
        {"symbol": names, "asset_name": names, "exchange": "XNYS", "start_date": sessions[0],
         "end_date": sessions[ends - 1], "first_traded": sessions[0], "auto_close_date": closed}
    )  # fmt: skip
    AssetDBWriter(str(folder / "assets.sqlite")).write(
        equities=equities,
        exchanges=pd.DataFrame({"exchange": ["XNYS"], "country_code": ["US"]}),
    )
    reader = BcolzDailyBarReader(bars)
    _write_adjustments(folder, reader, sessions, ends, generator)
    (folder / DAYS).mkdir()
    DayBars.compile(reader, folder / DAYS)
    description = {
        "data_set": "momentum", "tier": "train", "calendar": "XNYS", "timeframe": "1d",
        "first_session": str(sessions[0].date()), "last_session": str(sessions[-1].date()),
        "digest": "0" * 64,
    }  # fmt: skip
    (folder / "tier.json").write_text(json.dumps(description))
    return folder


def _frames(
    sessions: pd.DatetimeIndex, ends: np.ndarray, generator: np.random.Generator
) -> Iterator[tuple[int, pd.DataFrame]]:
    for sid, end in enumerate(ends):
        steps = generator.normal(0.0002, 0.02, end).cumsum()
        close = generator.uniform(20, 90) * np.exp(np.clip(steps, -3, 3))
        start = close * np.exp(generator.normal(0, 0.006, end))
        yield (
            sid,
            pd.DataFrame(
                {
                    "open": start.round(2),
                    "high": (np.maximum(start, close) * 1.004).round(2),
                    "low": (np.minimum(start, close) * 0.996).round(2),
                    "close": close.round(2),
                    "volume": generator.integers(200_000, 2_000_000, end),
                },
                index=sessions[:end],
            ),
        )


def _write_adjustments(
    folder: Path,
    reader: BcolzDailyBarReader,
    sessions: pd.DatetimeIndex,
    ends: np.ndarray,
    generator: np.random.Generator,
) -> None:
    splits, dividends = [], []
    for sid, end in enumerate(ends):
        if generator.random() < SPLIT_SHARE:
            day = int(generator.integers(1, end))
            splits.append({"sid": sid, "effective_date": sessions[day], "ratio": 0.5})
        if generator.random() < PAYING_SHARE:
            dividends += [
                {"sid": sid, "ex_date": sessions[day], "declared_date": pd.NaT,
                 "record_date": pd.NaT, "pay_date": sessions[day + 5], "amount": 0.1}
                for day in range(20, end - 10, 63)
            ]  # fmt: skip
    with SQLiteAdjustmentWriter(
        str(folder / "adjustments.sqlite"), reader, overwrite=True
    ) as writer:
        writer.write(splits=pd.DataFrame(splits), dividends=pd.DataFrame(dividends))
