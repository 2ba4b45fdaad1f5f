"""The benchmark: equal-weight buy-and-hold at the costs of the campaign."""

import pytest
from tests.evaluation.hand_made import COSTLY, FREE, ZIPLINE, bar, fills_of, flat, panel, window

from stratlab.domain.market import CostModel, Dividend, MarketSet, Split
from stratlab.evaluation.benchmark import buy_and_hold


def benchmark(prices, costs=FREE, capital=1000.0, first=0):
    market = MarketSet("hand-made", prices.symbols)
    return buy_and_hold(market, prices, window(prices, first), capital, costs)


def test_shares_are_equal_and_whole_and_bought_at_the_first_open():
    prices = panel({"AAA": [(30, 31, 29, 31)] * 2, "BBB": [(7, 8, 6, 8)] * 2})
    repriced = benchmark(prices)
    assert repriced.amounts[0].tolist() == [16, 71]
    assert repriced.cash[0] == pytest.approx(1000 - 16 * 30 - 71 * 7)
    assert repriced.equity[0] == pytest.approx(repriced.cash[0] + 16 * 31 + 71 * 8)


def test_costs_are_paid_out_of_the_share():
    repriced = benchmark(panel({"AAA": flat(99, 99)}), COSTLY)
    # A share costs 99 * 1.01 + 0.01 = 100.00, so ten of them just fit.
    assert repriced.amounts[0, 0] == 10
    assert repriced.cash[0] == pytest.approx(0.0)
    dearer = CostModel(slippage_bps=100.0, commission_per_share=0.011, volume_limit=1.0)
    assert benchmark(panel({"AAA": flat(99, 99)}), dearer).amounts[0, 0] == 9


def test_symbol_that_lists_later_is_bought_when_it_lists():
    prices = panel({"AAA": flat(10, 10, 10), "BBB": [None, None, (20, 20, 20, 20)]})
    repriced = benchmark(prices)
    assert repriced.amounts[:, 1].tolist() == [0, 0, 25]
    assert repriced.cash.tolist() == [500, 500, 0]


def test_purchase_waits_for_a_bar_whose_volume_takes_it_whole():
    prices = panel({"AAA": [(10, 10, 10, 10, 999), (12.5, 12.5, 12.5, 12.5, 1000)]})
    repriced = benchmark(prices, CostModel(slippage_bps=0, commission_per_share=0))
    assert fills_of(repriced) == [(1, 1, 80, 12.5)]


def test_dividends_are_kept_in_cash_and_nothing_is_sold():
    prices = panel({"AAA": flat(10, 10, 10)}, dividends=[Dividend(bar(1), bar(2), "AAA", 1.0)])
    repriced = benchmark(prices)
    assert repriced.cash.tolist() == [0, 0, 100]
    assert repriced.profits == ()


def test_zipline_costs_buy_at_the_first_close():
    prices = panel({"AAA": [(10, 20, 9, 16)] * 2})
    repriced = benchmark(prices, ZIPLINE)
    assert fills_of(repriced) == [(1, 0, 62, pytest.approx(16 * 1.0005))]
    assert repriced.cash[0] >= 0


def test_purchase_in_the_bar_of_a_split_is_in_new_shares():
    prices = panel({"AAA": flat(50, 50)}, splits=[Split(bar(0), "AAA", 0.5)])
    assert fills_of(benchmark(prices)) == [(1, 0, 20, 50)]


def test_purchase_before_the_window_is_not_made():
    repriced = benchmark(panel({"AAA": flat(1, 10, 10)}), first=1)
    assert fills_of(repriced) == [(1, 0, 100, 10)]


def test_symbol_that_never_trades_stays_in_cash():
    prices = panel({"AAA": flat(10, 10), "BBB": [None, None]})
    assert benchmark(prices).cash.tolist() == [500, 500]
