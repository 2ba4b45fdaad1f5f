"""The probability of backtest overfitting, against its definition and two other libraries."""

import itertools
import math

import ffn
import numpy as np
import pytest
import skfolio.measures
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV
from tests.statistics.frames import frame
from tests.statistics.series import YEAR, noise, table

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import TrialReturns
from stratlab.domain.statistics import Inconclusive, Insufficiency
from stratlab.evaluation.statistics.cscv import probability_of_backtest_overfitting

seeds = st.integers(0, 10_000)


def by_ffn(trials: TrialReturns, blocks: int) -> dict[str, object]:
    return ffn.calc_prob_backtest_overfitting(
        frame(trials.values), n_blocks=blocks, full_output=True
    )


@settings(max_examples=12)
@given(seeds, st.integers(2, 12), st.sampled_from([2, 4, 6, 8]), st.integers(64, 150))
def test_probability_is_that_of_ffn(seed: int, trials: int, blocks: int, sessions: int) -> None:
    returns = table(seed, sessions, trials)
    theirs = by_ffn(returns, blocks)
    ours = probability_of_backtest_overfitting(returns, blocks)
    assert ours.probability == theirs["pbo"]
    assert ours.median_logit == pytest.approx(np.median(theirs["logits"]), abs=1e-9)
    assert ours.splits == math.comb(blocks, blocks // 2) == len(theirs["logits"])


@pytest.mark.parametrize("seed", range(3))
def test_probability_is_that_of_the_splits_and_ratios_of_skfolio(seed: int) -> None:
    trials = table(seed, sessions=160, trials=9, mean=0.05)
    splits = CombinatorialPurgedCV(n_folds=8, n_test_folds=4)
    below, lost, degradation = [], [], []
    for inside, outside in splits.split(trials.values):
        here, there = (
            skfolio.measures.mean(half) / skfolio.measures.standard_deviation(half)
            for half in (trials.values[inside], trials.values[np.concatenate(outside)])
        )
        best = here.argmax()
        below.append(there[best] <= np.median(there))
        lost.append(there[best] < 0)
        degradation.append(here[best] - there[best])
    found = probability_of_backtest_overfitting(trials, 8)
    assert found.probability == pytest.approx(np.mean(below))
    assert found.probability_of_loss == pytest.approx(np.mean(lost))
    assert found.degradation == pytest.approx(np.mean(degradation), abs=1e-9)
    assert found.splits == len(below) == 70


def test_probability_is_what_the_definition_says() -> None:
    trials = table(7, sessions=64, trials=5)
    blocks = np.arange(64).reshape(4, 16)
    below = []
    for inside in itertools.combinations(range(4), 2):
        here, there = (
            trials.values[np.concatenate([blocks[b] for b in range(4) if (b in inside) is side])]
            for side in (True, False)
        )
        ratios = [half.mean(axis=0) / half.std(axis=0, ddof=1) for half in (here, there)]
        below.append(ratios[1][ratios[0].argmax()] <= np.median(ratios[1]))
    assert probability_of_backtest_overfitting(trials, 4).probability == np.mean(below)


def test_one_true_edge_among_noise_is_not_overfitted_and_noise_is_a_coin() -> None:
    trials = table(1, sessions=1000, trials=20)
    edge = trials.values.copy()
    edge[:, 7] += 0.004
    found = probability_of_backtest_overfitting(TrialReturns(edge, YEAR))
    assert found.probability < 0.01
    assert found.median_logit > 2.0
    coins = [
        probability_of_backtest_overfitting(table(seed, 320, 20), 8).probability
        for seed in range(40)
    ]
    # So wide that it can be no gate (DESIGN.md).
    assert np.mean(coins) == pytest.approx(0.5, abs=0.1)
    assert np.std(coins) > 0.1


def test_what_wins_one_half_by_losing_the_other_is_overfitted() -> None:
    first = np.where(np.arange(320) < 160, 0.01, -0.01)
    values = np.stack([first, -first], axis=1) + 0.001 * noise(1, 640).reshape(320, 2)
    found = probability_of_backtest_overfitting(TrialReturns(values, YEAR), 2)
    assert found.probability == 1.0
    assert found.probability_of_loss == 1.0


@given(seeds, st.floats(1e-3, 1e3), st.permutations(range(6)))
@settings(max_examples=20)
def test_leverage_and_order_of_the_trials_change_nothing(
    seed: int, leverage: float, order: list[int]
) -> None:
    trials = table(seed, 96, 6)
    other = TrialReturns(trials.values[:, order] * leverage, YEAR)
    one, two = (probability_of_backtest_overfitting(each, 6) for each in (trials, other))
    assert one.probability == two.probability
    assert one.median_logit == pytest.approx(two.median_logit)


def test_equal_trials_share_their_rank() -> None:
    trials = TrialReturns(np.repeat(noise(1, 64).reshape(64, 1), 3, axis=1), YEAR)
    found = probability_of_backtest_overfitting(trials, 4)
    assert (found.probability, found.median_logit) == (1.0, 0.0)


def test_trial_that_stands_still_in_a_half_has_a_ratio_of_zero_there() -> None:
    values = np.zeros((64, 3))
    values[:32, 0] = np.abs(noise(1, 32))
    values[:, 1] = -np.abs(noise(2, 64))
    found = probability_of_backtest_overfitting(TrialReturns(values, YEAR), 2)
    # Half by half: trial 0 wins and then stands still with trial 2; then 2 ties with 0 first.
    assert found.probability == 0.0
    assert math.isfinite(found.degradation)


def test_too_little_is_inconclusive_and_odd_blocks_are_refused() -> None:
    few = probability_of_backtest_overfitting(table(1, 100, 5), 16)
    assert isinstance(few, Inconclusive)
    assert (few.reason, few.required) == (Insufficiency.TOO_FEW_OBSERVATIONS, 128)
    alone = probability_of_backtest_overfitting(table(1, 128, 1), 16)
    assert isinstance(alone, Inconclusive)
    assert (alone.reason, alone.observations, alone.required) == (
        Insufficiency.TOO_FEW_TRIALS,
        1,
        2,
    )
    for blocks in (0, 1, 7):
        with pytest.raises(InvalidInputError):
            probability_of_backtest_overfitting(table(1), blocks)
