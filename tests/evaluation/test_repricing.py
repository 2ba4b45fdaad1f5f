"""Positions, cash and equity: corporate actions, gaps, delistings and several symbols."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tests.evaluation.hand_made import (
    CAPITAL,
    COSTLY,
    FREE,
    bar,
    cancel,
    fills_of,
    flat,
    order,
    panel,
    replay,
)

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import Dividend, Split, Tier, Window
from stratlab.domain.trial import OrderKind, Phase
from stratlab.domain.valuation import closing_prices
from stratlab.evaluation.repricing import reprice


def test_empty_log_leaves_the_capital_untouched():
    repriced = replay([], panel({"AAA": flat(100, 90, 80)}))
    assert repriced.equity.tolist() == [CAPITAL] * 3
    assert repriced.leverage.tolist() == [0.0] * 3
    assert repriced.fills == repriced.profits == ()


def test_equity_is_cash_and_shares_at_the_close():
    repriced = replay([order(1, 0, 100)], panel({"AAA": flat(100, 100, 110)}))
    assert repriced.amounts[:, 0].tolist() == [0, 100, 100]
    assert repriced.cash.tolist() == [100_000, 90_000, 90_000]
    assert repriced.equity.tolist() == [100_000, 100_000, 101_000]
    assert repriced.leverage[2] == pytest.approx(11_000 / 101_000)


def test_short_position_loses_when_the_price_rises():
    repriced = replay([order(1, 0, -100)], panel({"AAA": flat(100, 100, 110)}))
    assert repriced.equity[2] == 99_000
    assert repriced.leverage[2] == pytest.approx(11_000 / 99_000)


def test_split_truncates_shares_and_pays_the_fraction_at_the_cost_basis():
    prices = panel({"AAA": flat(30, 30, 90)}, splits=[Split(bar(2), "AAA", 3.0)])
    repriced = replay([order(1, 0, 100)], prices)
    # 100 shares become 33 and a third; the basis of 30 becomes 90, so the third pays 30.
    assert repriced.amounts[2, 0] == 33
    assert repriced.cash[2] - repriced.cash[1] == pytest.approx(30.0)


def test_split_of_a_short_position_charges_the_fraction():
    prices = panel({"AAA": flat(30, 30, 90)}, splits=[Split(bar(2), "AAA", 3.0)])
    repriced = replay([order(1, 0, -100)], prices)
    assert repriced.amounts[2, 0] == -33
    assert repriced.cash[2] - repriced.cash[1] == pytest.approx(-30.0)


def test_split_takes_the_cost_basis_with_commissions_rounded_to_the_cent():
    prices = panel({"AAA": flat(30, 30, 90)}, splits=[Split(bar(2), "AAA", 3.0)])
    repriced = replay([order(1, 0, 100)], prices, COSTLY)
    # Basis 30 * 1.01 + 0.01 = 30.31, tripled 90.93; a third of a share pays 30.31.
    assert repriced.cash[2] - repriced.cash[1] == pytest.approx(30.31)


def test_split_rounds_the_cost_basis_before_it_pays_the_fraction():
    prices = panel({"AAA": flat(0.042, 0.042, 0.126)}, splits=[Split(bar(2), "AAA", 3.0)])
    repriced = replay([order(1, 0, 2)], prices)
    # Two thirds of a share at 0.13 pay 0.09; at 0.126 they would pay 0.08.
    assert repriced.cash[2] - repriced.cash[1] == pytest.approx(0.09)


def test_split_that_leaves_no_share_turns_the_position_into_cash():
    prices = panel({"AAA": flat(1, 1, 10)}, splits=[Split(bar(2), "AAA", 10.0)])
    repriced = replay([order(1, 0, 9)], prices)
    assert repriced.amounts[2, 0] == 0
    assert repriced.equity[2] == pytest.approx(CAPITAL)


def test_dividend_is_earned_by_the_holder_before_the_ex_date_and_paid_on_the_pay_date():
    prices = panel(
        {"AAA": flat(100, 100, 100, 100)}, dividends=[Dividend(bar(2), bar(3), "AAA", 2)]
    )
    assert replay([order(1, 0, 10)], prices).cash.tolist() == [100_000, 99_000, 99_000, 99_020]
    # Bought at the open of the ex date: too late.
    assert replay([order(1, 1, 10)], prices).cash[3] == 99_000
    # Sold at the open of the ex date: still earned.
    assert replay([order(1, 0, 10), order(2, 1, -10)], prices).cash[3] == 100_020


def test_dividend_is_owed_by_a_short_position():
    prices = panel({"AAA": flat(100, 100, 100)}, dividends=[Dividend(bar(2), bar(2), "AAA", 2)])
    assert replay([order(1, 0, -10)], prices).cash[2] == 100_980


@pytest.mark.parametrize("pay_row", [9, 1])
def test_dividend_that_is_paid_on_no_session_or_before_the_ex_date_is_never_paid(pay_row):
    dividends = [Dividend(bar(2), bar(pay_row), "AAA", 2)]
    prices = panel({"AAA": flat(100, 100, 100)}, dividends=dividends)
    assert replay([order(1, 0, 10)], prices).cash.tolist() == [100_000, 99_000, 99_000]


def test_dividend_on_the_day_of_a_split_counts_the_old_shares():
    prices = panel(
        {"AAA": flat(100, 100, 50)},
        splits=[Split(bar(2), "AAA", 0.5)],
        dividends=[Dividend(bar(2), bar(2), "AAA", 2)],
    )
    repriced = replay([order(1, 0, 10)], prices)
    assert repriced.amounts[2, 0] == 20
    assert repriced.cash[2] == 99_020


def test_order_at_the_open_of_a_split_is_in_new_shares_and_an_earlier_one_follows_it():
    prices = panel({"AAA": flat(100, 50)}, splits=[Split(bar(1), "AAA", 0.5)])
    at_open = replace(order(1, 1, 10), phase=Phase.AT_OPEN)
    assert fills_of(replay([at_open], prices)) == [(1, 1, 10, 50)]
    assert fills_of(replay([order(1, 0, 10)], prices)) == [(1, 1, 20, 50)]


def test_order_of_initialize_follows_the_splits_of_the_first_bar():
    prices = panel({"AAA": flat(50, 50)}, splits=[Split(bar(0), "AAA", 0.5)])
    assert fills_of(replay([order(1, 0, 10, early=True)], prices)) == [(1, 0, 20, 50)]


def test_gap_is_valued_at_the_last_close_adjusted_for_what_happened_since():
    prices = panel(
        {"AAA": [*flat(100, 100), None, None, *flat(49)]},
        splits=[Split(bar(3), "AAA", 0.5)],
        dividends=[Dividend(bar(2), bar(9), "AAA", 10)],
    )
    # The ex date of row 2 marks 100 down by 10 %, the split of row 3 halves it.
    assert closing_prices(prices)[:, 0].tolist() == pytest.approx([100, 100, 90, 45, 49])


def test_symbol_that_has_ended_keeps_its_last_mark_through_a_split():
    prices = panel(
        {"AAA": [*flat(100, 100), None, None], "BBB": flat(1, 1, 1, 1)},
        splits=[Split(bar(3), "AAA", 0.5)],
    )
    assert closing_prices(prices)[:, 0].tolist() == [100, 100, 100, 100]


def test_symbol_that_is_not_listed_yet_has_no_mark():
    prices = panel({"AAA": flat(1, 1, 1), "BBB": [None, *flat(50, 51)]})
    assert np.isnan(closing_prices(prices)[0, 1])
    assert replay([order(1, 1, 10, symbol="BBB")], prices).equity[2] == CAPITAL


def test_delisted_position_is_closed_at_its_last_mark_without_a_fee():
    prices = panel(
        {"AAA": [*flat(100, 100, 90), None, None], "BBB": flat(1, 1, 1, 1, 1)},
        auto_close={"AAA": bar(3)},
    )
    log = [order(1, 0, 10), order(2, 2, 5, OrderKind.LIMIT, limit_price=1.0)]
    repriced = replay(log, prices, COSTLY)
    assert repriced.amounts[:, 0].tolist() == [0, 10, 10, 0, 0]
    assert repriced.cash[3] - repriced.cash[2] == pytest.approx(900)
    assert len(repriced.fills) == 1
    assert len(repriced.profits) == 1


def test_cancel_of_an_order_that_is_gone_changes_nothing():
    prices = panel({"AAA": flat(100, 100, 100)})
    log = [order(1, 0, 10), cancel(1, 1), cancel(1, 2)]
    assert replay(log, prices).amounts[2, 0] == 10


def test_warm_up_bars_are_not_traded():
    prices = panel({"AAA": flat(100, 200, 300)}, dividends=[Dividend(bar(0), bar(0), "AAA", 1)])
    repriced = replay([order(1, 1, 10)], prices, first=1)
    assert repriced.bars.tolist() == [bar(1), bar(2)]
    assert fills_of(repriced) == [(1, 1, 10, 300)]


def test_window_without_a_session_is_refused():
    nowhere = Window(Tier.TRAIN, date(2010, 1, 1), date(2010, 1, 31))
    with pytest.raises(InvalidSpecError, match="no session"):
        reprice([], panel({"AAA": flat(1)}), nowhere, CAPITAL, FREE)


def test_fills_of_a_bar_are_ordered_by_number():
    prices = panel({"AAA": flat(1, 1), "BBB": flat(2, 2)})
    log = [order(1, 0, 1, symbol="BBB"), order(2, 0, 1), order(3, 0, 1, symbol="BBB")]
    assert [fill.number for fill in replay(log, prices).fills] == [1, 2, 3]


@pytest.mark.parametrize(
    ("amounts", "profits"),
    [
        ((10, -10), [100.0]),
        ((-10, 10), [-100.0]),
        ((10, -4, -6), [40.0, 120.0]),  # prices 100, 110, 120, 130
        ((10, 10, -20), [300.0]),  # average cost 105
        ((10, -15, 5), [100.0, -50.0]),  # turned around at 110, covered at 120
        ((10,), []),
    ],
)
def test_round_trips_are_counted_by_average_cost(amounts, profits):
    prices = panel({"AAA": flat(100, *range(100, 150, 10))})
    log = [order(number, number - 1, amount) for number, amount in enumerate(amounts, start=1)]
    assert replay(log, prices).profits == pytest.approx(tuple(profits))


def test_round_trip_pays_both_commissions():
    prices = panel({"AAA": flat(100, 100, 100)})
    (profit,) = replay([order(1, 0, 10), order(2, 1, -10)], prices, COSTLY).profits
    assert profit == pytest.approx(10 * (99.0 - 101.0) - 0.1 - 0.1)


def test_round_trip_across_a_split_keeps_its_cost():
    prices = panel({"AAA": flat(100, 100, 50, 60)}, splits=[Split(bar(2), "AAA", 0.5)])
    assert replay([order(1, 0, 10), order(2, 2, -20)], prices).profits == (200.0,)
