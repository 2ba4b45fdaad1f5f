"""Makes worlds from recipes."""

from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.market import CostModel, Tier
from stratlab.market_data.imports.synthetic import VOLATILITY
from stratlab.selftest.worlds.effects import Effect, draw_effect
from stratlab.selftest.worlds.noise import Moves, bootstrap_moves, garch_moves
from stratlab.selftest.worlds.paths import Paths, walk
from stratlab.selftest.worlds.planting import Planting, plant, search
from stratlab.selftest.worlds.world import (
    COUNT,
    Recipe,
    World,
    WorldKind,
    tier_ranges,
    tier_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COSTS = CostModel()
"""What trading costs in every world: the default of a campaign."""

_LISTED, _SURVIVORS = 40, 2
_PHANTOM_SHARE, _PHANTOM_MOVE = 0.03, 0.08
_SPLIT = 0.5
_CALM = 0.4  # of the usual volatility: moves so small that no effect in them pays for its trades


def make_world(recipe: Recipe) -> World:
    """Return the world of a recipe."""
    random = np.random.default_rng([recipe.seed, list(WorldKind).index(recipe.kind)])
    return _MAKERS[recipe.kind](recipe, random)


def _garch(recipe: Recipe, random: np.random.Generator) -> World:
    return _barren(recipe, _market(garch_moves(random, 1)))


def _bootstrap(recipe: Recipe, random: np.random.Generator) -> World:
    return _barren(recipe, _market(bootstrap_moves(random, 1)))


def _survivors(recipe: Recipe, random: np.random.Generator) -> World:
    paths = _market(garch_moves(random, _LISTED))
    luckiest = np.sort(np.argsort(paths.close[-1])[-_SURVIVORS:])
    return _barren(recipe, paths.of(luckiest))


def _zero_volume(recipe: Recipe, random: np.random.Generator) -> World:
    paths = _market(garch_moves(random, 1))
    quiet = random.random(paths.close.shape) < _PHANTOM_SHARE
    # Quoted far from where anybody would trade, and back the next day.
    away = np.exp(_PHANTOM_MOVE * random.choice([-1.0, 1.0], quiet.shape))
    return _barren(
        recipe, paths.quoted(np.where(quiet, away, 1.0), np.where(quiet, 0.0, paths.volume))
    )


def _unadjusted_split(recipe: Recipe, random: np.random.Generator) -> World:
    paths = _market(garch_moves(random, 1))
    factor = np.ones_like(paths.close)
    # One in each tier, so that what bets on them is right twice before the holdout.
    split = random.choice([_SPLIT, 1.0 / _SPLIT])
    for rows in tier_rows().values():
        factor[int(random.integers(rows.start, rows.stop)) :] *= split
    return _barren(recipe, paths.quoted(factor, paths.volume))


def _planted(recipe: Recipe, random: np.random.Generator) -> World:
    effect, moves = draw_effect(recipe.kind, random), garch_moves(random, 1)
    found, _, _ = search(effect, moves, recipe.sharpe, COSTS)
    return _fertile(recipe, effect, found)


def _decaying(recipe: Recipe, random: np.random.Generator) -> World:
    effect, moves = draw_effect(recipe.kind, random), garch_moves(random, 1)
    _, strength, share = search(effect, moves, recipe.sharpe, COSTS)
    rows = tier_rows()
    born, dead = rows[Tier.TRAIN].start, rows[Tier.HOLDOUT].start
    alive = np.clip((dead - np.arange(COUNT)) / (dead - born), 0.0, 1.0)
    return _fertile(recipe, effect, plant(effect, moves, strength * alive, share))


def _cost_killer(recipe: Recipe, random: np.random.Generator) -> World:
    effect, moves = draw_effect(recipe.kind, random), garch_moves(random, 1, _CALM * VOLATILITY)
    free = CostModel(slippage_bps=0.0, commission_per_share=0.0)
    found, _, _ = search(effect, moves, recipe.sharpe, free)
    return _fertile(recipe, effect, found)


_MAKERS: "Mapping[WorldKind, Callable[[Recipe, np.random.Generator], World]]" = {
    WorldKind.GARCH: _garch,
    WorldKind.BOOTSTRAP: _bootstrap,
    WorldKind.MOMENTUM: _planted,
    WorldKind.REVERSAL: _planted,
    WorldKind.CONJUNCTION: _planted,
    WorldKind.DECAYING: _decaying,
    WorldKind.SURVIVORS: _survivors,
    WorldKind.ZERO_VOLUME: _zero_volume,
    WorldKind.UNADJUSTED_SPLIT: _unadjusted_split,
    WorldKind.COST_KILLER: _cost_killer,
}


def _market(moves: Moves) -> Paths:
    return walk(moves, moves.market_drift())


def _barren(recipe: Recipe, paths: Paths) -> World:
    return World(recipe, paths.panel(), tier_ranges())


def _fertile(recipe: Recipe, effect: Effect, found: Planting) -> World:
    return World(
        recipe,
        found.paths.panel(),
        tier_ranges(),
        oracle=effect.contract,
        oracle_sharpe=found.oracle_sharpe(COSTS),
    )
