"""Trusted job: writes worlds, each laid out as the tier that it is made from.

Run as ``python -P -m stratlab_runner.worlds.build`` by the controller. ``/input`` holds
``prices.csv``, ``splits.csv`` and ``dividends.csv`` of a tier, its own ``tier.json``, and
``plan.json`` (symbols of the whole data set; worlds: name, cut, seed, against, bars,
dropped_sessions); ``/output/<name>/`` receives a mount. Equal input gives equal bytes, and a world
with nothing changed those of the tier.
"""

import json
import os
from pathlib import Path
from typing import Any

import bcolz
import pandas as pd

from stratlab_runner.build_tiers import INPUT, OUTPUT, Tables, build_tier, read_tables
from stratlab_runner.calendars import open_calendar
from stratlab_runner.tier_data import DESCRIPTION
from stratlab_runner.worlds.scramble import Cut, Market, scramble


def main(source: Path = INPUT, target: Path = OUTPUT) -> None:
    """Build every world of the plan.

    Args:
        source: Directory with the plan, the tables and the tier's description.
        target: Directory that receives one directory for each world.
    """
    # As for the tiers themselves: several threads would write blocks in any order, and containers
    # read the mounts under other user ids.
    bcolz.set_nthreads(1)
    os.umask(0o022)
    plan = json.loads((source / "plan.json").read_text(encoding="utf-8"))
    description = json.loads((source / DESCRIPTION).read_text(encoding="utf-8"))
    first, last = (pd.Timestamp(description[f"{end}_session"]) for end in ("first", "last"))
    calendar = open_calendar(description["calendar"], first, last)
    sessions = calendar.sessions_in_range(first, last)
    tables = read_tables(source).until(last)
    sids = {symbol: sid for sid, symbol in enumerate(plan["symbols"])}
    for world in plan["worlds"]:
        folder = target / world["name"]
        folder.mkdir(mode=0o755)
        left = sessions[world["dropped_sessions"] :]
        build_tier(folder, _changed(tables, world, left[0]), sids, left, calendar)
        told = description | {"first_session": str(left[0].date())}
        text = json.dumps(told, indent=2, sort_keys=True) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _changed(tables: Tables, world: dict[str, Any], first: pd.Timestamp) -> Tables:
    prices, splits, dividends = tables.prices, tables.splits, tables.dividends
    prices = prices[prices["session"] >= first]
    # What takes effect at the first session already changes nothing that is still there.
    splits = splits[splits["session"] >= first]
    dividends = dividends[dividends["ex_session"] >= first]
    if world["cut"] is not None:
        cut = Cut(world["cut"], world["seed"], world["against"], world["bars"])
        market = scramble(Market(prices, splits, dividends), cut)
        prices, splits, dividends = market.prices, market.splits, market.dividends
    return Tables(prices, splits, dividends)


if __name__ == "__main__":
    main()
