"""Logs that no honest container can write, and the digest of those that it can."""

from dataclasses import replace

import pytest
from tests.evaluation.hand_made import bar, bracket, cancel, order

from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Order, OrderKind, Phase
from stratlab.evaluation.order_log import find_impossible, orders_digest

BARS = {bar(row): row for row in range(5)}
MOVED = order(4, 1, -10, OrderKind.BRACKET_STOP, parent=1, stop_price=90.0)


def problem(log, kind=CostModelKind.NEXT_OPEN):
    return find_impossible(log, BARS, ("AAA", "BBB"), kind)


@pytest.mark.parametrize(
    "log",
    [
        [],
        [order(1, 0, 10), order(2, 0, -5, symbol="BBB"), cancel(1, 3)],
        [order(1, 0, 10, early=True), order(2, 0, 10), order(3, 2, 10)],
        [order(1, 0, 10, early=True), cancel(1, 0, early=True)],
        [order(1, 0, 10), cancel(1, 1), cancel(1, 1)],
        bracket(0, 10, stop=5.0, take=10.0),
        bracket(0, -10, take=10.0),
        [*bracket(0, 10, stop=5.0, take=10.0), cancel(2, 1), MOVED],
        [order(1, 0, 10, OrderKind.STOP_LIMIT, limit_price=1.0, stop_price=2.0)],
    ],
)
def test_possible_log_passes(log):
    assert problem(log) is None


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ([order(1, 9, 10)], "outside the window"),
        ([cancel(1, 9)], "outside the window"),
        ([order(1, 0, 10, symbol="CCC")], "outside the market set"),
        ([cancel(1, 0)], "never placed"),
        ([order(1, 0, 10), cancel(2, 0)], "never placed"),
        ([order(1, 0, 10), cancel(0, 0)], "never placed"),
        ([order(2, 0, 10)], "not numbered"),
        ([order(1, 0, 10), order(1, 0, 10)], "not numbered"),
        ([order(1, 2, 10), order(2, 1, 10)], "back in time"),
        ([order(1, 0, 10), order(2, 0, 10, early=True)], "back in time"),
        ([order(1, 2, 10), order(2, 2, 10, early=True)], "back in time"),
        ([order(1, 0, 0)], "no possible amount"),
        ([order(1, 0, 10**11 + 1)], "no possible amount"),
        ([order(1, 0, 10, OrderKind.LIMIT)], "do not fit its kind"),
        ([order(1, 0, 10, limit_price=5.0)], "do not fit its kind"),
        ([order(1, 0, 10, OrderKind.LIMIT, limit_price=float("nan"))], "no possible level"),
        ([order(1, 0, 10, OrderKind.STOP, stop_price=1e101)], "no possible level"),
        ([order(1, 0, 10, OrderKind.STOP, stop_price=-1.0)], "no possible level"),
        ([order(1, 0, 10, distance=5.0)], "do not fit its kind"),
        ([order(1, 0, 10), order(2, 0, 10, parent=1)], "do not fit its kind"),
        ([order(1, 0, -10, OrderKind.BRACKET_STOP, distance=5.0)], "without its entry"),
        ([order(1, 0, -10, OrderKind.BRACKET_STOP, parent=1, distance=5.0)], "without its entry"),
        (
            [order(1, 0, 10), order(2, 0, 10, OrderKind.BRACKET_STOP, parent=1, distance=5.0)],
            "beside its entry",
        ),
        (
            [order(1, 0, 10), order(2, 0, -9, OrderKind.BRACKET_STOP, parent=1, distance=5.0)],
            "beside its entry",
        ),
        (
            [order(1, 0, 10), order(2, 1, -10, OrderKind.BRACKET_STOP, parent=1, distance=5.0)],
            "beside its entry",
        ),
        (
            [order(1, 0, 10), order(2, 0, -10, OrderKind.BRACKET_STOP, parent=1)],
            "neither a distance nor",
        ),
        (
            [order(1, 0, 10), order(2, 0, -10, OrderKind.BRACKET_STOP, parent=1, distance=0.0)],
            "neither a distance nor",
        ),
        (
            [order(1, 0, 10), order(2, 0, -10, OrderKind.BRACKET_TAKE, parent=1, stop_price=5.0)],
            "neither a distance nor",
        ),
        (
            [
                order(1, 0, 10),
                order(2, 0, -10, OrderKind.BRACKET_STOP, symbol="BBB", parent=1, distance=5.0),
            ],
            "parent of another symbol",
        ),
        (
            [
                order(1, 0, 10, OrderKind.LIMIT, limit_price=1.0),
                order(2, 0, -10, OrderKind.BRACKET_STOP, parent=1, distance=5.0),
            ],
            "no market order",
        ),
    ],
)
def test_impossible_log_is_named(log, words):
    assert words in problem(log)


@pytest.mark.parametrize("kind", CostModelKind)
@pytest.mark.parametrize("row", [1, 4])
@pytest.mark.parametrize(
    "forge",
    [
        lambda row: [order(1, row, 10, early=True)],
        lambda row: [order(1, 0, 10), cancel(1, row, early=True)],
        lambda row: [order(1, 0, 10, early=True), cancel(1, row, early=True)],
        lambda row: [order(1, 0, 10), order(2, row, 9, OrderKind.LIMIT, limit_price=1, early=True)],
    ],
)
def test_change_before_the_open_of_a_later_bar_is_impossible(forge, row, kind):
    assert "not by initialize" in problem(forge(row), kind)


@pytest.mark.parametrize("row", [0, 1])
def test_order_at_an_open_is_the_benchmarks_alone(row):
    at_open = replace(order(1, row, 10), phase=Phase.AT_OPEN)
    assert "not by initialize" in problem([at_open])


def test_stop_moved_before_the_open_of_a_later_bar_is_impossible():
    moved = order(3, 1, -10, OrderKind.BRACKET_STOP, parent=1, stop_price=90.0, early=True)
    assert "not by initialize" in problem([*bracket(0, 10, stop=5.0), moved])


def test_bracket_leg_under_the_zipline_cost_model_is_impossible():
    assert "this cost model has not" in problem(bracket(0, 10, stop=5.0), CostModelKind.ZIPLINE)


def test_digest_of_a_known_log_never_changes():
    log = [order(1, 0, 10, OrderKind.LIMIT, limit_price=1.1), cancel(1, 1, early=True)]
    assert orders_digest(log) == (
        "e690c5fa1abf068e6125f4267eafe4d436b6c02bc6ed0f8ab5a5ac10e2f42b25"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 11},
        {"symbol": "BBB"},
        {"bar": bar(1)},
        {"phase": Phase.BEFORE_OPEN},
        {"kind": OrderKind.STOP},
        {"limit_price": 1.0000000000000002},
        {"stop_price": 1.0},
        {"parent": 1},
        {"distance": 1.0},
    ],
)
def test_digest_covers_every_field(change):
    first = Order(1, bar(0), Phase.BAR, "AAA", 10, OrderKind.LIMIT, limit_price=1.0)
    assert orders_digest([replace(first, **change)]) != orders_digest([first])


def test_digest_tells_an_order_from_a_cancel_and_one_order_of_entries_from_another():
    first, second = order(1, 0, 10), cancel(1, 0)
    assert (
        len({orders_digest(log) for log in ([first], [second], [first, second], [second, first])})
        == 4
    )
