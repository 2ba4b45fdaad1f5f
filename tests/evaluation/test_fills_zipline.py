"""The zipline cost model, each rule with numbers worked out by hand."""

import pytest
from tests.evaluation.hand_made import (
    ZIPLINE,
    bar,
    cancel,
    fills_of,
    flat,
    order,
    panel,
    replay,
)

from stratlab.domain.market import Split
from stratlab.domain.trial import OrderKind


def closes(*pairs):
    """Bars that open at 1 and close as given: only the close may matter."""
    return panel({"AAA": [(1.0, 999.0, 1.0, close, volume) for close, volume in pairs]})


def test_market_order_fills_at_the_next_close_five_basis_points_worse():
    repriced = replay([order(1, 0, 10)], closes((100, 1000), (110, 1000)), ZIPLINE)
    assert fills_of(repriced) == [(1, 1, 10, pytest.approx(110 * 1.0005))]
    assert repriced.fills[0].commission == pytest.approx(0.01)


def test_order_above_a_tenth_of_the_volume_fills_in_parts():
    prices = closes((100, 1000), (100, 1009), (100, 500), (100, 5000))
    found = fills_of(replay([order(1, 0, -300)], prices, ZIPLINE))
    assert [fill[:3] for fill in found] == [(1, 1, -100), (1, 2, -50), (1, 3, -150)]


def test_orders_of_a_symbol_share_the_volume_in_the_order_of_placing():
    prices = closes((100, 1000), (100, 1000), (100, 1000))
    found = fills_of(replay([order(1, 0, 80), order(2, 0, 80)], prices, ZIPLINE))
    assert [fill[:3] for fill in found] == [(1, 1, 80), (2, 1, 20), (2, 2, 60)]


@pytest.mark.parametrize(
    ("amount", "limit", "row"), [(10, 100.0, 1), (10, 99.0, 2), (-10, 101.0, None), (-10, 98.0, 1)]
)
def test_limit_order_triggers_on_closes_only(amount, limit, row):
    prices = closes((100, 1000), (100, 1000), (98, 1000))
    log = [order(1, 0, amount, OrderKind.LIMIT, limit_price=limit)]
    assert [fill[1] for fill in fills_of(replay(log, prices, ZIPLINE))] == (
        [] if row is None else [row]
    )


def test_limit_once_reached_stays_reached_even_when_it_is_passed_again():
    prices = closes((100, 1000), (98, 100), (120, 1000))
    log = [order(1, 0, 15, OrderKind.LIMIT, limit_price=99.0)]
    assert fills_of(replay(log, prices, ZIPLINE)) == [
        (1, 1, 10, pytest.approx(98 * 1.0005)),
        (1, 2, 5, pytest.approx(120 * 1.0005)),
    ]


def test_first_order_without_volume_is_triggered_and_the_next_is_not_looked_at():
    prices = closes((100, 1000), (98, 100), (100, 1000))
    limited = [order(number, 0, 5, OrderKind.LIMIT, limit_price=99.0) for number in (2, 3)]
    found = fills_of(replay([order(1, 0, 20), *limited], prices, ZIPLINE))
    # At row 1 order 1 takes all there is; order 2 is reached there and fills above its limit.
    assert [fill[:2] for fill in found] == [(1, 1), (1, 2), (2, 2)]


@pytest.mark.parametrize(("amount", "stop", "row"), [(10, 101.0, 2), (-10, 99.0, 1)])
def test_stop_order_triggers_on_the_close(amount, stop, row):
    prices = closes((100, 1000), (98, 1000), (103, 1000))
    log = [order(1, 0, amount, OrderKind.STOP, stop_price=stop)]
    assert [fill[1] for fill in fills_of(replay(log, prices, ZIPLINE))] == [row]


def test_stop_limit_order_may_fill_at_the_close_that_triggers_it():
    prices = closes((100, 1000), (102, 1000), (101, 1000))
    within = order(1, 0, 10, OrderKind.STOP_LIMIT, stop_price=101.0, limit_price=103.0)
    beyond = order(2, 0, 10, OrderKind.STOP_LIMIT, stop_price=101.0, limit_price=101.5)
    assert [fill[:2] for fill in fills_of(replay([within, beyond], prices, ZIPLINE))] == [
        (1, 1),
        (2, 2),
    ]


def test_cancel_keeps_the_part_that_was_filled():
    prices = closes((100, 1000), (100, 1000), (100, 1000))
    found = fills_of(replay([order(1, 0, 300), cancel(1, 1)], prices, ZIPLINE))
    assert [fill[:3] for fill in found] == [(1, 1, 100)]


def test_split_between_two_parts_truncates_what_is_left():
    prices = panel(
        {"AAA": [*flat(10), (10, 10, 10, 10, 1000), (100, 100, 100, 100, 10_000)]},
        splits=[Split(bar(2), "AAA", 10.0)],
    )
    found = replay([order(1, 0, 155)], prices, ZIPLINE)
    assert [fill[:3] for fill in fills_of(found)] == [(1, 1, 100), (1, 2, 5)]
    # Zipline recounts the whole order by its scaled shares (10 + 5) and owes nothing more.
    assert found.fills[1].commission == 0.0


def test_split_that_leaves_no_share_drops_the_order_and_hinders_no_other():
    prices = panel(
        {"AAA": [*flat(10), (10, 10, 10, 10, 0), *flat(100, 100)]},
        splits=[Split(bar(2), "AAA", 10.0)],
    )
    found = fills_of(replay([order(1, 0, 9), order(2, 0, 10)], prices, ZIPLINE))
    assert [fill[:3] for fill in found] == [(2, 2, 1)]
