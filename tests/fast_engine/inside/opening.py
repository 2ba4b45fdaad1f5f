"""Opens tiers with a calendar that is made once: making it takes longer than a short run."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
from markets import FIRST, Market, write

from stratlab_runner import calendars, tier_data
from stratlab_runner.tier_data import TierData


@lru_cache
def calendar(name: str) -> Any:
    """The calendar of every market."""
    return calendars.open_calendar(name, FIRST, FIRST + pd.Timedelta(days=400))


def open_market(market: Market, folder: Path) -> TierData:
    """Write a market and open it."""
    write(market, folder, calendar(market.calendar))
    return open_folder(folder)


def open_folder(folder: Path) -> TierData:
    """Open a tier whose days :func:`calendar` covers."""
    with patch.object(tier_data, "open_calendar", lambda name, *_: calendar(name)):
        return tier_data.open_tier(folder)
