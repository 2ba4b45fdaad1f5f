"""Trusted job: writes the mounts of a data set's tiers with zipline's own writers.

Run as ``python -P -m stratlab_runner.build_tiers`` by the controller. ``/input`` holds
``plan.json`` (data_set, digest, calendar, timeframe, tiers: name -> last session,
empty_sessions: those without any daily bar), ``prices.csv``, ``splits.csv`` and
``dividends.csv`` of the whole data set; ``/output/<tier>/`` receives a mount that holds
nothing later than the tier's last session. Equal input gives equal bytes.
"""

import itertools
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import bcolz
import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from zipline.assets import AssetDBWriter
from zipline.data.adjustments import SQLiteAdjustmentWriter
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader, BcolzDailyBarWriter
from zipline.utils.calendar_utils import TradingCalendar

from stratlab_runner.calendars import COUNTRIES, open_calendar
from stratlab_runner.fast.day_bars import DayBars
from stratlab_runner.minute_bars import check_labels, whole_sessions, write_minutes
from stratlab_runner.tier_data import ADJUSTMENTS, ASSETS, BARS, DAYS, DESCRIPTION

INPUT = Path("/input")
OUTPUT = Path("/output")

FIELDS = ("open", "high", "low", "close", "volume")


@final
@dataclass(frozen=True, slots=True)
class Tables:
    """The whole data set.

    Attributes:
        prices: Columns symbol, session and :data:`FIELDS`, and label where bars are intraday;
            ordered by symbol and time.
        splits: Columns symbol, session, ratio.
        dividends: Columns symbol, ex_session, pay_session, amount.
    """

    prices: pd.DataFrame
    splits: pd.DataFrame
    dividends: pd.DataFrame

    def until(self, last: pd.Timestamp) -> "Tables":
        """Return what is known at the end of ``last``."""
        dividends = self.dividends[self.dividends["ex_session"] <= last].copy()
        # The date of a payment after the tier would be news from outside; NaT is never paid.
        dividends["pay_session"] = dividends["pay_session"].where(dividends["pay_session"] <= last)
        return Tables(
            self.prices[self.prices["session"] <= last],
            self.splits[self.splits["session"] <= last],
            dividends,
        )


def read_tables(folder: Path) -> Tables:
    """Read the three tables of a data set.

    Args:
        folder: Directory with ``prices.csv``, ``splits.csv`` and ``dividends.csv``.
    """
    with (folder / "prices.csv").open(encoding="utf-8") as file:
        header = file.readline().strip().split(",")
    times = [name for name in ("label", "session") if name in header]
    return Tables(
        _read(folder / "prices.csv", *times),
        _read(folder / "splits.csv", "session"),
        _read(folder / "dividends.csv", "ex_session", "pay_session"),
    )


def check_sessions(
    prices: pd.DataFrame, empty: Sequence[str], calendar: TradingCalendar
) -> pd.DatetimeIndex:
    """Return the calendar's sessions from the first to the last bar.

    Args:
        prices: All bars; of intraday ones, sessions without any are allowed.
        empty: Sessions that are known to have no bar.
        calendar: Zipline's calendar instance.

    Raises:
        ValueError: A bar lies on no session, or another session has no bar of any symbol.
    """
    bars = pd.DatetimeIndex(prices["session"].unique()).union(pd.DatetimeIndex(empty)).sort_values()
    sessions = calendar.sessions_in_range(bars[0], bars[-1])
    without = sessions.difference(bars) if "label" not in prices else sessions[:0]
    for problem, days in (
        ("bars on days that are no session", bars.difference(sessions)),
        ("sessions without any bar", without),
    ):
        if len(days):
            named = ", ".join(str(day.date()) for day in days[:5])
            raise ValueError(f"calendar {calendar.name}: {len(days)} {problem}, first: {named}")
    return sessions


def build_tier(
    folder: Path,
    tables: Tables,
    sids: dict[str, int],
    sessions: pd.DatetimeIndex,
    calendar: TradingCalendar,
) -> None:
    """Write bars, assets and adjustments of one tier, and the daily bars as arrays.

    Intraday bars go to the minute store, and as whole sessions to the daily one.

    Args:
        folder: Existing empty directory.
        tables: Content, already cut at the tier's end.
        sids: Number of each symbol, the same in every tier.
        sessions: Sessions of the tier, from the first bar on.
        calendar: Zipline's calendar instance.
    """
    daily = tables.prices
    if "label" in daily:
        write_minutes(folder, dict(list(daily.groupby("symbol"))), sids, sessions, calendar)
        daily = whole_sessions(daily)
    by_symbol = dict(list(daily.groupby("symbol")))
    bars = str(folder / BARS)
    BcolzDailyBarWriter(bars, calendar, sessions[0], sessions[-1]).write(
        ((sids[symbol], _dense(frame, sessions)) for symbol, frame in by_symbol.items()),
        invalid_data_behavior="raise",
    )
    days = folder / DAYS
    days.mkdir()
    DayBars.compile(BcolzDailyBarReader(bars), days)
    traded = sessions[sessions.isin(daily["session"])] if "label" in tables.prices else sessions
    dates = _closing_dates(traded, calendar)
    _write_assets(folder / ASSETS, by_symbol, sids, dates, calendar.name)
    _write_adjustments(folder / ADJUSTMENTS, tables, sids, BcolzDailyBarReader(bars))


