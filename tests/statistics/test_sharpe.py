"""Sharpe ratios, against published figures, other libraries and simulation."""

import math

import empyrical
import numpy as np
import pytest
import skfolio.measures
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.series import YEAR, noise, with_sharpe

from stratlab.domain.metrics import AnnualSharpe, PeriodRatio, PerPeriodSharpe
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.statistics import Inconclusive, Insufficiency, Moments
from stratlab.evaluation.overfitting import (
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from stratlab.evaluation.statistics.sharpe import (
    MINIMUM_OBSERVATIONS,
    ZERO_SHARPE,
    annual_scale,
    estimate_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)

seeds = st.integers(0, 10_000)


def period(value: float) -> PerPeriodSharpe:
    return PerPeriodSharpe(PeriodRatio(value))


@pytest.mark.parametrize(
    ("moments", "expected"), [(Moments(), 0.982), (Moments(-2.448, 10.164), 0.913)]
)
def test_probabilistic_sharpe_ratio_of_the_published_hedge_fund(
    moments: Moments, expected: float
) -> None:
    # Bailey and Lopez de Prado (2012): 24 months, mean 0.036, deviation 0.079.
    found = probabilistic_sharpe_ratio(period(0.458), 24, ZERO_SHARPE, moments)
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("year", "expected"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_minimum_track_record_of_the_published_example(year: int, expected: float) -> None:
    # Bailey and Lopez de Prado (2012): an annual ratio of 2 against 1, in years.
    two, one = (PerPeriodSharpe.of_annual(AnnualSharpe(sharpe), year) for sharpe in (2.0, 1.0))
    length = minimum_track_record_length(two, one)
    assert length is not None
    assert length / year == pytest.approx(expected, abs=0.005 + 1.0 / year)


@given(seeds, st.floats(0.3, 3.0))
def test_minimum_track_record_is_where_the_probability_reaches_the_confidence(
    seed: int, sharpe: float
) -> None:
    returns = with_sharpe(sharpe, seed)
    record, now = minimum_track_record(returns), probabilistic_sharpe(returns)
    assert record.required is not None
    moments, ratio = now.moments, now.sharpe
    enough, short = (
        probabilistic_sharpe_ratio(ratio, length, ZERO_SHARPE, moments)
        for length in (record.required, record.required - 1)
    )
    assert short < 0.95 <= enough
    assert record.is_long_enough == (now.probability >= 0.95)


@given(seeds, st.floats(-3.0, 0.0))
def test_no_track_record_is_long_enough_for_a_ratio_below_the_threshold(
    seed: int, sharpe: float
) -> None:
    record = minimum_track_record(with_sharpe(sharpe, seed))
    assert record.required is None
    assert not record.is_long_enough


@given(seeds, st.floats(-2.0, 2.0), st.floats(-0.1, 0.1))
def test_probabilistic_sharpe_ratio_is_that_of_skfolio(
    seed: int, sharpe: float, threshold: float
) -> None:
    returns = with_sharpe(sharpe, seed, 200)
    ours = probabilistic_sharpe(returns, period(threshold))
    theirs = skfolio.measures.probabilistic_sharpe_ratio(returns.values, threshold)
    assert ours.probability == pytest.approx(theirs, abs=1e-9)


@given(seeds, st.floats(-3.0, 3.0))
def test_sharpe_ratio_is_that_of_empyrical(seed: int, sharpe: float) -> None:
    returns = with_sharpe(sharpe, seed)
    estimate = estimate_sharpe(returns)
    assert estimate.annual == pytest.approx(
        empyrical.sharpe_ratio(returns.values, annualization=YEAR), abs=1e-9
    )


@given(seeds, st.floats(1e-4, 1e4))
def test_leverage_changes_no_ratio(seed: int, leverage: float) -> None:
    returns = with_sharpe(1.0, seed, 300)
    levered = ExcessReturns(returns.values * leverage, YEAR)
    one, other = estimate_sharpe(returns), estimate_sharpe(levered)
    assert other.per_period.value == pytest.approx(one.per_period.value)
    assert other.lo_annual == pytest.approx(one.lo_annual)
    assert probabilistic_sharpe(levered).probability == pytest.approx(
        probabilistic_sharpe(returns).probability
    )


@given(st.floats(-0.9, 0.9), st.sampled_from([12, 52, 252]))
def test_scale_of_a_first_order_autoregression_is_the_published_closed_form(
    rho: float, year: int
) -> None:
    # Lo (2002), equation 22.
    found = annual_scale([rho**lag for lag in range(1, year)], year)
    factor = 1.0 + 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - rho**year) / (year * (1.0 - rho)))
    assert found == pytest.approx(math.sqrt(year) / math.sqrt(factor))


