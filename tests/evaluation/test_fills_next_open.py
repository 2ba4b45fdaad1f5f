"""The next_open cost model, each rule with numbers worked out by hand."""

from dataclasses import replace

import pytest
from tests.evaluation.hand_made import (
    COSTLY,
    bar,
    bracket,
    cancel,
    fills_of,
    order,
    panel,
    replay,
)

from stratlab.domain.market import CostModel, Split
from stratlab.domain.trial import OrderKind, Phase
from stratlab.evaluation.fills_next_open import round_to_tick

CALM = (100.0, 101.0, 99.0, 100.0)


def prices_with(*bars):
    return panel({"AAA": [CALM, *bars]})


def test_market_order_placed_in_a_bar_fills_at_the_next_open_with_slippage():
    prices = prices_with((110.0, 115.0, 105.0, 112.0))
    repriced = replay([order(1, 0, 10)], prices, COSTLY)
    assert fills_of(repriced) == [(1, 1, 10, 110.0 * 1.01)]
    assert repriced.fills[0].commission == pytest.approx(0.1)
    assert repriced.equity[1] == pytest.approx(100_000 - 10 * 111.1 - 0.1 + 10 * 112.0)


def test_market_sell_fills_below_the_open():
    assert fills_of(replay([order(1, 0, -10)], prices_with(CALM), COSTLY)) == [(1, 1, -10, 99.0)]


def test_order_placed_before_or_at_the_open_fills_in_that_bar():
    early, at_open = order(1, 0, 10, early=True), replace(order(1, 1, 10), phase=Phase.AT_OPEN)
    assert fills_of(replay([early], prices_with(CALM))) == [(1, 0, 10, 100)]
    assert fills_of(replay([at_open], prices_with(CALM))) == [(1, 1, 10, 100)]


def test_order_placed_in_the_last_bar_never_fills():
    assert not replay([order(1, 1, 10)], prices_with(CALM)).fills


def test_order_without_a_bar_waits_for_the_next_one():
    prices = panel({"AAA": [CALM, None, (103.0, 104.0, 102.0, 103.0)]})
    assert fills_of(replay([order(1, 0, 10)], prices)) == [(1, 2, 10, 103.0)]


def test_order_in_a_bar_without_volume_waits():
    prices = prices_with((*CALM, 0), (103.0, 104.0, 102.0, 103.0))
    assert fills_of(replay([order(1, 0, 10)], prices)) == [(1, 2, 10, 103.0)]


@pytest.mark.parametrize(("amount", "row"), [(100, 1), (101, 2)])
def test_order_above_the_volume_limit_waits_whole(amount, row):
    prices = prices_with((*CALM, 1000), (*CALM, 2000))
    costs = CostModel(slippage_bps=0, commission_per_share=0, volume_limit=0.1)
    assert fills_of(replay([order(1, 0, amount)], prices, costs)) == [(1, row, amount, 100.0)]


@pytest.mark.parametrize(
    ("amount", "limit", "filled"),
    [
        (10, 101.0, 100.0),  # open below the limit: at the open
        (10, 100.0, 100.0),  # open at the limit
        (10, 98.0, 98.0),  # touched inside the bar: at the limit
        (10, 97.0, 97.0),  # the low itself
        (10, 96.99, None),
        (-10, 99.0, 100.0),
        (-10, 102.0, 102.0),
        (-10, 103.0, 103.0),
        (-10, 103.01, None),
    ],
)
def test_limit_order_fills_without_slippage(amount, limit, filled):
    prices = prices_with((100.0, 103.0, 97.0, 101.0))
    log = [order(1, 0, amount, OrderKind.LIMIT, limit_price=limit)]
    expected = [] if filled is None else [(1, 1, amount, filled)]
    assert fills_of(replay(log, prices, COSTLY)) == expected


@pytest.mark.parametrize(
    ("amount", "stop", "filled"),
    [
        (10, 99.0, 101.0),  # open above the stop: at the open, one per cent worse
        (10, 100.0, 101.0),
        (10, 102.0, 103.02),  # touched inside the bar: at the stop, one per cent worse
        (10, 103.0, 104.03),
        (10, 103.01, None),
        (-10, 101.0, 99.0),
        (-10, 98.0, 97.02),
        (-10, 96.99, None),
    ],
)
def test_stop_order_fills_with_slippage(amount, stop, filled):
    prices = prices_with((100.0, 103.0, 97.0, 101.0))
    log = [order(1, 0, amount, OrderKind.STOP, stop_price=stop)]
    found = fills_of(replay(log, prices, COSTLY))
    assert [fill[:3] for fill in found] == ([] if filled is None else [(1, 1, amount)])
    assert [fill[3] for fill in found] == pytest.approx([] if filled is None else [filled])


