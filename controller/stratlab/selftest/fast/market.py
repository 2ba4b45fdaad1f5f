"""The prices of a world as a campaign reads them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from stratlab.domain.errors import DataSetNotFoundError, InvalidSpecError
from stratlab.domain.market import DataSet, MarketSet, PricePanel, Tier
from stratlab.selftest.worlds.world import CALENDAR, FIRST_DAY, tier_rows

if TYPE_CHECKING:
    from stratlab.selftest.worlds import World

NAME = "world"
"""What a campaign calls the data set of its world."""


@final
class WorldMarket:
    """Implements :class:`stratlab.domain.ports.MarketData` for one world, without any file.

    Args:
        world: Whose prices.
    """

    def __init__(self, world: "World") -> None:
        recipe, self._panel = world.recipe, world.panel
        self._data_set = DataSet(
            name=NAME,
            digest=f"{recipe.kind}-{recipe.sharpe}-{recipe.seed}",
            symbols=self._panel.symbols,
            timeframe="1d",
            calendar=CALENDAR,
            warm_up_start=FIRST_DAY,
            tiers=world.tiers,
            provenance="made by stratlab selftest",
        )
        self._known = {tier: _until(self._panel, rows.stop) for tier, rows in tier_rows().items()}

    def list(self) -> Sequence[DataSet]:
        """Return the one data set."""
        return [self._data_set]

    def get(self, name: str) -> DataSet:
        """Return the data set.

        Raises:
            DataSetNotFoundError: It has another name.
        """
        if name != NAME:
            raise DataSetNotFoundError(f"no data set is called {name!r}; the only one is {NAME}")
        return self._data_set

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        """Return all symbols up to the end of a tier.

        Raises:
            DataSetNotFoundError: Other symbols are asked for.
        """
        if market.symbols != self._panel.symbols:
            raise DataSetNotFoundError("a campaign in a world trades all of its symbols")
        return self._known[tier]

    def mount(self, name: str, tier: Tier, world: str = "") -> Path:
        """Refuse: there is nothing that a container could be given.

        Raises:
            InvalidSpecError: Always.
        """
        raise InvalidSpecError(f"the {tier} tier of {name} ({world}) is in memory only")

    def verify(self, name: str) -> None:
        """Find nothing wrong: there is no file."""


def _until(panel: PricePanel, row: int) -> PricePanel:
    return replace(
        panel,
        bars=panel.bars[:row],
        open=panel.open[:row],
        high=panel.high[:row],
        low=panel.low[:row],
        close=panel.close[:row],
        volume=panel.volume[:row],
    )
