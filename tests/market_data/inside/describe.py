"""Runs inside the image: prints everything that a tier's mount contains, as zipline reads it.

Usage: ``python -P describe.py MOUNT``; prints one JSON object. Every date is in epoch seconds.
"""

import json
import math
import sqlite3
import sys
from pathlib import Path

import bcolz
from zipline.utils.calendar_utils import get_calendar

from stratlab_runner.tier_data import ADJUSTMENTS, ASSETS, BARS, open_tier

FIELDS = ["open", "high", "low", "close", "volume"]


def seconds(timestamp):
    """Return epoch seconds of a timestamp, None for none."""
    return None if timestamp is None else int(timestamp.timestamp())


def rows_of(path):
    """Return the rows of every table of a database."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(path.read_bytes())
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - our own names
        for (name,) in names
    }


def main(mount):
    """Print the description."""
    mount = Path(mount)
    tier = open_tier(mount)
    assets = tier.asset_finder.retrieve_all(tier.asset_finder.sids)
    sessions = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)
    arrays = tier.bar_reader.load_raw_arrays(
        FIELDS, sessions[0], sessions[-1], [asset.sid for asset in assets]
    )
    table = bcolz.ctable(rootdir=str(mount / BARS), mode="r")
    description = {
        "sessions": [seconds(session) for session in sessions],
        "last_available": seconds(tier.bar_reader.last_available_dt),
        "last_stored_day": int(table["day"][:].max()),
        "end_session": table.attrs["end_session_ns"] // 10**9,
        "bars": {
            name: [[None if math.isnan(cell) else float(cell) for cell in row] for row in array]
            for name, array in zip(FIELDS, arrays, strict=True)
        },
        "assets": [
            {
                "symbol": asset.symbol,
                "sid": asset.sid,
                "start": seconds(asset.start_date),
                "end": seconds(asset.end_date),
                "auto_close": seconds(asset.auto_close_date),
            }
            for asset in assets
        ],
        "asset_rows": rows_of(mount / ASSETS),
        "adjustment_rows": rows_of(mount / ADJUSTMENTS),
        "tier": [tier.data_set, tier.tier, tier.digest, tier.calendar.name],
        "calendar_is_the_one_of_zipline": tier.calendar is get_calendar(tier.calendar.name),
    }
    json.dump(description, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