def test_stop_limit_order_is_a_limit_order_from_the_bar_after_the_touch():
    prices = prices_with((100.0, 103.0, 97.0, 101.0), (106.0, 107.0, 104.0, 105.0))
    log = [order(1, 0, 10, OrderKind.STOP_LIMIT, stop_price=102.0, limit_price=104.5)]
    assert fills_of(replay(log, prices, COSTLY)) == [(1, 2, 10, 104.5)]


def test_stop_limit_order_never_touched_never_fills():
    prices = prices_with((100.0, 101.9, 97.0, 101.0), (99.0, 101.0, 98.0, 100.0))
    log = [order(1, 0, 10, OrderKind.STOP_LIMIT, stop_price=102.0, limit_price=104.5)]
    assert not replay(log, prices).fills


def test_cancel_in_the_bar_of_placing_prevents_the_fill():
    assert not replay([order(1, 0, 10), cancel(1, 0)], prices_with(CALM)).fills
    early = [order(1, 0, 10, early=True), cancel(1, 0, early=True)]
    assert not replay(early, prices_with(CALM)).fills


def test_cancel_after_the_bar_comes_too_late():
    assert len(replay([order(1, 0, 10), cancel(1, 1)], prices_with(CALM, CALM)).fills) == 1


ENTRY = (100.0, 104.0, 96.0, 100.0)


@pytest.mark.parametrize(
    ("later", "number", "price"),
    [
        ((100.0, 104.9, 95.0, 100.0), 2, 95.0),  # the stop is touched
        ((100.0, 110.0, 95.1, 100.0), 3, 110.0),  # the take is touched
        ((94.0, 99.0, 93.0, 98.0), 2, 94.0),  # open beyond the stop: at the open
        ((112.0, 113.0, 99.0, 100.0), 3, 112.0),  # open beyond the take: at the open
        ((102.0, 110.0, 95.0, 100.0), 2, 95.0),  # both: low nearer by 7 < 8
        ((103.0, 110.0, 95.0, 100.0), 3, 110.0),  # both: high nearer by 7 < 8
        ((102.5, 110.0, 95.0, 100.0), 2, 95.0),  # both, a tie: low first
    ],
)
def test_bracket_of_a_long_entry_closes_at_the_leg_reached_first(later, number, price):
    log = bracket(0, 10, stop=5.0, take=10.0)
    assert fills_of(replay(log, prices_with(ENTRY, later, CALM))) == [
        (1, 1, 10, 100.0),
        (number, 2, -10, price),
    ]


@pytest.mark.parametrize(
    ("later", "number", "price"),
    [
        ((100.0, 105.0, 95.1, 100.0), 2, 105.0),
        ((100.0, 104.9, 90.0, 100.0), 3, 90.0),
        ((106.0, 107.0, 99.0, 100.0), 2, 106.0),
        ((88.0, 99.0, 87.0, 98.0), 3, 88.0),
        ((98.0, 105.0, 90.0, 100.0), 2, 105.0),
        ((97.0, 105.0, 90.0, 100.0), 3, 90.0),
    ],
)
def test_bracket_of_a_short_entry_is_the_mirror_image(later, number, price):
    log = bracket(0, -10, stop=5.0, take=10.0)
    assert fills_of(replay(log, prices_with(ENTRY, later, CALM)))[1:] == [(number, 2, 10, price)]


@pytest.mark.parametrize(
    ("later", "ambiguous"),
    [
        ((100.0, 104.9, 95.0, 100.0), False),  # the stop alone
        ((100.0, 110.0, 95.1, 100.0), False),  # the take alone
        ((94.0, 112.0, 93.0, 98.0), False),  # both, but the open had decided
        ((102.0, 110.0, 95.0, 100.0), True),
        ((103.0, 110.0, 95.0, 100.0), True),
    ],
)
def test_fill_is_ambiguous_where_the_path_inside_the_bar_decides(later, ambiguous):
    log = bracket(0, 10, stop=5.0, take=10.0)
    entry, leg = replay(log, prices_with(ENTRY, later, CALM)).fills
    assert not entry.ambiguous
    assert leg.ambiguous is ambiguous


