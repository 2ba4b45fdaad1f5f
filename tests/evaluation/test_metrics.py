"""Metrics from equity and round trips, and when they are undefined."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from tests.evaluation.hand_made import COSTLY, flat, order, panel, replay

from stratlab.domain.metrics import METRIC_NAMES
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.repricing import Repricing


def repricing(equity, profits=(), fills=(), ends=None, sessions_per_year=252):
    values = np.array(equity, dtype=float)
    empty = np.zeros((len(values), 0))
    bars = np.arange(len(values)) * 86_400
    rows = np.arange(len(values)) if ends is None else np.array(ends)
    return Repricing(
        bars,
        (),
        empty,
        values,
        values,
        np.zeros(len(values)),
        fills,
        profits,
        rows,
        sessions_per_year,
    )


def test_returns_of_intraday_bars_are_those_of_session_ends_in_the_calendars_own_year():
    hourly = repricing(
        [101.0, 60.0, 99.0, 150.0, 102.0, 104.0], ends=[0, 2, 4, 5], sessions_per_year=365
    )
    daily = repricing([101.0, 99.0, 102.0, 104.0])
    ours, plain = (compute_metrics(item, 100.0) for item in (hourly, daily))
    assert ours.max_drawdown == plain.max_drawdown
    assert ours.annual_return == pytest.approx(1.04 ** (365 / 4) - 1)
    assert ours.sharpe_ratio == pytest.approx(plain.sharpe_ratio * math.sqrt(365 / 252))
    assert ours.sortino_ratio == pytest.approx(plain.sortino_ratio * math.sqrt(365 / 252))
    assert ours.annual_volatility == pytest.approx(plain.annual_volatility * math.sqrt(365 / 252))


def test_figures_are_those_of_the_textbook():
    equity = [101.0, 99.0, 102.0, 104.0]
    returns = np.array([0.01, 99 / 101 - 1, 102 / 99 - 1, 104 / 102 - 1])
    metrics = compute_metrics(repricing(equity), 100.0)
    assert metrics.cum_returns_final == pytest.approx(0.04)
    assert metrics.annual_return == pytest.approx(1.04 ** (252 / 4) - 1)
    assert metrics.annual_volatility == pytest.approx(returns.std(ddof=1) * math.sqrt(252))
    assert metrics.sharpe_ratio == pytest.approx(
        returns.mean() / returns.std(ddof=1) * math.sqrt(252)
    )
    downside = math.sqrt(np.mean(np.minimum(returns, 0) ** 2) * 252)
    assert metrics.sortino_ratio == pytest.approx(returns.mean() * 252 / downside)
    assert metrics.max_drawdown == pytest.approx(99 / 101 - 1)
    assert metrics.calmar_ratio == pytest.approx(metrics.annual_return / (1 - 99 / 101))


def test_first_return_is_against_the_starting_capital():
    metrics = compute_metrics(repricing([90.0, 90.0, 90.0]), 100.0)
    assert metrics.max_drawdown == pytest.approx(-0.1)
    assert metrics.cum_returns_final == pytest.approx(-0.1)


def test_account_that_never_trades_has_no_ratios():
    metrics = compute_metrics(repricing([100.0] * 10), 100.0)
    assert (metrics.cum_returns_final, metrics.annual_return, metrics.max_drawdown) == (0, 0, 0)
    assert metrics.annual_volatility == 0
    assert metrics.turnover == 0
    assert metrics.total_trades == 0
    for name in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "win_rate"):
        assert getattr(metrics, name) is None, name


def test_one_bar_has_no_volatility():
    metrics = compute_metrics(repricing([101.0]), 100.0)
    assert metrics.cum_returns_final == pytest.approx(0.01)
    assert metrics.annual_volatility is metrics.sharpe_ratio is None


@pytest.mark.parametrize("equity", [[50.0, 0.0, 10.0], [50.0, -20.0, 10.0]])
def test_wiped_out_account_keeps_return_and_drawdown_only(equity):
    metrics = compute_metrics(repricing(equity, profits=(-90.0,)), 100.0)
    assert metrics.cum_returns_final == pytest.approx(-0.9)
    assert metrics.max_drawdown == pytest.approx(min(equity) / 100 - 1)
    assert metrics.annual_return is metrics.sharpe_ratio is metrics.turnover is None
    assert metrics.total_trades == 1


@pytest.mark.parametrize("equity", [[1e-300] * 5, [1e300, 1e-300, 1e300], [100.0, 1e308]])
def test_no_metric_is_ever_infinite_or_nan(equity):
    values = astuple(compute_metrics(repricing(equity), 100.0))
    assert len(values) == len(METRIC_NAMES)
    assert all(value is None or math.isfinite(value) for value in values)


def test_win_rate_counts_profits_after_costs():
    metrics = compute_metrics(repricing([100.0, 100.0], profits=(5.0, -1.0, 0.0, 2.0)), 100.0)
    assert (metrics.win_rate, metrics.total_trades) == (0.5, 4)


def test_costs_can_turn_a_winning_trade_into_a_loss():
    prices = panel({"AAA": flat(100, 100, 101, 101)})
    repriced = replay([order(1, 0, 10), order(2, 1, -10)], prices, COSTLY)
    assert compute_metrics(repriced, 100_000).win_rate == 0.0


def test_turnover_is_traded_value_a_year_over_mean_equity():
    prices = panel({"AAA": flat(*[100] * 252)})
    repriced = replay([order(1, 0, 100), order(2, 5, -100)], prices)
    assert compute_metrics(repriced, 100_000).turnover == pytest.approx(0.2)
