"""Deflated Sharpe ratios of returns: the variants, other libraries, and what is too little."""

import ffn
import numpy as np
import pytest
import skfolio.measures
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.frames import dated
from tests.statistics.series import YEAR, noise, table, with_sharpe

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import ExcessReturns, TrialReturns
from stratlab.domain.statistics import Deflation, Inconclusive, Insufficiency, TrialCount
from stratlab.evaluation.overfitting import expected_maximum_sharpe
from stratlab.evaluation.statistics.deflation import (
    deflated_sharpe,
    deflated_sharpes,
    effective_trials,
)
from stratlab.evaluation.statistics.sharpe import probabilistic_sharpe

seeds = st.integers(0, 10_000)


def counts(counted: int, screened_only: int = 0) -> TrialCount:
    return TrialCount(counted, {"search": counted}, screened_only)


def best_of(trials: TrialReturns) -> ExcessReturns:
    values = trials.values
    best = int((values.mean(axis=0) / values.std(axis=0)).argmax())
    return ExcessReturns(values[:, best], trials.periods_per_year)


@given(st.integers(2, 10**6), st.floats(1e-6, 1.0))
def test_expected_maximum_is_that_of_skfolio(trials: int, variance: float) -> None:
    theirs = skfolio.measures.expected_max_sharpe_ratio(trials, variance**0.5)
    assert expected_maximum_sharpe(trials, variance).value == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_variant_with_the_trials_own_variance_is_that_of_ffn(seed: int) -> None:
    trials = table(seed, sessions=750, trials=30)
    best = best_of(trials)
    ratios = trials.values.mean(axis=0) / trials.values.std(axis=0, ddof=1)
    theirs = ffn.calc_deflated_sharpe_ratio(
        dated(best.values), ratios, nperiods=YEAR, annualized_trials=False
    )
    ours = deflated_sharpes(best, counts(30), trials).empirical_variance
    # Theirs has moments that are corrected for the size of the sample.
    assert ours.probability == pytest.approx(theirs, abs=2e-3)
    assert ours.variance == pytest.approx(ratios.var(ddof=1))


def test_one_trial_is_deflated_by_nothing() -> None:
    returns = with_sharpe(0.8)
    found = deflated_sharpe(returns, 1)
    assert found.luck.value == 0.0
    assert found.probability == probabilistic_sharpe(returns).probability


@given(st.integers(1, 1000), st.integers(1, 1000), st.floats(-1.0, 3.0))
def test_every_further_trial_costs(trials: int, more: int, sharpe: float) -> None:
    returns = with_sharpe(sharpe)
    few, many = deflated_sharpe(returns, trials), deflated_sharpe(returns, trials + more)
    assert many.luck.value > few.luck.value
    assert many.probability < few.probability
    assert few.variance == 1 / few.observations


def test_what_decides_takes_n_and_what_is_reported_takes_the_rest() -> None:
    trials = table(3, trials=12)
    found = deflated_sharpes(best_of(trials), counts(40, 600), trials)
    assert (found.raw_count.trials, found.raw_count.variance) == (40, 1 / 400)
    assert found.screened_count.trials == 640
    assert found.empirical_variance.trials == 40
    assert found.effective_count.trials == effective_trials(trials)
    assert [variant.deflation for variant in (found.raw_count, found.screened_count)] == [
        Deflation.RAW_COUNT,
        Deflation.SCREENED_COUNT,
    ]
    assert found.screened_count.probability < found.raw_count.probability


@given(st.integers(1, 8), st.integers(1, 6), seeds)
def test_copies_of_a_bet_are_one_effective_trial(bets: int, copies: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    bases = random.standard_normal((500, bets))
    columns = np.repeat(bases, copies, axis=1)
    columns = (columns + 0.3 * random.standard_normal(columns.shape)) * random.uniform(0.1, 9.0)
    assert effective_trials(TrialReturns(columns, YEAR)) == bets


def test_effective_trials_are_one_at_least_and_flat_ones_are_no_bet() -> None:
    still = np.zeros((100, 3))
    assert effective_trials(TrialReturns(still, YEAR)) == 1
    still[:, 1] = noise(1, 100)
    assert effective_trials(TrialReturns(still, YEAR)) == 1
    still[:, 2] = noise(2, 100)
    assert effective_trials(TrialReturns(still, YEAR)) == 2


def test_too_little_is_inconclusive_and_says_of_what() -> None:
    short = ExcessReturns(noise(1, 30), YEAR)
    trials = TrialReturns(noise(1, 100).reshape(100, 1), YEAR)
    found = deflated_sharpes(short, counts(5), trials)
    for variant in (found.raw_count, found.effective_count, found.screened_count):
        assert isinstance(variant, Inconclusive)
        assert variant.reason is Insufficiency.TOO_FEW_OBSERVATIONS
    assert isinstance(found.empirical_variance, Inconclusive)
    assert found.empirical_variance.reason is Insufficiency.TOO_FEW_TRIALS


def test_selection_from_no_trial_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        deflated_sharpe(with_sharpe(1.0), 0)