def test_bracket_legs_live_on_the_entry_bar():
    prices = prices_with((100.0, 104.0, 94.0, 99.0), CALM)
    log = bracket(0, 10, stop=5.0, take=10.0)
    assert fills_of(replay(log, prices)) == [(1, 1, 10, 100.0), (2, 1, -10, 95.0)]


def test_bracket_levels_hang_on_the_fill_price_and_only_the_stop_has_slippage():
    stopped = replay(
        bracket(0, 10, stop=5.0, take=10.0), prices_with(ENTRY, (99.0, 99.0, 90.0, 95.0)), COSTLY
    )
    # The entry fills at 101, so the stop rests at 96 and sells one per cent below it.
    assert fills_of(stopped)[1:] == [(2, 1, -10, pytest.approx(96.0 * 0.99))]
    taken = replay(
        bracket(0, 10, stop=6.0, take=10.0),
        prices_with(ENTRY, (105.0, 112.0, 104.0, 110.0)),
        COSTLY,
    )
    assert fills_of(taken)[1:] == [(3, 2, -10, 111.0)]


def test_bracket_entry_that_is_cancelled_takes_its_legs_along():
    prices = prices_with((90.0, 120.0, 80.0, 100.0), (90.0, 120.0, 80.0, 100.0))
    log = [*bracket(0, 10, stop=5.0, take=10.0), cancel(1, 0)]
    assert not replay(log, prices).fills


def test_bracket_leg_that_is_cancelled_leaves_the_other_one():
    log = [*bracket(0, 10, stop=3.0, take=10.0), cancel(2, 1)]
    prices = prices_with((100.0, 101.0, 99.0, 100.0), (100.0, 111.0, 90.0, 100.0))
    assert fills_of(replay(log, prices))[1:] == [(3, 2, -10, 110.0)]


def test_bracket_stop_that_is_moved_rests_at_its_new_level_from_the_next_bar():
    moved = order(4, 1, -10, OrderKind.BRACKET_STOP, parent=1, stop_price=99.5)
    log = [*bracket(0, 10, stop=5.0, take=10.0), cancel(2, 1), moved]
    assert fills_of(replay(log, prices_with(ENTRY, (100.0, 101.0, 99.0, 100.0)))) == [
        (1, 1, 10, 100.0),
        (4, 2, -10, 99.5),
    ]


def test_moved_stop_that_fills_drops_the_take():
    moved = order(4, 1, -10, OrderKind.BRACKET_STOP, parent=1, stop_price=99.5)
    log = [*bracket(0, 10, stop=5.0, take=10.0), cancel(2, 1), moved]
    prices = prices_with(ENTRY, (100.0, 101.0, 99.0, 100.0), (100.0, 120.0, 99.0, 100.0))
    assert len(replay(log, prices).fills) == 2


def test_split_before_the_fill_scales_the_distance_and_the_shares():
    prices = panel(
        {"AAA": [CALM, (50.0, 51.0, 49.0, 50.0), (50.0, 50.0, 47.0, 48.0)]},
        splits=[Split(bar(1), "AAA", 0.5)],
    )
    assert fills_of(replay(bracket(0, 10, stop=5.0), prices)) == [
        (1, 1, 20, 50.0),
        (2, 2, -20, 47.5),
    ]


def test_split_after_the_fill_scales_the_resting_level():
    prices = panel(
        {"AAA": [CALM, ENTRY, (50.0, 51.0, 47.0, 50.0)]}, splits=[Split(bar(2), "AAA", 0.5)]
    )
    assert fills_of(replay(bracket(0, 10, stop=5.0), prices))[1:] == [(2, 2, -20, 47.5)]


def test_split_rounds_a_resting_limit_to_the_cent():
    prices = panel({"AAA": [CALM, (34.0, 34.0, 33.0, 34.0)]}, splits=[Split(bar(1), "AAA", 1 / 3)])
    log = [order(1, 0, 30, OrderKind.LIMIT, limit_price=100.03)]
    # A third of 100.03 is 33.3433.
    assert fills_of(replay(log, prices)) == [(1, 1, 90, 33.34)]


@pytest.mark.parametrize(("price", "level"), [(1.004, 1.0), (1.006, 1.01), (0.125, 0.13)])
def test_round_to_tick_rounds_halves_up(price, level):
    assert round_to_tick(price) == pytest.approx(level)
