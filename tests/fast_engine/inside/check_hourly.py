"""The compiled templates do the same on both engines on hourly bars, on two calendars.

A program of its own: a process opens each calendar once, and its days are not those of ``/data``.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from check_sources import OWN, run
from markets import Life, Market
from opening import open_market
from runs import difference, temporary

HOURLY = Life(
    listed=0, sessions=200, gaps=0.0, price=40.0, volume=500_000, closes=1,
    splits=(), mergers=(), dividends=((20, 0.13, 3),), stock_dividends=(), odd_hours=False,
)  # fmt: skip
# Enough for the indicators to settle; a session has seven hourly bars on XNYS.
SESSIONS = {"XNYS": 150, "24/7": 60}


@pytest.mark.parametrize("calendar", ["XNYS", "24/7"])
@pytest.mark.parametrize("name", sorted(name for name in OWN if name.startswith("template_")))
def test_template_does_the_same_on_hourly_bars(name: str, calendar: str) -> None:
    lives = (HOURLY, replace(HOURLY, price=9.0, gaps=0.05, splits=((30, 0.5),)))
    market = Market(SESSIONS[calendar], 5, lives, calendar, 60)
    with temporary() as folder:
        tier = open_market(market, Path(folder))
        stock, fast = (run(OWN[name], tier, "next_open", engine) for engine in ("stock", "fast"))
    assert difference(stock, fast) == ""
    assert fast.tally is not None
    assert fast.tally.calls > 0
    assert not fast.tally.fallbacks
