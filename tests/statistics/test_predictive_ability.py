"""Hansen's test, against arch's and against what it has to do."""

import numpy as np
import pytest
from arch.bootstrap import SPA
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.statistics.series import YEAR, noise, table

from stratlab.domain.returns import TrialReturns
from stratlab.domain.statistics import Inconclusive, Insufficiency
from stratlab.evaluation.statistics.predictive_ability import (
    long_run_variance,
    predictive_ability,
)

RESAMPLES = 200


def p_value(trials: TrialReturns, seed: int = 0) -> float:
    found = predictive_ability(trials, seed=seed, resamples=RESAMPLES)
    assert not isinstance(found, Inconclusive)
    assert found.p_lower <= found.p_value <= found.p_upper
    return found.p_value


@pytest.mark.parametrize(("seed", "mean"), [(1, 0.0), (2, 0.03), (3, -0.05)])
def test_p_values_are_those_of_arch_on_studentised_losses(seed: int, mean: float) -> None:
    trials = table(seed, sessions=300, trials=6, mean=mean)
    ours = predictive_ability(trials, seed=seed, resamples=RESAMPLES)
    block = ours.resampling.mean_block
    # Arch does not studentise what it compares; losses in units of their deviation are.
    losses = -trials.values / np.sqrt(long_run_variance(trials.values, block))
    test = SPA(np.zeros(300), losses, block_size=block, reps=RESAMPLES, seed=seed)
    test.compute()
    theirs = (test.pvalues.to_numpy() * RESAMPLES + 1) / (RESAMPLES + 1)
    assert [ours.p_lower, ours.p_value, ours.p_upper] == pytest.approx(list(theirs), abs=1e-12)


@pytest.mark.parametrize("block", [1, 5, 30])
def test_long_run_variance_is_that_of_arch(block: int) -> None:
    values = table(4, sessions=250, trials=5).values.cumsum(axis=0) + 0.01
    test = SPA(np.zeros(250), -values, block_size=block, reps=2, seed=0)
    test.compute()
    assert long_run_variance(values, block) == pytest.approx(test._loss_diff_var, rel=1e-9)


def test_noise_is_rejected_no_more_often_than_the_level_says() -> None:
    found = [p_value(table(seed, sessions=200, trials=15)) for seed in range(120)]
    # At most 5 % and some luck: Clopper-Pearson's upper bound for 6 of 120 is 10.6 %.
    assert np.mean(np.array(found) < 0.05) <= 0.106
    assert 0.3 < np.median(found) < 0.8


def test_one_true_edge_among_noise_is_found() -> None:
    trials = table(1, sessions=1000, trials=30)
    edge = trials.values.copy()
    edge[:, 11] += 0.002
    assert p_value(TrialReturns(edge, YEAR)) < 0.01


def test_loud_losers_do_not_hide_an_edge() -> None:
    random = np.random.default_rng(2)
    loud = -0.02 + random.standard_normal((800, 20))
    edge = noise(3, 800)[:, None] + 0.0012
    assert p_value(TrialReturns(np.hstack([loud, edge]), YEAR)) < 0.05


def test_trials_that_all_lose_are_far_from_beating_anything() -> None:
    assert p_value(table(1, sessions=500, trials=10, mean=-0.3)) > 0.5


@settings(max_examples=10)
@given(st.floats(1e-4, 1e4), st.permutations(range(5)))
def test_leverage_and_order_change_nothing(leverage: float, order: list[int]) -> None:
    trials = table(5, sessions=120, trials=5)
    other = TrialReturns(trials.values[:, order] * leverage, YEAR)
    assert p_value(other) == p_value(trials)


def test_same_seed_gives_the_same_and_another_seed_nearly_the_same() -> None:
    trials = table(6, sessions=300, trials=8)
    assert p_value(trials, 1) == p_value(trials, 1)
    assert p_value(trials, 1) != p_value(trials, 2)
    assert p_value(trials, 1) == pytest.approx(p_value(trials, 2), abs=0.1)


def test_flat_trials_are_counted_but_beat_nothing() -> None:
    trials = table(7, sessions=150, trials=3)
    padded = TrialReturns(np.hstack([trials.values, np.zeros((150, 4))]), YEAR)
    found = predictive_ability(padded, resamples=RESAMPLES)
    assert found.trials == 7
    assert found.p_value == p_value(trials)


def test_too_little_is_inconclusive() -> None:
    short = predictive_ability(table(1, sessions=59, trials=3))
    assert isinstance(short, Inconclusive)
    assert (short.reason, short.required) == (Insufficiency.TOO_FEW_OBSERVATIONS, 60)
    flat = predictive_ability(TrialReturns(np.zeros((100, 2)), YEAR))
    assert isinstance(flat, Inconclusive)
    assert flat.reason is Insufficiency.NO_VARIATION
