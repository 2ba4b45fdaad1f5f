"""Sizes and distances of ``lab.risk``, on prices that are known."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab_runner import risk

BARS = {"high": [10.5, 11.0, 12.0], "low": [9.5, 10.0, 9.0], "close": [10.0, 10.5, 11.0]}


def data_of(price: float, bars: dict[str, list[float]] = BARS) -> SimpleNamespace:
    return SimpleNamespace(
        current=lambda asset, field: price,
        history=lambda asset, field, count, frequency: bars[field][-count:],
    )


def context_of(equity: float) -> SimpleNamespace:
    return SimpleNamespace(portfolio=SimpleNamespace(portfolio_value=equity))


def test_percent_equity_is_whole_shares_of_the_account() -> None:
    assert risk.percent_equity(context_of(10_000), data_of(33.0), "A", 50) == 151
    assert risk.percent_equity(context_of(10.0), data_of(33.0), "A", 100) == 0
    assert risk.percent_equity(context_of(-5.0), data_of(33.0), "A", 100) == 0


def test_risk_percent_loses_its_part_at_the_stop_and_never_costs_more_than_the_account() -> None:
    assert risk.risk_percent(context_of(10_000), data_of(100.0), "A", 1, 5.0) == 20
    assert risk.risk_percent(context_of(10_000), data_of(100.0), "A", 1, 0.01) == 100


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0])
def test_size_without_a_price_is_none(price: float) -> None:
    assert risk.percent_equity(context_of(10_000), data_of(price), "A", 10) == 0
    assert risk.risk_percent(context_of(10_000), data_of(price), "A", 10, 1.0) == 0


@pytest.mark.parametrize("distance", [math.nan, math.inf, 0.0, -1.0])
def test_size_without_a_distance_is_none(distance: float) -> None:
    assert risk.risk_percent(context_of(10_000), data_of(10.0), "A", 10, distance) == 0


def test_range_distance_is_a_multiple_of_the_mean_true_range() -> None:
    # max(1, |11 - 10|, |10 - 10|) and max(3, |12 - 10.5|, |9 - 10.5|)
    assert risk.range_distance(data_of(11.0), "A", 2, 3.0) == 3.0 * (1.0 + 3.0) / 2


def test_range_distance_of_too_few_bars_is_undefined() -> None:
    short = {**BARS, "close": [math.nan, 10.5, 11.0]}
    assert math.isnan(risk.range_distance(data_of(11.0, short), "A", 2, 3.0))


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.5, math.nan])
def test_percent_out_of_bounds_is_refused(percent: float) -> None:
    for compute in (
        lambda: risk.percent_equity(context_of(1.0), data_of(1.0), "A", percent),
        lambda: risk.risk_percent(context_of(1.0), data_of(1.0), "A", percent, 1.0),
        lambda: risk.percent_distance(data_of(1.0), "A", percent),
        lambda: risk.range_distance(data_of(1.0), "A", 2, percent),
    ):
        with pytest.raises(risk.RiskError, match="not above 0"):
            compute()


@given(
    equity=st.floats(0, 1e9),
    price=st.floats(0.01, 1e6),
    percent=st.floats(0.01, 100),
    stop=st.floats(0.01, 1e6),
)
def test_size_never_exceeds_what_is_at_stake(
    equity: float, price: float, percent: float, stop: float
) -> None:
    shares = risk.risk_percent(context_of(equity), data_of(price), "A", percent, stop)
    assert shares >= 0
    assert shares * stop <= equity * percent / 100 * (1 + 1e-12)
    assert shares * price <= equity * (1 + 1e-12)
