"""Opens one tier's mount: the readers, assets and calendar that a zipline run needs."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import final

import bcolz
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from zipline.assets import AssetFinder
from zipline.data.adjustments import SQLiteAdjustmentReader
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader
from zipline.utils.calendar_utils import TradingCalendar, get_calendar

BARS = "daily_equities.bcolz"
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
        calendar: Zipline's own calendar instance; zipline compares it by identity.
        first_session: First session with prices, without time zone.
        last_session: Last session with prices, without time zone.
        asset_finder: Finds assets by symbol.
        bar_reader: Raw daily bars.
        adjustment_reader: Splits and dividends.
    """

    data_set: str
    tier: str
    digest: str
    calendar: TradingCalendar
    first_session: pd.Timestamp
    last_session: pd.Timestamp
    asset_finder: AssetFinder
    bar_reader: BcolzDailyBarReader
    adjustment_reader: SQLiteAdjustmentReader


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
    return TierData(
        data_set=description["data_set"],
        tier=description["tier"],
        digest=description["digest"],
        calendar=get_calendar(description["calendar"]),
        first_session=pd.Timestamp(description["first_session"]),
        last_session=pd.Timestamp(description["last_session"]),
        asset_finder=AssetFinder(engine),
        bar_reader=BcolzDailyBarReader(str(path / BARS)),
        adjustment_reader=SQLiteAdjustmentReader(_in_memory(path / ADJUSTMENTS)),
    )


def _in_memory(path: Path) -> sqlite3.Connection:
    # A copy needs no file lock, survives a fork, and spares gVisor thousands of file reads.
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(path.read_bytes())
    return connection
