"""Writes a tier directory from a JSON description, with zipline's own writers.

Usage: make_tier.py DESCRIPTION TARGET
"""

import json
import sys
from pathlib import Path

import pandas as pd
from zipline.assets import AssetDBWriter
from zipline.data.adjustments import SQLiteAdjustmentWriter
from zipline.data.bcolz_daily_bars import BcolzDailyBarReader, BcolzDailyBarWriter
from zipline.utils.calendar_utils import get_calendar


def main() -> None:
    description = json.loads(Path(sys.argv[1]).read_text())
    target = Path(sys.argv[2])
    calendar = get_calendar("XNYS")
    sessions = calendar.sessions_in_range(description["first"], description["last"])
    sids = {symbol: sid for sid, symbol in enumerate(sorted(description["bars"]))}
    bars = {
        sids[symbol]: pd.DataFrame(
            rows, columns=["open", "high", "low", "close", "volume"], index=sessions[: len(rows)]
        )
        for symbol, rows in description["bars"].items()
    }
    path = str(target / "daily_equities.bcolz")
    BcolzDailyBarWriter(path, calendar, sessions[0], sessions[-1]).write(sorted(bars.items()))
    equities = pd.DataFrame(
        {
            "symbol": sids.keys(),
            "asset_name": sids.keys(),
            "exchange": "TEST",
            "start_date": [frame.index[0] for frame in bars.values()],
            "end_date": [frame.index[-1] for frame in bars.values()],
            "auto_close_date": [
                frame.index[-1] + pd.Timedelta(days=1) if len(frame) < len(sessions) else pd.NaT
                for frame in bars.values()
            ],
        },
        index=sids.values(),
    )
    exchanges = pd.DataFrame({"exchange": ["TEST"], "country_code": ["US"]})
    AssetDBWriter(str(target / "assets.sqlite")).write(
        equities=equities, exchanges=exchanges
    )
    splits = pd.DataFrame(
        [
            {"sid": sids[symbol], "effective_date": sessions[number], "ratio": ratio}
            for number, symbol, ratio in description.get("splits", [])
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
            for number, symbol, amount in description.get("dividends", [])
        ],
        columns=["sid", "ex_date", "declared_date", "record_date", "pay_date", "amount"],
    )
    with SQLiteAdjustmentWriter(
        str(target / "adjustments.sqlite"), BcolzDailyBarReader(path), overwrite=True
    ) as writer:
        writer.write(splits=splits, dividends=dividends)
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
