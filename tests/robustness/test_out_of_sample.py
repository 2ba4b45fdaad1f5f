"""Choosing by some sessions alone, stitching, efficiency and degradation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.hand_made import CAPITAL, flat, order, panel, replay

from stratlab.domain.robustness import Performance
from stratlab.domain.trial import Outcome
from stratlab.evaluation.degradation import degradation
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.out_of_sample import curve, efficiency, stitched, trained
from stratlab.evaluation.performance import daily_returns, performance
from stratlab.evaluation.selection import PointReturns, rows_of

SESSIONS = 120


def a_table(rng, points=6):
    returns = rng.normal(0.0005, 0.01, (points, SESSIONS))
    names = tuple({"n": number} for number in range(points))
    return PointReturns(names, returns, rng.normal(0, 0.005, SESSIONS), 252)


@given(st.integers(0, 2**32 - 1))
def test_choice_does_not_depend_on_what_is_not_trained_on(seed):
    rng = np.random.default_rng(seed)
    table = a_table(rng)
    train = (range(10, 40), range(55, 90))
    before = table.best(train)
    outside = np.setdiff1d(np.arange(SESSIONS), rows_of(train))
    table.returns[:, outside] = rng.normal(0, 1, (6, len(outside)))
    table.benchmark[outside] = np.nan
    assert table.best(train) == before
    sharpes = [
        performance(row[rows_of(train)], table.benchmark[rows_of(train)], 252).excess_sharpe
        for row in table.returns
    ]
    assert before == int(np.argmax(sharpes))


def test_point_that_was_stopped_is_never_chosen():
    table = a_table(np.random.default_rng(0))
    best = table.best((range(SESSIONS),))
    table.returns[best] = np.nan
    assert table.best((range(SESSIONS),)) not in {best, None}
    table.returns[:] = np.nan
    assert table.best((range(SESSIONS),)) is None


def test_session_of_several_train_windows_counts_once_with_their_mean():
    table = a_table(np.random.default_rng(1))
    found = trained(table, [(0, (range(10),)), (2, (range(5, 15),))])
    excess = table.returns - table.benchmark
    expected = [
        *excess[0, :5],
        *((excess[0, 5:10] + excess[2, 5:10]) / 2),
        *excess[2, 10:15],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_parts_are_stitched_to_one_curve():
    parts = [(np.array([0.1, 0.0]), np.zeros(2)), (np.array([-0.5]), np.ones(1))]
    own, held = stitched(parts)
    points = curve((1, 2, 3), own, 100.0)
    assert [point.value for point in points] == pytest.approx([110.0, 110.0, 55.0])
    assert held.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("outside", "inside", "expected"),
    [
        (0.05, (0.1, 0.3), 0.25),
        (-0.1, (0.1, 0.1), -1.0),
        (0.05, (0.1, -0.3), None),
        (0.05, (0.1, None), None),
        (None, (0.1, 0.1), None),
        (0.05, (), None),
    ],
)
def test_efficiency_is_none_where_a_quotient_has_no_meaning(outside, inside, expected):
    found = efficiency(
        Performance(Outcome.SUCCEEDED, annual_return=outside),
        [Performance(Outcome.SUCCEEDED, annual_return=value) for value in inside],
    )
    assert found == (None if expected is None else pytest.approx(expected))


def test_performance_is_what_the_metrics_of_a_trial_say():
    prices = panel({"AAA": flat(*(100 + 3 * np.sin(np.arange(40))).tolist())})
    account = replay((order(1, 0, 500), order(2, 20, -300)), prices)
    returns = daily_returns(account.equity, CAPITAL)
    found = performance(returns, np.zeros(len(returns)), account.sessions_per_year)
    expected = compute_metrics(account, CAPITAL)
    for name in ("cum_returns_final", "annual_return", "sharpe_ratio", "max_drawdown"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)
    assert found.excess_sharpe == found.sharpe_ratio


def test_account_that_was_wiped_out_has_no_figures():
    returns = daily_returns(np.array([100.0, -1.0, 5.0]), 100.0)
    assert np.isnan(returns).all()
    assert performance(returns, np.zeros(3), 252) == Performance(Outcome.SUCCEEDED)


def noise(seed, annual_sharpe, count=800):
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.01, count)
    return returns - returns.mean() + 0.01 * annual_sharpe / np.sqrt(252)


def test_degradation_is_a_difference_inside_its_interval():
    found = degradation(noise(1, 2.0), noise(2, 0.5), 252, seed=7)
    assert found.value == pytest.approx(1.5, abs=0.1)
    assert found.low < found.value < found.high
    assert found == degradation(noise(1, 2.0), noise(2, 0.5), 252, seed=7)
    assert found != degradation(noise(1, 2.0), noise(2, 0.5), 252, seed=8)


def test_interval_covers_no_degradation_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(40):
        one, other = rng.normal(0.0003, 0.01, (2, 500))
        found = degradation(one, other, 252, seed=int(rng.integers(1000)))
        covered += found.low <= 0.0 <= found.high
    # 95 % of 40 is 38; fewer than 33 would happen once in some thousand runs.
    assert covered >= 33


def test_degradation_of_too_little_has_no_interval_and_of_nothing_no_value():
    short = degradation(noise(1, 2.0, 50), noise(2, 0.5, 800), 252, seed=0)
    assert short.value is not None
    assert short.low is short.high is None
    for useless in (np.zeros(100), np.full(100, np.nan), np.zeros(0)):
        assert degradation(noise(1, 2.0), useless, 252, seed=0).value is None
