"""Rows of bars inside a session: their times, sessions, actions and volumes."""

import re
from enum import StrEnum
from typing import Any, final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.calendars import bar_ends, sessions_of
from stratlab.market_data.imports.corporate import Actions, ActionSource, find_actions
from stratlab.market_data.imports.files import SourceFile
from stratlab.market_data.imports.findings import Findings
from stratlab.market_data.imports.parsing import EPOCH_UNITS

_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_FORMATS = ("ISO8601", "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S")


@final
class Stamp(StrEnum):
    """Which end of its bar a row's time is."""

    START = "start"
    END = "end"


def check_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        InvalidInputError: There is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"--timezone: there is no time zone {name!r}",
            hint="Use a name like UTC or America/New_York.",
        ) from None
    return name


def parse_times(
    file: SourceFile, table: pd.DataFrame, column: str, zone: str
) -> "pd.Series[pd.Timestamp]":
    """Return the moments of a column, UTC without time zone.

    Args:
        file: Where the table comes from.
        table: Its rows.
        column: ISO 8601 or a few other forms, or numbers since 1970; an offset counts.
        zone: Of times without an offset.

    Raises:
        InvalidInputError: A cell is no moment; names file, line and column.
    """
    cells = table[column]
    times = _read(cells)
    if times.dt.tz is None:
        times = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if bool(times.isna().any()):
        row = int(times.isna().idxmax())
        raise InvalidInputError(
            f"{file.name}, {file.row_name(row)}, column {column!r}: {str(cells[row])[:40]!r} is no "
            f"single moment in {zone} (YYYY-MM-DD HH:MM)",
            hint="Correct the file, name another column with --column, or give --timezone.",
            file=file.name,
            row=row,
            column=column,
        )
    return times.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ns]")


def label_rows(
    rows: pd.DataFrame, calendar: str, timeframe: str, stamp: Stamp, findings: Findings
) -> pd.DataFrame:
    """Return rows with columns label and session, NaT where the calendar has no such bar.

    Args:
        rows: Column time, UTC.
        calendar: Exchange calendar name.
        timeframe: Length of the bars.
        stamp: What the times are.
        findings: Told what is assumed of the times.

    Raises:
        InvalidInputError: The calendar or the timeframe is unknown.
    """
    labels = pd.DatetimeIndex(rows["time"])
    if stamp is Stamp.START:
        labels = bar_ends(calendar, timeframe, labels)
    findings.soft("times", "", f"times are taken for the {stamp} of their bars")
    sessions = sessions_of(calendar, timeframe, labels)
    return rows.drop(columns="time").assign(label=labels, session=sessions)


def session_actions(
    bars: pd.DataFrame, given: Actions, source: ActionSource, findings: Findings
) -> Actions:
    """Return the corporate actions of intraday bars: those that are given, on their sessions.

    Args:
        bars: Ordered by symbol and label.
        given: Splits and dividends of columns or files.
        source: ``auto``, ``given`` or ``none``.
        findings: Where problems are told.

    Raises:
        InvalidInputError: They are to be recovered from adjusted closes, which needs daily bars.
    """
    if source is ActionSource.ADJ_CLOSE:
        raise InvalidInputError(
            "--actions adj-close needs daily bars",
            hint="Give splits and dividends as files, or use --actions none.",
        )
    daily = bars.groupby(["symbol", "session"], as_index=False).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    raw, actions = find_actions(daily, given, source, findings)
    if not np.array_equal(raw["close"], daily["close"]):
        findings.hard(
            "split_adjusted",
            "",
            "prices were adjusted for the listed splits already; leave those splits out",
        )
    return actions


def with_session_volumes(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the bars with the whole session's volume, which must fit zipline's numbers too."""
    return bars.assign(volume=bars.groupby(["symbol", "session"])["volume"].transform("sum"))


def _read(cells: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    if pd.api.types.is_datetime64_any_dtype(cells):
        return cells
    if pd.api.types.is_numeric_dtype(cells):
        typical = float(cells.dropna().abs().median()) if cells.notna().any() else 0.0
        for unit, least in EPOCH_UNITS.items():
            if typical > least:
                return pd.to_datetime(cells, unit=unit, utc=True, errors="coerce")
    text = cells.astype("string").str.strip()
    zoned = text.str.contains(_OFFSET).fillna(value=False)
    readings = [
        pd.to_datetime(text, format=form, errors="coerce", utc=bool(zoned.any()))
        for form in _FORMATS
    ]
    best = max(readings, key=lambda times: int(times.notna().sum()))
    # Among times with an offset, those without one are no moments.
    return best.where(zoned) if zoned.any() else best
