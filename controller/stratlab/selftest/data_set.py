"""Worlds as data sets, for campaigns in containers."""

from typing import TYPE_CHECKING

import pandas as pd

from stratlab.market_data.content import Content, canonical
from stratlab.selftest.worlds.world import CALENDAR

if TYPE_CHECKING:
    from stratlab.selftest.worlds import World


def content_of(world: "World") -> Content:
    """Return what a data set of a world holds; what did not trade has no row."""
    panel = world.panel
    fields = ("open", "high", "low", "close", "volume")
    days = pd.to_datetime(panel.bars, unit="s").astype("datetime64[ns]")
    rows = pd.concat(
        [
            pd.DataFrame(
                {"symbol": symbol, "session": days}
                | {name: getattr(panel, name)[:, column] for name in fields}
            )
            for column, symbol in enumerate(panel.symbols)
        ]
    )
    none = pd.DataFrame({"symbol": pd.Series(dtype="str"), "session": days[:0], "ratio": 0.0})
    paid = pd.DataFrame(
        {"symbol": none["symbol"], "ex_session": days[:0], "pay_session": days[:0], "amount": 0.0}
    )
    return canonical(
        calendar=CALENDAR,
        timeframe="1d",
        prices=rows[rows["volume"] > 0],
        splits=none,
        dividends=paid,
        tiers=world.tiers,
    )