def test_scale_without_autocorrelation_is_the_square_root_and_none_without_variance() -> None:
    assert annual_scale([], 252) == pytest.approx(252**0.5)
    assert annual_scale([0.0, 0.0], 252) == pytest.approx(252**0.5)
    assert annual_scale([-1.0, -1.0], 252) is None


@pytest.mark.parametrize(("rho", "sign"), [(0.3, -1), (-0.3, 1)])
def test_los_correction_goes_the_way_of_the_autocorrelation(rho: float, sign: int) -> None:
    values = noise(3, 4000)
    for day in range(1, len(values)):
        values[day] += rho * values[day - 1]
    estimate = estimate_sharpe(ExcessReturns(values + 0.001, YEAR))
    assert estimate.first_autocorrelation == pytest.approx(rho, abs=0.05)
    assert (estimate.lo_annual - estimate.annual) * sign > 0.2 * estimate.annual
    # The limit for a long year.
    expected = math.sqrt((1.0 - rho) / (1.0 + rho))
    assert estimate.lo_annual / estimate.annual == pytest.approx(expected, rel=0.1)


def test_standard_error_is_the_spread_that_simulation_shows() -> None:
    random = np.random.default_rng(5)
    returns = random.gamma(4.0, 0.005, (2000, 250)) - 0.018
    ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    errors = [estimate_sharpe(ExcessReturns(row, YEAR)).standard_error for row in returns[:200]]
    assert np.mean(errors) == pytest.approx(ratios.std(), rel=0.08)


@pytest.mark.parametrize("function", [estimate_sharpe, probabilistic_sharpe, minimum_track_record])
def test_too_few_returns_are_inconclusive_and_say_how_many_it_takes(function) -> None:
    found = function(ExcessReturns(noise(1)[: MINIMUM_OBSERVATIONS - 1], YEAR))
    assert isinstance(found, Inconclusive)
    assert found.reason is Insufficiency.TOO_FEW_OBSERVATIONS
    assert (found.observations, found.required) == (59, MINIMUM_OBSERVATIONS)
    assert found.statistic == function.__name__
    assert not isinstance(function(ExcessReturns(noise(1)[:60], YEAR)), Inconclusive)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(500),
        np.full(500, 0.001),
        np.full(500, 0.1) * (1 + 1e-16 * np.arange(500)),
        np.where(np.arange(500) % 2, 0.02, 0.0) + 0.0,
    ],
    ids=["zero", "constant", "rounding", "two-values"],
)
def test_returns_without_variation_are_no_number_or_a_finite_one(values: np.ndarray) -> None:
    found = probabilistic_sharpe(ExcessReturns(values, YEAR))
    if values.std() < 1e-6:
        assert isinstance(found, Inconclusive)
        assert found.reason is Insufficiency.NO_VARIATION
    else:
        assert isinstance(found, Inconclusive) or 0.0 <= found.probability <= 1.0


@given(st.lists(st.floats(-1.0, 1.0), min_size=60, max_size=90))
def test_no_returns_whatever_make_a_number_that_is_not_finite(values: list[float]) -> None:
    found = estimate_sharpe(ExcessReturns(np.array(values), YEAR))
    if not isinstance(found, Inconclusive):
        figures = (found.per_period.value, found.annual, found.standard_error, found.lo_annual or 0)
        assert all(math.isfinite(figure) for figure in figures)
        assert 0.0 <= probabilistic_sharpe(ExcessReturns(np.array(values), YEAR)).probability <= 1.0
