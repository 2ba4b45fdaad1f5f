"""Made-up worlds hold what was planted in them, and nothing else."""

import numpy as np
import pytest

from stratlab.contract.vectorised import screen_grid
from stratlab.domain.market import Tier
from stratlab.selftest.worlds import NULL_KINDS, PLANTED_KINDS, Recipe, WorldKind, make_world
from stratlab.selftest.worlds.making import COSTS
from stratlab.selftest.worlds.world import (
    COUNT,
    SESSIONS_PER_YEAR,
    WARM_UP,
    tier_ranges,
    tier_rows,
)

WORLDS = 6


def _returns(world, column=0):
    close = world.panel.close[:, column]
    return close[1:] / close[:-1] - 1


def _excess_of_oracle(world):
    grid = screen_grid(
        world.oracle,
        world.panel,
        [{}],
        first_bar=WARM_UP,
        capital=1e5,
        cost_model=COSTS,
        with_daily_returns=True,
    )
    return grid.daily_returns[0] - _returns(world)[WARM_UP - 1 :]


def _annual(excess):
    return excess.mean() / excess.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR)


@pytest.mark.parametrize("kind", list(WorldKind))
def test_equal_recipes_make_equal_worlds_and_other_seeds_others(kind):
    first, again, other = (make_world(Recipe(kind, seed, 1.0)) for seed in (3, 3, 4))
    assert np.array_equal(first.panel.close, again.panel.close)
    assert not np.array_equal(first.panel.close, other.panel.close)


@pytest.mark.parametrize("kind", list(WorldKind))
def test_bars_are_consistent_and_cover_every_tier(kind):
    world = make_world(Recipe(kind, 1, 1.0))
    panel = world.panel
    assert panel.close.shape[0] == COUNT == len(panel.bars)
    assert (panel.high >= np.maximum(panel.open, panel.close) - 2e-3).all()
    assert (panel.low <= np.minimum(panel.open, panel.close) + 2e-3).all()
    assert (panel.low > 0).all()
    assert world.tiers == tier_ranges()
    assert tier_rows()[Tier.HOLDOUT].stop == COUNT


@pytest.mark.parametrize("kind", NULL_KINDS)
def test_noise_has_drift_and_clusters_but_no_direction_to_foresee(kind):
    worlds = [make_world(Recipe(kind, seed)) for seed in range(WORLDS)]
    returns = np.stack([_returns(world) for world in worlds])
    centred = returns - returns.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(centred.size)

    def correlation(values, lag):
        centre = values - values.mean(axis=1, keepdims=True)
        return (centre[:, lag:] * centre[:, :-lag]).mean() / centre.var()

    assert max(abs(correlation(centred, lag)) for lag in (1, 2, 5)) < 8 * scale
    assert correlation(np.abs(centred), 1) > 0.05
    sharpe = returns.mean(axis=1) / returns.std(axis=1) * np.sqrt(SESSIONS_PER_YEAR)
    assert 0.0 < sharpe.mean() < 0.8
    assert all(world.oracle is None for world in worlds)


@pytest.mark.parametrize(
    ("kind", "sharpe"), [*((kind, 2.0) for kind in PLANTED_KINDS), (WorldKind.REVERSAL, 0.5)]
)
def test_oracle_earns_what_was_planted(kind, sharpe):
    worlds = [make_world(Recipe(kind, seed, sharpe)) for seed in range(WORLDS)]
    planted = np.array([world.oracle_sharpe for world in worlds])
    assert planted == pytest.approx(np.full(WORLDS, sharpe), abs=0.05)
    earned = np.array([_annual(_excess_of_oracle(world)) for world in worlds])
    # The error of a mean over so many worlds of twenty years each.
    error = 1 / np.sqrt(WORLDS * (COUNT - WARM_UP) / SESSIONS_PER_YEAR)
    assert abs(earned.mean() - planted.mean()) < 3 * error


def test_decaying_effect_is_gone_when_the_holdout_begins():
    worlds = [make_world(Recipe(WorldKind.DECAYING, seed, 2.0)) for seed in range(WORLDS)]
    begin = tier_rows()[Tier.HOLDOUT].start - WARM_UP
    late = np.concatenate([_excess_of_oracle(world)[begin:] for world in worlds])
    early = np.concatenate([_excess_of_oracle(world)[:504] for world in worlds])
    assert _annual(early) > 1.0
    assert _annual(late) < 0.5


def test_costs_eat_the_effect_of_the_cost_killer():
    worlds = [make_world(Recipe(WorldKind.COST_KILLER, seed, 1.0)) for seed in range(WORLDS)]
    assert all(world.oracle_sharpe < 0 for world in worlds)
    assert np.mean([_annual(_excess_of_oracle(world)) for world in worlds]) < 0


def test_nobody_trades_at_the_phantom_prices():
    panel = make_world(Recipe(WorldKind.ZERO_VOLUME, 1)).panel
    quiet = panel.volume[:, 0] == 0
    assert 0.01 < quiet.mean() < 0.05
    moves = np.abs(np.diff(np.log(panel.close[:, 0])))
    assert moves[quiet[1:]].mean() > 3 * moves[~quiet[1:]].mean()


def test_unadjusted_split_is_in_every_tier_and_in_no_table():
    panel = make_world(Recipe(WorldKind.UNADJUSTED_SPLIT, 1)).panel
    jumps = np.flatnonzero(np.abs(np.diff(np.log(panel.close[:, 0]))) > 0.45) + 1
    assert panel.splits == ()
    for rows in tier_rows().values():
        assert ((rows.start <= jumps) & (jumps < rows.stop)).any()


def test_survivors_did_better_than_the_market_they_come_from():
    worlds = [make_world(Recipe(WorldKind.SURVIVORS, seed)) for seed in range(WORLDS)]
    growth = [np.log(world.panel.close[-1] / world.panel.close[0]).min() for world in worlds]
    usual = [
        np.log(make_world(Recipe(WorldKind.GARCH, s)).panel.close[-1, 0] / 100) for s in range(8)
    ]
    assert min(growth) > np.mean(usual)
