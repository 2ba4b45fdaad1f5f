"""Opens one tier's mount: the readers, assets and calendar that a zipline run needs."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import bcolz
import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.pool import StaticPool
from zipline.assets import AssetFinder
from zipline.data.adjustments import SQLiteAdjustmentReader
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader
from zipline.data.bcolz_minute_bars import BcolzMinuteBarReader
from zipline.utils.calendar_utils import TradingCalendar

from stratlab_runner.calendars import open_calendar
from stratlab_runner.fast.day_bars import DayBars
from stratlab_runner.fast.minute_bars import MinuteBars

if TYPE_CHECKING:
    from stratlab_runner.sealed.market import SealedMarket

BARS = "daily_equities.bcolz"
MINUTES = "minute_equities.bcolz"
LABELS = "labels.npy"
DAYS = "days"
ASSETS = "assets.sqlite"
ADJUSTMENTS = "adjustments.sqlite"
DESCRIPTION = "tier.json"


@final
@dataclass(frozen=True, slots=True)
class TierData:
    """Everything that a run may know of the markets.

    Safe to open before a fork and to use in the children: both databases are private copies in
    memory, and the bar reader opens a column's files for each read and keeps none open. A child
    sees the parent's state and changes only its own. Not safe to share between threads.

    Attributes:
        data_set: Name of the data set.
        tier: ``train``, ``validation`` or ``holdout``.
        digest: Digest of the whole data set, hex.
        timeframe: ``1d``, or the length of the intraday bars.
        calendar: Zipline's own calendar instance; zipline compares it by identity.
        first_session: First session with prices, without time zone.
        last_session: Last session with prices, without time zone.
        asset_finder: Finds assets by symbol.
        bar_reader: Raw daily bars.
        adjustment_reader: Splits and dividends.
        minute_reader: Raw intraday bars in the minutes that they are labelled with, None where
            bars are daily.
        labels: UTC epoch seconds of every intraday bar, ascending; empty where bars are daily.
        day_bars: The daily bars once more, for the fast engine.
        minute_bars: The intraday bars once more, None where there are none or too many.
        market: What reveals the bars one by one, None where they are all there.
    """

    data_set: str
    tier: str
    digest: str
    timeframe: str
    calendar: TradingCalendar
    first_session: pd.Timestamp
    last_session: pd.Timestamp
    asset_finder: AssetFinder
    bar_reader: BcolzDailyBarReader
    adjustment_reader: SQLiteAdjustmentReader
    minute_reader: BcolzMinuteBarReader | None
    labels: NDArray[np.int64]
    day_bars: DayBars
    minute_bars: MinuteBars | None
    market: "SealedMarket | None" = None


def open_tier(path: Path) -> TierData:
    """Open a tier's directory, which may be mounted read-only and without file locks.

    Args:
        path: Directory written by :mod:`stratlab_runner.build_tiers`.

    Raises:
        OSError: A file is missing or not readable.
        ValueError: A file is not what the tier's format says.
    """
    # Blosc's worker threads would not survive a fork.
    bcolz.set_nthreads(1)
    description = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    assets = _in_memory(path / ASSETS)
    engine = sa.create_engine("sqlite://", creator=lambda: assets, poolclass=StaticPool)
    first, last = (pd.Timestamp(description[f"{end}_session"]) for end in ("first", "last"))
    # Before the readers, which look the calendar up by its name.
    calendar = open_calendar(description["calendar"], first, last)
    # Mounts of the first data sets, which were all daily, do not tell.
    timeframe = description.get("timeframe", "1d")
    intraday = timeframe != "1d"
    bar_reader = BcolzDailyBarReader(str(path / BARS))
    minute_reader = BcolzMinuteBarReader(str(path / MINUTES)) if intraday else None
    labels = np.load(path / LABELS) if intraday else np.empty(0, "int64")
    finder = AssetFinder(engine)
    return TierData(
        data_set=description["data_set"],
        tier=description["tier"],
        digest=description["digest"],
        timeframe=timeframe,
        calendar=calendar,
        first_session=first,
        last_session=last,
        asset_finder=finder,
        bar_reader=bar_reader,
        adjustment_reader=SQLiteAdjustmentReader(_in_memory(path / ADJUSTMENTS)),
        minute_reader=minute_reader,
        labels=labels,
        day_bars=_day_bars(path / DAYS, bar_reader),
        minute_bars=minute_reader
        and MinuteBars.compile(minute_reader, labels, finder.equities_sids),
    )


def _day_bars(folder: Path, reader: BcolzDailyBarReader) -> DayBars:
    # Mounts of the first data sets have no arrays.
    if folder.is_dir():
        return DayBars.open(folder, reader.sessions)
    return DayBars.compile(reader)


def _in_memory(path: Path) -> sqlite3.Connection:
    # A copy needs no file lock, survives a fork, and spares gVisor thousands of file reads.
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(path.read_bytes())
    return connection
