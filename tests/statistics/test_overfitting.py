"""Deflated Sharpe ratios, against the published example and against simulated luck."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.metrics import AnnualSharpe, PeriodRatio, PerPeriodSharpe
from stratlab.domain.statistics import Moments
from stratlab.evaluation.overfitting import (
    expected_maximum_sharpe,
    null_variance,
    probabilistic_sharpe_ratio,
    required_sharpe,
)

# Bailey and Lopez de Prado (2014), the example: five years of 250 days, annual variance 1/2.
_DAYS, _SESSIONS, _VARIANCE = 250, 1250, 0.5 / 250
_OBSERVED = PerPeriodSharpe.of_annual(AnnualSharpe(2.5), _DAYS)
_SKEWED = Moments(skewness=-3.0, kurtosis=10.0)

trials = st.integers(1, 10**9)
observations = st.integers(60, 10_000)


@pytest.mark.parametrize(
    ("number", "moments", "expected"),
    [(100, _SKEWED, 0.9004), (46, _SKEWED, 0.9505), (88, Moments(), 0.9505)],
)
def test_deflated_sharpe_ratio_of_the_published_example(
    number: int, moments: Moments, expected: float
) -> None:
    luck = expected_maximum_sharpe(number, _VARIANCE)
    found = probabilistic_sharpe_ratio(_OBSERVED, _SESSIONS, luck, moments)
    assert found == pytest.approx(expected, abs=5e-5)


def test_expected_maximum_of_the_published_example() -> None:
    assert expected_maximum_sharpe(100, _VARIANCE).value == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize("number", [10, 30, 100])
def test_expected_maximum_is_what_strategies_without_skill_show(number: int) -> None:
    random, sessions = np.random.default_rng(number), 250
    best = []
    for _ in range(400):
        returns = random.standard_normal((number, sessions), dtype=np.float32)
        best.append((returns.mean(axis=1) / returns.std(axis=1)).max())
    expected = expected_maximum_sharpe(number, null_variance(sessions)).value
    assert np.mean(best) == pytest.approx(expected, rel=0.05)


def test_expected_maximum_of_one_trial_is_zero_and_of_very_many_finite() -> None:
    assert expected_maximum_sharpe(1, 0.01).value == 0.0
    assert 0.5 < expected_maximum_sharpe(10**15, 0.01).value < 1.0


@given(trials, observations)
def test_required_sharpe_is_where_the_deflated_ratio_reaches_the_bound(
    number: int, sessions: int
) -> None:
    required = required_sharpe(number, sessions)
    luck = expected_maximum_sharpe(number, null_variance(sessions))
    assert required is not None
    assert required.value > luck.value
    assert probabilistic_sharpe_ratio(required, sessions, luck) == pytest.approx(0.95, abs=1e-9)


@given(trials, observations, st.floats(-2.0, 1.0), st.floats(3.0, 12.0))
def test_required_sharpe_with_other_moments_is_the_inverse_too(
    number: int, sessions: int, skewness: float, kurtosis: float
) -> None:
    moments = Moments(skewness, kurtosis + skewness**2)
    required = required_sharpe(number, sessions, moments)
    luck = expected_maximum_sharpe(number, null_variance(sessions))
    assert required is not None
    assert probabilistic_sharpe_ratio(required, sessions, luck, moments) == pytest.approx(
        0.95, abs=1e-6
    )


@given(st.integers(1, 10**6), st.integers(2, 10**3), observations)
def test_more_trials_need_more_and_more_sessions_less(
    number: int, factor: int, sessions: int
) -> None:
    few, many = required_sharpe(number, sessions), required_sharpe(number * factor, sessions)
    longer = required_sharpe(number, sessions + factor)
    assert few is not None
    assert many is not None
    assert longer is not None
    assert few.value < many.value
    assert longer.value < few.value


@pytest.mark.parametrize("sessions", [0, 1, 2])
def test_required_sharpe_of_hardly_any_sessions_is_none(sessions: int) -> None:
    assert required_sharpe(10, sessions) is None


@given(st.floats(-5, 5), st.sampled_from([252, 260, 365]))
def test_sharpe_keeps_its_frequency(annual: float, year: int) -> None:
    sharpe = PerPeriodSharpe.of_annual(AnnualSharpe(annual), year)
    assert sharpe.annual(year) == pytest.approx(annual, abs=1e-12)
    assert abs(sharpe.value) <= abs(annual)


def test_annual_sharpe_cannot_enter_a_formula_of_single_periods() -> None:
    with pytest.raises(AttributeError):
        probabilistic_sharpe_ratio(AnnualSharpe(1.0), 1000, PerPeriodSharpe(PeriodRatio(0.0)))  # type: ignore[arg-type]  # the point of the test
