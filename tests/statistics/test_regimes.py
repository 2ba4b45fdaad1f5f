"""The regime table: regimes are found, and nothing of the future is in them."""

import numpy as np
import pytest
from tests.statistics.series import YEAR, noise

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.statistics import Inconclusive, Insufficiency, SharpeBound
from stratlab.evaluation.regimes import filtered_probabilities, regime_table

SESSIONS, TRAINED = 900, 600
TURBULENT = np.arange(SESSIONS) // 100 % 3 == 2
MARKET = np.where(TURBULENT, 3.0, 0.7) * noise(1, SESSIONS)


@pytest.fixture(scope="module")
def probabilities() -> np.ndarray:
    found = filtered_probabilities(MARKET, TRAINED)
    assert found is not None
    return found


def test_planted_regimes_are_found(probabilities: np.ndarray) -> None:
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(SESSIONS))
    assert ((probabilities[:, 1] > 0.5) == TURBULENT).mean() > 0.9


@pytest.mark.parametrize("cut", [650, 899])
def test_future_changes_no_probability_before_it(probabilities: np.ndarray, cut: int) -> None:
    other = MARKET.copy()
    other[cut:] = 5.0 * noise(9, SESSIONS)[cut:]
    found = filtered_probabilities(other, TRAINED)
    assert (found[:cut] == probabilities[:cut]).all()
    assert (found[cut:] != probabilities[cut:]).any()


def test_return_is_sorted_by_what_was_known_before_it(probabilities: np.ndarray) -> None:
    returns = ExcessReturns(noise(2, SESSIONS) + 0.001, YEAR)
    table = regime_table(returns, MARKET, TRAINED)
    calm, turbulent = table.rows
    before = probabilities[:-1].argmax(axis=1)
    assert [calm.regime, turbulent.regime] == ["calm", "turbulent"]
    assert calm.observations == (before == 0).sum()
    assert turbulent.observations == (before == 1).sum()
    assert calm.observations + turbulent.observations == table.observations == SESSIONS - 1
    assert calm.share + turbulent.share == pytest.approx(1.0)
    assert calm.volatility < turbulent.volatility
    expected = returns.values[1:][before == 1].mean() * YEAR
    assert turbulent.mean_return.value == pytest.approx(expected)
    # The last return belongs to what was known the day before, whatever it is.
    crash = MARKET.copy()
    crash[-1] = -0.5
    again = regime_table(returns, crash, TRAINED)
    assert [row.observations for row in again.rows] == [calm.observations, turbulent.observations]


def test_edge_in_calm_times_only_shows_in_its_row_with_its_interval() -> None:
    edge = np.where(TURBULENT, -0.002, 0.002)
    table = regime_table(ExcessReturns(noise(2, SESSIONS) + edge, YEAR), MARKET, TRAINED)
    calm, turbulent = (row.sharpe for row in table.rows)
    assert isinstance(calm, SharpeBound)
    assert isinstance(turbulent, SharpeBound)
    assert calm.annual_lower > 0 > turbulent.annual
    assert table.rows[0].mean_return.low > 0 > table.rows[1].mean_return.high
    assert table.fitted_until == TRAINED


def test_regime_that_hardly_occurs_has_no_ratio_but_a_count() -> None:
    short = np.arange(SESSIONS) // 20 == 30
    market = np.where(short | (np.arange(SESSIONS) // 20 == 10), 4.0, 0.7) * noise(1, SESSIONS)
    table = regime_table(ExcessReturns(noise(2, SESSIONS), YEAR), market, TRAINED)
    rare = table.rows[1]
    assert 10 < rare.observations < 60
    assert isinstance(rare.sharpe, Inconclusive)
    assert isinstance(rare.mean_return, Inconclusive)
    assert rare.sharpe.observations == rare.observations


def test_too_few_returns_and_still_markets_are_inconclusive() -> None:
    returns = ExcessReturns(noise(2, SESSIONS), YEAR)
    few = regime_table(returns, MARKET, 249)
    assert isinstance(few, Inconclusive)
    assert (few.reason, few.required) == (Insufficiency.TOO_FEW_OBSERVATIONS, 250)
    still = regime_table(returns, np.zeros(SESSIONS), TRAINED)
    assert isinstance(still, Inconclusive)
    assert still.reason is Insufficiency.NOT_ESTIMABLE


def test_market_of_other_periods_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        regime_table(ExcessReturns(noise(2, 400), YEAR), MARKET, 300)
