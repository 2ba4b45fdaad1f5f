"""Bounds by the stationary bootstrap: coverage, determinism, and returns of one regime only."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.statistics.series import YEAR, noise, with_sharpe

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.statistics import Inconclusive, Insufficiency, Resampling
from stratlab.evaluation.statistics.bounds import annual_mean, sharpe_bound
from stratlab.evaluation.statistics.resampling import mean_block, resample_counts
from stratlab.evaluation.statistics.sharpe import estimate_sharpe

RESAMPLES = 300


def test_bound_of_normal_returns_is_that_of_the_formula() -> None:
    returns = with_sharpe(1.0, sessions=1500)
    found, estimate = sharpe_bound(returns), estimate_sharpe(returns)
    assert found.sharpe == estimate.per_period
    error = estimate.standard_error
    # The resampled bound also knows how these returns happen to depend on each other.
    assert found.lower.value == pytest.approx(found.sharpe.value - 1.645 * error, abs=0.35 * error)
    assert found.annual == pytest.approx(1.0)
    assert found.annual_lower == pytest.approx(found.lower.value * YEAR**0.5)
    assert found.interval.low < found.lower.value < found.sharpe.value < found.interval.high
    assert found.resampling == Resampling(5000, 12, 0)


@pytest.mark.parametrize("skilled", [False, True])
def test_lower_bound_is_above_the_truth_about_as_often_as_it_says(skilled: bool) -> None:
    truth, repetitions = 0.1 if skilled else 0.0, 150
    above = 0
    for seed in range(repetitions):
        values = np.random.default_rng(seed).standard_t(5, 300) * 0.6**0.5 + truth
        found = sharpe_bound(ExcessReturns(0.01 * values, YEAR), seed=seed, resamples=RESAMPLES)
        above += found.lower.value > truth
    # 5 % is meant; 9.9 % is Clopper-Pearson's upper bound (95 %, two-sided) for that.
    assert 0.01 <= above / repetitions <= 0.099


def test_dependent_returns_have_a_wider_interval_than_the_formula_says() -> None:
    values = noise(1, 1500)
    for day in range(1, len(values)):
        values[day] += 0.4 * values[day - 1]
    returns = ExcessReturns(values, YEAR)
    found, error = sharpe_bound(returns), estimate_sharpe(returns).standard_error
    width = found.interval.high - found.interval.low
    # sqrt((1 + 0.4) / (1 - 0.4)) = 1.53 for a very long series.
    assert 1.2 < width / (2 * 1.96 * error) < 1.7


def test_more_confidence_means_a_lower_bound() -> None:
    returns = with_sharpe(1.0)
    bounds = [
        sharpe_bound(returns, confidence=confidence).lower.value
        for confidence in (0.9, 0.95, 0.975, 0.99)
    ]
    assert bounds == sorted(bounds, reverse=True)
    two_sided = sharpe_bound(returns, confidence=0.9).interval.low
    assert two_sided == pytest.approx(bounds[1])


def test_same_seed_gives_the_same_bound_and_another_seed_hardly_another() -> None:
    returns = with_sharpe(1.0)
    assert sharpe_bound(returns, seed=3) == sharpe_bound(returns, seed=3)
    one, other = sharpe_bound(returns, seed=3), sharpe_bound(returns, seed=4)
    assert one.lower != other.lower
    assert one.annual_lower == pytest.approx(other.annual_lower, abs=0.06)


@settings(max_examples=10)
@given(st.floats(1e-4, 1e4), st.integers(0, 1000))
def test_leverage_moves_no_bound(leverage: float, seed: int) -> None:
    returns = with_sharpe(0.5, seed, 150)
    levered = ExcessReturns(returns.values * leverage, YEAR)
    one, other = (sharpe_bound(each, resamples=RESAMPLES) for each in (returns, levered))
    assert other.lower.value == pytest.approx(one.lower.value, abs=1e-9)


def test_bound_of_some_periods_is_of_their_returns_only() -> None:
    calm, wild = with_sharpe(2.0, 1, 600), with_sharpe(-2.0, 2, 400)
    values = np.concatenate([calm.values, wild.values])
    where = np.arange(1000) < 600
    found = sharpe_bound(ExcessReturns(values, YEAR), where=where)
    alone = sharpe_bound(calm)
    assert (found.sharpe, found.observations) == (alone.sharpe, 600)
    assert found.annual_lower == pytest.approx(alone.annual_lower, abs=0.2)
    mean = annual_mean(ExcessReturns(values, YEAR), where=where)
    assert mean.value == pytest.approx(calm.values.mean() * YEAR)
    assert mean.low < mean.value < mean.high


def test_interval_of_a_mean_is_that_of_the_formula_for_independent_returns() -> None:
    returns = with_sharpe(1.0, sessions=2000)
    found = annual_mean(returns)
    half = 1.96 * 0.01 / math.sqrt(2000) * YEAR
    assert found.low == pytest.approx(found.value - half, abs=0.25 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.25 * half)


@pytest.mark.parametrize("function", [sharpe_bound, annual_mean])
def test_too_little_is_inconclusive(function) -> None:
    short = function(ExcessReturns(noise(1)[:40], YEAR))
    assert isinstance(short, Inconclusive)
    assert (short.reason, short.required) == (Insufficiency.TOO_FEW_OBSERVATIONS, 60)
    flat = function(ExcessReturns(np.zeros(100), YEAR))
    assert isinstance(flat, Inconclusive)
    assert flat.reason is Insufficiency.NO_VARIATION
    rare = function(ExcessReturns(noise(1), YEAR), where=np.arange(1000) < 59)
    assert isinstance(rare, Inconclusive)


def test_ratio_that_rests_on_one_return_is_inconclusive() -> None:
    values = np.zeros(300)
    values[50] = 0.2
    found = sharpe_bound(ExcessReturns(values, YEAR), resamples=RESAMPLES)
    assert isinstance(found, Inconclusive)
    assert found.reason in {Insufficiency.NOT_ESTIMABLE, Insufficiency.NO_VARIATION}


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0, float("nan")])
def test_confidence_that_is_none_is_refused(confidence: float) -> None:
    for function in (sharpe_bound, annual_mean):
        with pytest.raises(InvalidInputError):
            function(with_sharpe(1.0), confidence=confidence)


@given(st.integers(60, 400), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_resamples_are_as_long_as_the_series_and_repeatable(
    observations: int, block: int, seed: int
) -> None:
    resampling = Resampling(7, block, seed)
    first, second = (
        np.concatenate(list(resample_counts(observations, resampling))) for _ in range(2)
    )
    assert first.shape == (7, observations)
    assert (first.sum(axis=1) == observations).all()
    assert (first == second).all()


def test_resamples_come_in_parts_that_make_up_the_whole() -> None:
    parts = list(resample_counts(60, Resampling(1100, 5, 1)))
    assert [len(part) for part in parts] == [500, 500, 100]


def test_blocks_are_longer_where_returns_depend_on_each_other() -> None:
    independent = noise(1, 1000)
    dependent = independent.copy()
    for day in range(1, len(dependent)):
        dependent[day] += 0.8 * dependent[day - 1]
    assert mean_block(independent) == 10
    assert 20 < mean_block(dependent) <= 100
    calm = np.where(np.arange(1000) // 100 % 2, 0.2, 2.0) * independent
    assert mean_block(calm) > 10
