"""Writes a tier directory from a JSON description, with zipline's own writers.

Usage: make_tier.py DESCRIPTION TARGET
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from zipline.assets import AssetDBWriter
from zipline.data.adjustments import SQLiteAdjustmentWriter
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader, BcolzDailyBarWriter
from zipline.utils.calendar_utils import get_calendar


class Frames(NamedTuple):
    """Arguments of zipline's writers."""

    sessions: pd.DatetimeIndex
    bars: list[tuple[int, pd.DataFrame]]
    equities: pd.DataFrame
    splits: pd.DataFrame
    dividends: pd.DataFrame


def frames(description: dict[str, Any]) -> Frames:
    """The description as zipline's writers take it; bars are [open, high, low, close, volume]."""
    sessions = get_calendar("XNYS").sessions_in_range(description["first"], description["last"])
    sids = {symbol: sid for sid, symbol in enumerate(sorted(description["bars"]))}
    bars = {
        sids[symbol]: pd.DataFrame(
            rows, columns=["open", "high", "low", "close", "volume"], index=sessions[: len(rows)]
        )
        for symbol, rows in description["bars"].items()
    }
    ends = [bars[sid].index[-1] for sid in sids.values()]
    equities = pd.DataFrame(
        {
            "symbol": sids.keys(),
            "asset_name": sids.keys(),
            "exchange": "TEST",
            "start_date": sessions[0],
            "end_date": ends,
            "auto_close_date": [end + pd.Timedelta(days=1) for end in ends],
        },
        index=sids.values(),
    )
    splits = pd.DataFrame(
        [
            {"sid": sids[symbol], "effective_date": sessions[number], "ratio": ratio}
            for number, symbol, ratio in description["splits"]
        ],
        columns=["sid", "effective_date", "ratio"],
    )
    dividends = pd.DataFrame(
        [
            {
                "sid": sids[symbol],
                "ex_date": sessions[number],
                "declared_date": pd.NaT,
                "record_date": pd.NaT,
                "pay_date": sessions[number + 2],
                "amount": amount,
            }
            for number, symbol, amount in description["dividends"]
        ],
        columns=["sid", "ex_date", "declared_date", "record_date", "pay_date", "amount"],
    )
    return Frames(sessions, sorted(bars.items()), equities, splits, dividends)


def main() -> None:
    data = frames(json.loads(Path(sys.argv[1]).read_text()))
    target = Path(sys.argv[2])
    sessions = data.sessions
    path = str(target / "daily_equities.bcolz")
    BcolzDailyBarWriter(path, get_calendar("XNYS"), sessions[0], sessions[-1]).write(data.bars)
    AssetDBWriter(str(target / "assets.sqlite")).write(
        equities=data.equities,
        exchanges=pd.DataFrame({"exchange": ["TEST"], "country_code": ["US"]}),
    )
    with SQLiteAdjustmentWriter(
        str(target / "adjustments.sqlite"), BcolzDailyBarReader(path), overwrite=True
    ) as writer:
        writer.write(splits=data.splits, dividends=data.dividends)
    (target / "tier.json").write_text(
        json.dumps(
            {
                "data_set": "test",
                "tier": "train",
                "calendar": "XNYS",
                "first_session": str(sessions[0].date()),
                "last_session": str(sessions[-1].date()),
                "digest": "0" * 64,
            }
        )
    )


if __name__ == "__main__":
    main()
