"""The fast engine's portal over a market that is revealed bar by bar."""

from collections.abc import Mapping
from typing import Any, final

from zipline.assets import Equity

from stratlab_runner.fast.portal import FastPortal
from stratlab_runner.fast.tally import Tally
from stratlab_runner.sealed.assets import LiveEquity
from stratlab_runner.sealed.bars import LiveBars
from stratlab_runner.sealed.lives import LiveLife


@final
class SealedPortal(FastPortal):
    """Answers from what is known; nothing is kept that another session may change.

    Args:
        bars: Bars so far.
        lives: Of each listed asset, by its number.
        asset_finder: Of the market.
        options: Of zipline's portal.
    """

    def __init__(
        self, bars: LiveBars, lives: Mapping[int, LiveLife], asset_finder: Any, **options: Any
    ) -> None:
        # Zipline would fetch windows forty sessions ahead, and keep them empty.
        super().__init__(
            bars.day_bars, None, Tally(), asset_finder, daily_history_prefetch_length=0, **options
        )
        self._adjusted = bars
        self._known_lives = lives
        # Without these zipline finds no bars, or no adjustments, and does not say so.
        readers = self._pricing_readers["daily"]._readers  # noqa: SLF001 - see above
        adjustments = self._history_loader._adjustment_readers  # noqa: SLF001 - the same
        for table in (readers, adjustments):
            table[LiveEquity] = table[Equity]

    def life(self, asset: Any) -> LiveLife | None:
        """Return where an asset is in the arrays, None if it is not there."""
        return self._known_lives.get(asset.sid) if isinstance(asset, Equity) else None

    def forget_actions(self) -> None:
        """Read splits and dividends anew when they are asked for."""
        self._split_days = None
        for cache in (self._splits_dict, self._mergers_dict, self._dividends_dict):
            cache.clear()
