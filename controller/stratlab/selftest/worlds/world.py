"""What a world is: a recipe, its prices, its tiers, and the truth about it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, final

from stratlab.domain.market import Tier, TierRange
from stratlab.market_data.calendars import sessions_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from stratlab.contract.model import StrategyContract
    from stratlab.domain.market import PricePanel

CALENDAR = "XNYS"
FIRST_DAY, LAST_DAY = date(2000, 1, 3), date(2021, 12, 31)
SESSIONS_PER_YEAR = 252

YEARS: "Mapping[Tier, int]" = {Tier.TRAIN: 10, Tier.VALIDATION: 5, Tier.HOLDOUT: 5}
"""Length of each tier, after a year of warm-up."""

WARM_UP = SESSIONS_PER_YEAR
COUNT = WARM_UP + sum(YEARS.values()) * SESSIONS_PER_YEAR
"""Sessions of a world."""


@final
class WorldKind(StrEnum):
    """What the truth is.

    Nothing is to be found in ``garch`` (volatility clusters, fat tails) and ``bootstrap`` (days of
    us-daily in blocks, with random signs), both with the drift of a market. ``momentum``,
    ``reversal`` and ``conjunction`` have a planted effect, ``decaying`` one that is gone when the
    holdout begins. The rest are traps, in which nothing is to be found either: ``survivors`` are
    the luckiest of many symbols, ``zero_volume`` has days on which nobody trades at their prices,
    ``unadjusted_split`` a split that no table knows, ``cost_killer`` an effect smaller than what it
    costs to trade it.
    """

    GARCH = "garch"
    BOOTSTRAP = "bootstrap"
    MOMENTUM = "momentum"
    REVERSAL = "reversal"
    CONJUNCTION = "conjunction"
    DECAYING = "decaying"
    SURVIVORS = "survivors"
    ZERO_VOLUME = "zero_volume"
    UNADJUSTED_SPLIT = "unadjusted_split"
    COST_KILLER = "cost_killer"


NULL_KINDS = (WorldKind.GARCH, WorldKind.BOOTSTRAP)
"""Worlds of noise."""

PLANTED_KINDS = (WorldKind.MOMENTUM, WorldKind.REVERSAL, WorldKind.CONJUNCTION)
"""Worlds with something to be found."""


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """How a world is made; equal recipes make equal worlds.

    Attributes:
        kind: What the truth is.
        seed: Of all random numbers, at least 0.
        sharpe: Annual Sharpe ratio of the oracle, in excess of the benchmark and after costs;
            before costs in ``cost_killer``, at the beginning in ``decaying``. 0 where nothing is
            planted.
    """

    kind: WorldKind
    seed: int
    sharpe: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class World:
    """Prices with the truth about them.

    Attributes:
        recipe: How it was made.
        panel: All prices, from the warm-up to the end of the holdout.
        tiers: Traded range of each tier.
        oracle: The planted rule as a contract, None where nothing is planted.
        oracle_sharpe: What the oracle is expected to earn in all tiers together: annual, after
            costs and in excess of the benchmark; None without an oracle.
    """

    recipe: Recipe
    panel: "PricePanel"
    tiers: "Mapping[Tier, TierRange]"
    oracle: "StrategyContract | None" = None
    oracle_sharpe: float | None = None


@lru_cache(maxsize=1)
def session_labels() -> "NDArray[np.int64]":
    """Return the bar labels of a world's sessions, UTC epoch seconds, shape (T,)."""
    days = sessions_between(CALENDAR, FIRST_DAY, LAST_DAY)[:COUNT]
    labels: NDArray[np.int64] = days.to_numpy().astype("datetime64[s]").astype("int64")
    labels.flags.writeable = False
    return labels


def tier_rows() -> "Mapping[Tier, slice]":
    """Return the rows of each tier's own sessions."""
    rows, start = {}, WARM_UP
    for tier, years in YEARS.items():
        rows[tier] = slice(start, start + years * SESSIONS_PER_YEAR)
        start = rows[tier].stop
    return rows


def tier_ranges() -> "Mapping[Tier, TierRange]":
    """Return the traded range of each tier."""
    days = session_labels().astype("datetime64[s]").astype("datetime64[D]")
    return {
        tier: TierRange(days[rows.start].item(), days[rows.stop - 1].item())
        for tier, rows in tier_rows().items()
    }
