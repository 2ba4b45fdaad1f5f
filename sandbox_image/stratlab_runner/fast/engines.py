"""The two engines by name, and the portal and bar reader that make each."""

from typing import Any, Final

from stratlab_runner.fast.portal import FastPortal
from stratlab_runner.fast.reader import DayBarReader
from stratlab_runner.fast.tally import Tally
from stratlab_runner.portal import SessionPortal
from stratlab_runner.tier_data import TierData

STOCK: Final = "stock"
FAST: Final = "fast"
ENGINES: Final = (STOCK, FAST)
DEFAULT: Final = FAST
"""What runs a trial that does not say; the one place to switch."""


def open_portal(tier: TierData, engine: str) -> tuple[SessionPortal, Any]:
    """Return the data portal of a run, and the daily reader for its pipelines.

    Args:
        tier: Its data.
        engine: One of :data:`ENGINES`; a sealed market has one of its own, which is fast.

    Raises:
        ValueError: There is no such engine.
    """
    if tier.market is not None:
        return tier.market.open_portal()
    options = {
        "trading_calendar": tier.calendar,
        "first_trading_day": tier.bar_reader.first_trading_day,
        "equity_minute_reader": tier.minute_reader,
        "adjustment_reader": tier.adjustment_reader,
    }
    if engine == STOCK:
        reader = tier.bar_reader
        return SessionPortal(tier.asset_finder, equity_daily_reader=reader, **options), reader
    if engine != FAST:
        raise ValueError(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
    reader = DayBarReader(tier.day_bars, tier.bar_reader)
    portal = FastPortal(
        tier.day_bars,
        tier.minute_bars,
        Tally(),
        tier.asset_finder,
        equity_daily_reader=reader,
        **options,
    )
    return portal, reader
