"""Which worlds a selftest makes, and who searches them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from typing import final

from stratlab.selftest.arms import RIVALS, Arm, Budget
from stratlab.selftest.figures import Truth
from stratlab.selftest.worlds.world import NULL_KINDS, PLANTED_KINDS, Recipe, WorldKind

NOISE = "noise"
EFFECTS = "all effects"
"""Names of groups that something is promised of."""

STRONG = 2.0
SHARPES = (0.5, 1.0, STRONG)
"""Sharpe ratios of the oracles in worlds with an effect."""

_TRAPS = (
    WorldKind.SURVIVORS,
    WorldKind.ZERO_VOLUME,
    WorldKind.UNADJUSTED_SPLIT,
    WorldKind.COST_KILLER,
    WorldKind.DECAYING,
)
# What costs eat is what the effect earns without them; what decays was strong once.
_BAIT = {WorldKind.COST_KILLER: 1.0, WorldKind.DECAYING: STRONG}


@final
class Size(StrEnum):
    """How much is measured: what fits into every run of the tests, or what the figures need."""

    CI = "ci"
    FULL = "full"


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Campaigns that make one line of the table.

    Attributes:
        name: What is searched; groups of one name and ratio make a line together.
        truth: What a promotion means.
        arm: Who searches.
        sharpe: Of the oracles, None where there is nothing to be found.
        budget: How long each campaign searches.
        recipes: One for each campaign.
    """

    name: str
    truth: Truth
    arm: Arm
    sharpe: float | None
    budget: Budget
    recipes: tuple[Recipe, ...]


@final
@dataclass(frozen=True, slots=True)
class _Counts:
    # Campaigns in worlds of noise by arm, in worlds with one effect and ratio, and in one trap.
    budget: Budget
    noise: dict[Arm, int]
    effect: dict[Arm, int]
    sharpes: tuple[float, ...]
    trap: int


_COUNTS = {
    Size.CI: _Counts(Budget(6, 16), {Arm.LAB: 40}, {Arm.LAB: 1}, (STRONG,), 1),
    Size.FULL: _Counts(
        Budget(16, 30),
        {Arm.LAB: 400, Arm.COUNTED: 60, Arm.RANDOM: 60},
        {Arm.LAB: 20, Arm.RANDOM: 10},
        SHARPES,
        20,
    ),
}


@final
@dataclass(frozen=True, slots=True)
class _Pairs:
    # Worlds with one effect and ratio that are searched with the critic and without.
    budget: Budget
    sharpes: tuple[float, ...]
    count: int


# Until every template had its turn, critics have no say.
_PAIRS = {
    Size.CI: _Pairs(Budget(8, 1), (STRONG,), 1),
    Size.FULL: _Pairs(Budget(20, 1), (1.0, STRONG), 6),
}


def groups_of(size: Size, first_seed: int = 0) -> tuple[Group, ...]:
    """Return what is measured.

    Args:
        size: How much.
        first_seed: Of every kind of world; another one makes other worlds.
    """
    counts = _COUNTS[size]
    return (*_noise(counts, first_seed), *_effects(counts, first_seed), *_traps(counts, first_seed))


def critic_groups_of(size: Size, first_seed: int = 0) -> tuple[Group, ...]:
    """Return what is measured to compare the critic with random mutation: the same worlds by both.

    Args:
        size: How much.
        first_seed: Of every kind of world.
    """
    return tuple(_paired(_PAIRS[size], first_seed))


def _noise(counts: _Counts, seed: int) -> Iterator[Group]:
    for arm, count in counts.noise.items():
        kinds = islice(cycle(NULL_KINDS), count)
        recipes = tuple(Recipe(kind, seed + number) for number, kind in enumerate(kinds))
        yield Group(NOISE, Truth.NOTHING, arm, None, counts.budget, recipes)


def _effects(counts: _Counts, seed: int) -> Iterator[Group]:
    for sharpe in counts.sharpes:
        for arm, count in counts.effect.items():
            for kind in PLANTED_KINDS:
                recipes = tuple(Recipe(kind, seed + n, sharpe) for n in range(count))
                yield Group(kind.value, Truth.ALPHA, arm, sharpe, counts.budget, recipes)


def _paired(pairs: _Pairs, seed: int) -> Iterator[Group]:
    for sharpe in pairs.sharpes:
        for kind in PLANTED_KINDS:
            recipes = tuple(Recipe(kind, seed + n, sharpe) for n in range(pairs.count))
            for arm in (Arm.LAB, *RIVALS):
                yield Group(kind.value, Truth.ALPHA, arm, sharpe, pairs.budget, recipes)


def _traps(counts: _Counts, seed: int) -> Iterator[Group]:
    for kind in _TRAPS:
        bait = _BAIT.get(kind, 0.0)
        recipes = tuple(Recipe(kind, seed + number, bait) for number in range(counts.trap))
        yield Group(kind.value, Truth.TRAP, Arm.LAB, None, counts.budget, recipes)
