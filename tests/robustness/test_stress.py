"""Delay, costs and other histories, on markets small enough to know the answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.hand_made import CAPITAL, COSTLY, FREE, bracket, fills_of, flat, order, panel
from tests.evaluation.hand_made import window as whole
from tests.evaluation.markets import random_market
from tests.evaluation.test_properties import random_log, window

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.trial import OrderKind
from stratlab.domain.valuation import adjustment_ratios
from stratlab.evaluation.bootstrapped_prices import bootstrapped_panel
from stratlab.evaluation.stress import Book, cost_ladder, delayed, mean_returns

seeds = st.integers(0, 2**32 - 1)


def book(log, prices, costs=FREE):
    return Book(tuple(log), prices, whole(prices), CAPITAL, costs)


def late(log, prices, costs=FREE, **options):
    return delayed(log, prices, whole(prices), CAPITAL, costs, **options)


def test_execution_happens_at_the_open_of_the_bar_behind_its_own():
    prices = panel({"AAA": flat(10, 11, 12, 13, 14)})
    log = (order(1, 0, 100), order(2, 2, -100))
    assert fills_of(book(log, prices).repriced()) == [(1, 1, 100, 11.0), (2, 3, -100, 13.0)]
    assert fills_of(late(log, prices)) == [(1, 2, 100, 12.0), (2, 4, -100, 14.0)]
    # The sale would come behind the last bar.
    assert fills_of(late(log, prices, bars=2)) == [(1, 3, 100, 13.0)]


def test_stop_that_ended_a_trade_ends_the_delayed_one_a_bar_later():
    quotes = [*flat(10, 10), (10, 10, 8, 8), *flat(7, 7)]
    prices = panel({"AAA": quotes})
    log = bracket(0, 100, stop=1.0)
    assert fills_of(book(log, prices).repriced())[-1] == (2, 2, -100, 9.0)
    found = late(log, prices)
    assert fills_of(found) == [(1, 2, 100, 10.0), (2, 3, -100, 7.0)]
    assert found.amounts[-1, 0] == 0


@given(seeds)
def test_delayed_positions_are_the_same_a_bar_later(seed):
    rng = np.random.default_rng(seed)
    count = 40
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    opening = close * np.exp(rng.normal(0, 0.01, count))
    quotes = [
        (o, max(o, c) * 1.01, min(o, c) * 0.99, c)
        for o, c in zip(opening.tolist(), close.tolist(), strict=True)
    ]
    prices = panel({"AAA": quotes})
    log = []
    for row in sorted(rng.integers(0, count, 20).tolist()):
        kind = OrderKind(rng.choice([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP]))
        level = float(close[row] * rng.uniform(0.95, 1.05))
        levels = {OrderKind.LIMIT: {"limit_price": level}, OrderKind.STOP: {"stop_price": level}}
        amount = int(rng.integers(1, 50)) * int(rng.choice([-1, 1]))
        log.append(order(len(log) + 1, row, amount, kind, **levels.get(kind, {})))
    own, moved = book(log, prices).repriced(), late(log, prices)
    np.testing.assert_array_equal(moved.amounts[1:], own.amounts[:-1])
    assert not moved.amounts[0].any()


@given(seeds, st.sampled_from(list(CostModelKind)))
def test_delay_of_any_log_on_any_market_is_a_possible_account(seed, kind):
    rng = np.random.default_rng(seed)
    market = random_market(rng)
    found = delayed(random_log(rng, market), market.panel, window(market), 1e6, CostModel(kind))
    assert np.isfinite(found.equity).all()
    assert all(fill.bar > int(found.bars[0]) for fill in found.fills)


def test_delay_leaves_an_edge_that_lasts_and_takes_one_that_knew_the_next_bar():
    """What the delay test is for: a slow trend decays gently, a leak collapses."""
    rng = np.random.default_rng(5)
    count, calm = 600, 0.01
    trend = np.repeat(rng.choice([-0.004, 0.004], count // 30), 30)
    close = 100 * np.exp(np.cumsum(trend + rng.normal(0, calm, count)))
    opening = np.concatenate(([100.0], close[:-1]))
    quotes = [
        (o, max(o, c), min(o, c), c) for o, c in zip(opening.tolist(), close.tolist(), strict=True)
    ]
    prices = panel({"AAA": quotes})

    def sides(wanted):
        log, held = [], 0
        for row, side in enumerate(wanted[: count - 1].tolist()):
            if side * 100 != held:
                log.append(order(len(log) + 1, row, int(side * 100 - held)))
                held = int(side * 100)
        return log

    def left(log):
        own, moved = book(log, prices).repriced(), late(log, prices)
        return (moved.equity[-1] - CAPITAL) / (own.equity[-1] - CAPITAL)

    slow = sides(np.sign(trend))
    # What is ordered in a bar is held over the next one, whose close this knows.
    peeking = sides(np.sign(np.append(np.diff(close), 0.0)))
    assert left(slow) > 0.8
    assert left(peeking) < 0.3


def test_break_even_is_where_the_gain_pays_the_costs():
    prices = panel({"AAA": flat(*[100] * 3, *[110] * 3)})
    log = (order(1, 0, 100), order(2, 3, -100))
    benchmark = np.zeros(6)
    found = cost_ladder([book(log, prices, COSTLY)], benchmark, 252)
    # 1000 of profit; one multiple of the costs is 1 % of 210 each and 0.01 of 2 shares.
    expected = 1000 / (100 * (0.01 * 210 + 0.02))
    assert found.break_even == pytest.approx(expected, abs=2e-3)
    assert [rung.level for rung in found.rungs] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    totals = [rung.performance.cum_returns_final for rung in found.rungs]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] == pytest.approx(0.01)
    assert all(rung.fills == 2 for rung in found.rungs)


def test_break_even_against_the_benchmark_is_sooner_and_none_when_costs_never_eat_the_gain():
    prices = panel({"AAA": flat(*[100] * 3, *[110] * 3)})
    log = (order(1, 0, 100), order(2, 3, -100))
    hurdle = np.array([0.0, 0.0, 0.0, 0.005, 0.0, 0.0])
    found = cost_ladder([book(log, prices, COSTLY)], hurdle, 252)
    assert 0 < found.excess_break_even < found.break_even
    assert cost_ladder([book(log, prices)], hurdle, 252).break_even is None
    losing = (order(1, 3, 100), order(2, 4, -100))
    prices = panel({"AAA": flat(100, 100, 100, 100, 100, 90)})
    assert cost_ladder([book(losing, prices, COSTLY)], hurdle, 252).break_even == 0.0


@given(seeds, st.sampled_from(list(CostModelKind)))
def test_no_multiple_of_costs_moves_an_order_without_levels(seed, kind):
    rng = np.random.default_rng(seed)
    market = random_market(rng)
    log = random_log(rng, market, kinds=(OrderKind.MARKET,))
    accounts = Book(tuple(log), market.panel, window(market), 1e6, CostModel(kind))
    free, own, double = (accounts.repriced(multiple) for multiple in (0.0, 1.0, 2.0))
    assert own.fills == accounts.repriced().fills
    np.testing.assert_array_equal(free.amounts, double.amounts)
    paid = [sum(fill.commission for fill in each.fills) for each in (free, own, double)]
    assert paid[0] == 0.0
    assert paid[2] == pytest.approx(2 * paid[1])


def test_accounts_in_equal_parts_earn_the_mean_of_their_returns():
    rising, falling = (panel({"AAA": flat(100, 100, 100, last)}) for last in (120, 90))
    accounts = [book((order(1, 0, 1000),), prices).repriced() for prices in (rising, falling)]
    assert mean_returns(accounts, CAPITAL)[-1] == pytest.approx((0.2 - 0.1) / 2)


@given(seeds)
def test_other_history_is_made_of_real_sessions(seed):
    rng = np.random.default_rng(seed)
    market = random_market(rng)
    own, first = market.panel, 5
    other = bootstrapped_panel(own, first, seed, mean_block=8.0)
    assert other.bars is own.bars
    trades = other.volume > 0
    assert (np.isfinite(other.close) == trades).all()
    for name in ("open", "high", "low"):
        real = {round(x, 9) for x in (getattr(own, name) / own.close)[own.volume > 0].tolist()}
        made = (getattr(other, name) / other.close)[trades].tolist()
        assert {round(x, 9) for x in made} <= real
    # The symbol that always trades: every change is one of its own, splits and dividends apart.
    ratios = adjustment_ratios(own)[1:, 0]
    changes = own.close[1:, 0] / (own.close[:-1, 0] * ratios)
    made = other.close[1:, 0] / other.close[:-1, 0]
    assert all(np.isclose(changes, change, rtol=1e-9).any() for change in made)
    np.testing.assert_allclose(made[: first - 1], changes[: first - 1])


def test_other_histories_differ_by_seed_only():
    market = random_market(np.random.default_rng(1))
    one, same, other = (bootstrapped_panel(market.panel, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.close, same.close)
    assert not np.array_equal(one.close, other.close, equal_nan=True)


def test_intraday_bars_are_not_put_into_another_order():
    prices = panel({"AAA": flat(1, 2, 3)})
    with pytest.raises(InvalidSpecError):
        bootstrapped_panel(replace(prices, intraday_sessions=prices.bars), 1, 0)
