"""Excess returns: from equity, joined, and nothing else than what the type says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.series import YEAR, noise

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import ExcessReturns, TrialReturns
from stratlab.domain.trial import EquityPoint
from stratlab.evaluation.statistics.excess import excess_returns, joined, simple_returns

equities = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=30)


def points(values: list[float]) -> tuple[EquityPoint, ...]:
    return tuple(EquityPoint(86_400 * day, value) for day, value in enumerate(values))


def test_excess_is_the_trial_minus_the_benchmark_from_the_first_session_on() -> None:
    returns = excess_returns(points([110.0, 121.0]), points([105.0, 105.0]), 100.0, YEAR)
    assert returns.values == pytest.approx([0.05, 0.10])
    assert (returns.observations, returns.periods_per_year) == (2, YEAR)


@given(equities)
def test_returns_compound_to_the_equity(values: list[float]) -> None:
    found = simple_returns(np.array(values), 100.0)
    assert 100.0 * np.cumprod(1.0 + found) == pytest.approx(np.array(values), rel=1e-9)


@given(equities)
def test_benchmark_itself_has_no_excess(values: list[float]) -> None:
    assert not excess_returns(points(values), points(values), 100.0, YEAR).values.any()


def test_account_that_was_wiped_out_earns_nothing_after_its_loss() -> None:
    assert simple_returns(np.array([50.0, -10.0, 30.0, 60.0]), 100.0) == pytest.approx(
        [-0.5, -1.2, 0.0, 0.0]
    )
    assert simple_returns(np.array([0.0, 0.0]), 100.0) == pytest.approx([-1.0, 0.0])


def test_other_sessions_of_the_benchmark_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="same sessions"):
        excess_returns(points([1.0, 2.0]), points([1.0, 2.0])[:1], 1.0, YEAR)


def test_tiers_are_joined_in_order_and_only_of_one_frequency() -> None:
    train, validation = ExcessReturns(noise(1, 70), YEAR), ExcessReturns(noise(2, 30), YEAR)
    both = joined(train, validation)
    assert (both.values == np.concatenate([train.values, validation.values])).all()
    for wrong in ((train, ExcessReturns(noise(2), 52)), ()):
        with pytest.raises(InvalidInputError, match="frequency"):
            joined(*wrong)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_returns_that_are_not_finite_are_refused(bad: float) -> None:
    values = noise(1, 80)
    values[7] = bad
    with pytest.raises(InvalidInputError, match="finite"):
        ExcessReturns(values, YEAR)
    with pytest.raises(InvalidInputError, match="finite"):
        TrialReturns(values.reshape(20, 4), YEAR)


def test_shape_and_frequency_are_checked() -> None:
    for make in (
        lambda: ExcessReturns(noise(1, 80).reshape(20, 4), YEAR),
        lambda: TrialReturns(noise(1, 80), YEAR),
        lambda: ExcessReturns(noise(1), 0),
        lambda: ExcessReturns(noise(1), float("inf")),
        lambda: TrialReturns.of([]),
        lambda: TrialReturns.of([ExcessReturns(noise(1), 252), ExcessReturns(noise(1), 365)]),
        lambda: TrialReturns.of([ExcessReturns(noise(1, 9), 252), ExcessReturns(noise(1), 252)]),
    ):
        with pytest.raises(InvalidInputError):
            make()
    trials = TrialReturns.of([ExcessReturns(noise(seed), YEAR) for seed in range(3)])
    assert (trials.observations, trials.trials) == (1000, 3)