def main(source: Path = INPUT, target: Path = OUTPUT) -> None:
    """Build every tier of the plan.

    Args:
        source: Directory with the plan and the tables.
        target: Directory that receives one directory for each tier.

    Raises:
        ValueError: The tables do not fit the calendar or zipline's number formats, or the
            calendar is unknown.
    """
    # Several threads would finish a column's blocks, and so write them, in any order.
    bcolz.set_nthreads(1)
    # Containers read the mounts under other user ids.
    os.umask(0o022)
    plan = json.loads((source / "plan.json").read_text(encoding="utf-8"))
    tables = read_tables(source)
    days = tables.prices["session"]
    calendar = open_calendar(plan["calendar"], days.min(), days.max())
    if "label" in tables.prices:
        check_labels(tables.prices, calendar)
    sessions = check_sessions(tables.prices, plan["empty_sessions"], calendar)
    sids = {symbol: sid for sid, symbol in enumerate(sorted(tables.prices["symbol"].unique()))}
    for tier, last in sorted(plan["tiers"].items()):
        folder = target / tier
        folder.mkdir(mode=0o755)
        inside = sessions[sessions <= pd.Timestamp(last)]
        build_tier(folder, tables.until(inside[-1]), sids, inside, calendar)
        description = {
            "data_set": plan["data_set"],
            "tier": tier,
            "calendar": plan["calendar"],
            "timeframe": plan["timeframe"],
            "first_session": str(inside[0].date()),
            "last_session": str(inside[-1].date()),
            "digest": plan["digest"],
        }
        text = json.dumps(description, indent=2, sort_keys=True) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _read(path: Path, *dates: str) -> pd.DataFrame:
    return pd.read_csv(
        path,
        parse_dates=list(dates),
        dtype={"symbol": str},
        keep_default_na=False,
        float_precision="round_trip",
    )


def _dense(frame: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    # The writer wants a row for every session of an asset's life; zeros mean "no bar".
    rows = frame.set_index("session")[list(FIELDS)]
    life = sessions[(sessions >= rows.index[0]) & (sessions <= rows.index[-1])]
    return rows.reindex(life, fill_value=0)


def _closing_dates(
    sessions: pd.DatetimeIndex, calendar: TradingCalendar
) -> dict[pd.Timestamp, Any]:
    # Last session of an asset -> when zipline is to close it: at the end of the first session
    # without it. Zipline asks whether a session's end has reached that date. A session that
    # ends at the next one's midnight would close the asset a session early: a second more.
    dates = {sessions[-1]: pd.NaT}
    for last, following in itertools.pairwise(sessions):
        reached = calendar.session_close(last).tz_localize(None) >= following
        dates[last] = following + pd.Timedelta(seconds=int(reached))
    return dates


def _write_assets(
    path: Path,
    by_symbol: dict[str, pd.DataFrame],
    sids: dict[str, int],
    closing_dates: dict[pd.Timestamp, Any],
    exchange: str,
) -> None:
    lives = {sids[symbol]: (symbol, frame["session"]) for symbol, frame in by_symbol.items()}
    ends = {sid: life.iloc[-1] for sid, (_, life) in lives.items()}
    equities = pd.DataFrame(
        {
            "symbol": {sid: symbol for sid, (symbol, _) in lives.items()},
            "asset_name": {sid: symbol for sid, (symbol, _) in lives.items()},
            "start_date": {sid: life.iloc[0] for sid, (_, life) in lives.items()},
            "end_date": ends,
            "first_traded": {sid: life.iloc[0] for sid, (_, life) in lives.items()},
            # A delisted asset is closed in cash at the first session without it; one that
            # lives on after the tier never is.
            "auto_close_date": {sid: closing_dates[end] for sid, end in ends.items()},
            "exchange": dict.fromkeys(lives, exchange),
        }
    )
    exchanges = pd.DataFrame(
        {
            "exchange": [exchange],
            "canonical_name": [exchange],
            "country_code": [COUNTRIES[exchange]],
        }
    )
    connection = sqlite3.connect(":memory:")
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    AssetDBWriter(engine).write(equities=equities, exchanges=exchanges)
    _save(connection, path)


def _write_adjustments(
    path: Path, tables: Tables, sids: dict[str, int], reader: BcolzDailyBarReader
) -> None:
    splits = pd.DataFrame(
        {
            "sid": tables.splits["symbol"].map(sids).astype("int64"),
            "effective_date": tables.splits["session"],
            "ratio": tables.splits["ratio"].astype("float64"),
        }
    )
    dividends = pd.DataFrame(
        {
            "sid": tables.dividends["symbol"].map(sids).astype("int64"),
            "ex_date": tables.dividends["ex_session"],
            "declared_date": np.datetime64("NaT", "ns"),
            "record_date": np.datetime64("NaT", "ns"),
            "pay_date": tables.dividends["pay_session"],
            "amount": tables.dividends["amount"].astype("float64"),
        }
    )
    connection = sqlite3.connect(":memory:")
    SQLiteAdjustmentWriter(connection, reader).write(
        splits=splits.reset_index(drop=True), dividends=dividends.reset_index(drop=True)
    )
    _save(connection, path)


def _save(connection: sqlite3.Connection, path: Path) -> None:
    # Databases are made in memory: the sandbox's seccomp profile refuses the locks that SQLite
    # takes on files. SQLAlchemy creates a table's indexes in the order of a set, so they are
    # created once more in the order of their names; VACUUM then lays out the pages afresh.
    connection.commit()
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL ORDER BY name"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    for _, statement in indexes:
        connection.execute(statement)
    connection.commit()
    connection.execute("VACUUM")
    path.write_bytes(connection.serialize())
    connection.close()


if __name__ == "__main__":
    main()
