"""Which days are scrambled, and what counts as a difference."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.hand_made import (
    FREE,
    ZIPLINE,
    bar,
    bracket,
    day,
    flat,
    order,
    panel,
    spec,
)

from stratlab.domain.causality import CausalityBudget
from stratlab.domain.examination import CutReason
from stratlab.domain.market import Split
from stratlab.domain.trial import Cancel, Order, OrderKind, Phase
from stratlab.evaluation.causality import (
    Decision,
    choose_cuts,
    find_deaths,
    find_decisions,
    first_difference,
    warm_up_difference,
)

RISING = panel({"AAA": flat(10, 10, 20, 20, 20, 10, 10, 10), "BBB": flat(*[5] * 8)})


def decisions(*log, prices=RISING):
    return find_decisions(log, spec(prices, FREE), prices)


def test_bought_shares_count_by_their_gain_and_sold_ones_by_the_loss_avoided():
    bought, sold = decisions(order(1, 0, 100), order(2, 3, -100))
    # Bought at 10 at the open of row 1; the price is 20 from row 2 on.
    assert (bought.cut, bought.profits, bought.bars) == (bar(0), (0, 1000, 1000), (1, 2, 2))
    # Sold at 20 at the open of row 4; who kept them lost 10 for each in row 5.
    assert (sold.cut, sold.profits, sold.bars) == (bar(3), (0, 1000, 1000), (1, 2, 2))


def test_decision_that_only_loses_has_no_profit():
    (held,) = decisions(order(1, 3, 100))
    assert held.profits == (0, 0, 0)


def test_gain_counts_whenever_the_price_is_at_its_best_within_a_horizon():
    # Below what was paid after one bar, after five and after twenty.
    prices = panel({"AAA": flat(10, 10, 9, 12, *[8] * 30), "BBB": flat(*[5] * 34)})
    (found,) = decisions(order(1, 0, 100), prices=prices)
    assert (found.profits, found.bars) == ((0, 200, 200), (1, 3, 3))


def test_zipline_fill_counts_from_the_close_after_it():
    prices = panel({"AAA": flat(10, 10, 11, 9, 9, 9, 9, 9), "BBB": flat(*[5] * 8)})
    (found,) = find_decisions([order(1, 0, 100)], spec(prices, ZIPLINE), prices)
    assert found.profits[0] == pytest.approx(100 * (11 - 10.005))
    assert found.bars == (2, 2, 2)


def test_orders_of_one_bar_are_one_decision_and_what_they_offset_is_none():
    (found,) = decisions(order(1, 0, 900), order(2, 0, -800))
    assert found.profits == (0, 1000, 1000)


def test_leg_that_is_executed_later_hides_nothing_of_its_entry():
    prices = panel({"AAA": flat(10, 10, 12, *[20] * 9), "BBB": flat(*[5] * 12)})
    (found,) = decisions(*bracket(0, 100, take=2), prices=prices)
    assert (found.profits, found.bars[1:]) == ((0, 1000, 1000), (3, 3))


def test_order_that_is_not_executed_is_no_decision():
    never = order(1, 0, 100, OrderKind.LIMIT, limit_price=0.01)
    assert decisions(never) == ()


def test_decisions_of_a_split_count_what_shares_were_worth():
    prices = panel(
        {"AAA": flat(10, 10, 20, 10, 10, 10, 10, 10), "BBB": flat(*[5] * 8)},
        splits=[Split(bar(3), "AAA", 0.5)],
    )
    bought, sold = decisions(order(1, 0, 100), order(2, 2, -200), prices=prices)
    assert bought.profits == pytest.approx((0, 1000, 1000))
    assert sold.profits == pytest.approx((0, 0, 0))


def dummies(labels):
    """An order in every bar that is never executed, of every symbol."""
    return [
        Order(0, label, Phase.BAR, symbol, 1, OrderKind.LIMIT, limit_price=0.01)
        for label in labels
        for symbol in ("AAA", "BBB")
    ]


def peeks(prices, *, by_day):
    """Orders of who knows three closes ahead, and labels of the bars in which they were placed.

    Args:
        prices: What it trades, in June alone.
        by_day: Whether it buys only before days whose close is not above their open.
    """
    log, held = [], {}
    labels = prices.bars.tolist()
    for row in range(len(labels) - 4):
        for column, symbol in enumerate(prices.symbols):
            now, then = prices.close[[row, row + 3], column]
            hides = not by_day or prices.close[row + 1, column] <= prices.open[row + 1, column]
            wanted = 100 if day(row).month == 6 and then > now and hides else 0
            if wanted != held.get(symbol, 0):
                amount = wanted - held.get(symbol, 0)
                log.append(Order(0, labels[row], Phase.BAR, symbol, amount, OrderKind.MARKET))
                held[symbol] = wanted
    return log, {entry.bar for entry in log}


@pytest.mark.parametrize("costs", [FREE, ZIPLINE], ids=["next_open", "zipline"])
@pytest.mark.parametrize("by_day", [False, True])
def test_cuts_come_after_peeks_among_orders_that_are_never_executed(costs, by_day):
    random = np.random.default_rng(1)
    paths = 50 * np.exp(0.01 * random.standard_normal((2, 1801)).cumsum(axis=1))
    quotes = [
        [(o, max(o, c), min(o, c), c) for o, c in zip(path[1::2], path[2::2], strict=True)]
        for path in paths
    ]
    prices = panel(dict(zip(("AAA", "BBB"), quotes, strict=True)))
    log, peeked = peeks(prices, by_day=by_day)
    mixed = sorted([*log, *dummies(prices.bars.tolist())], key=lambda entry: entry.bar)
    mixed = [replace(entry, number=number) for number, entry in enumerate(mixed, start=1)]
    found = find_decisions(mixed, spec(prices, costs), prices)
    labels = prices.bars.tolist()
    cuts = choose_cuts([found], [labels], [[]], CausalityBudget(), seed=1)
    assert [cut.reason for cut in cuts] == [CutReason.PROFIT] * 6 + [CutReason.RANDOM] * 2
    assert {cut.label for cut in cuts[:6]} <= peeked
    assert cuts[7].label in peeked


def test_order_of_initialize_is_cut_before_the_first_bar():
    early = order(1, 2, 100, early=True)
    late = replace(spec(RISING, FREE).window, start=day(2))
    (found,) = find_decisions([early], spec(RISING, FREE, window=late), RISING)
    assert found.cut == bar(1)
    assert first_difference([early], [], bar(1), bar(2)).startswith("order 1")


def test_decision_in_the_last_bar_is_none_for_nothing_comes_after():
    assert decisions(order(1, 7, 100)) == ()


def decision(number, symbol="AAA", profits=(1.0, 1.0, 1.0), bars=(1, 5, 20)):
    return Decision(bar(number), symbol, profits, bars)


def cuts_of(some, *budget, seed=1):
    labels = [bar(number) for number in range(300)]
    return choose_cuts([some], [labels], [[]], CausalityBudget(*budget), seed)


def test_best_of_each_horizon_take_turns_and_the_price_turns_as_long():
    some = [decision(number, profits=(0.1, number, 9 * number)) for number in range(1, 9)]
    quick = decision(20, "BBB", (7.5, 7.5, 7.5))
    cuts = cuts_of([*some, quick], 4, 2)
    assert [(cut.label, cut.against, cut.bars) for cut in cuts[:4]] == [
        (bar(20), "BBB", 1),
        (bar(8), "AAA", 5),
        (bar(7), "AAA", 20),
        (bar(1), "AAA", 1),
    ]
    assert [cut.reason for cut in cuts] == [CutReason.PROFIT] * 4 + [CutReason.RANDOM] * 2
    assert len({cut.label for cut in cuts}) == 6


def test_horizon_within_which_nothing_paid_leaves_its_turn_to_the_next():
    cuts = cuts_of([decision(number, profits=(0, 0, number)) for number in range(1, 9)], 6, 0)
    assert [cut.label for cut in cuts] == [bar(number) for number in range(8, 2, -1)]
    assert {cut.bars for cut in cuts} == {20}


def test_cuts_are_the_same_for_the_same_seed_only():
    some = [decision(number) for number in range(30)]
    assert cuts_of(some, 2, 6) == cuts_of(some, 2, 6)
    assert cuts_of(some, 2, 6) != cuts_of(some, 2, 6, seed=2)


def test_losing_decisions_are_no_profit_cuts():
    cuts = cuts_of([decision(3, profits=(0, 0, 0))], 4, 2)
    assert all(cut.reason is CutReason.RANDOM for cut in cuts)
    assert cuts


def test_no_orders_no_profit_cuts():
    cuts = choose_cuts([[]], [[bar(n) for n in range(99)]], [[]], CausalityBudget(4, 2), 1)
    assert all(cut.reason is CutReason.RANDOM and cut.against == "" for cut in cuts)


def test_difference_after_the_cut_is_none():
    one, other = [order(1, 1, 100), order(2, 5, 7)], [order(1, 1, 100), order(2, 5, -7)]
    assert first_difference(one, other, bar(4), bar(5)) == ""
    assert "+7 AAA" in first_difference(one, other, bar(5), bar(6))


@pytest.mark.parametrize(
    "other",
    [
        [],
        [order(1, 1, 101)],
        [order(1, 1, 100), order(2, 2, 5)],
        [order(1, 1, 100), Cancel(1, bar(2), Phase.BAR)],
        [order(1, 1, 100, symbol="BBB")],
    ],
)
def test_difference_before_the_cut_names_the_order(other):
    found = first_difference([order(1, 1, 100)], other, bar(3), bar(4))
    assert "in the re-run" in found


def test_warm_up_difference_ignores_amounts_and_tells_until_when():
    mine = [order(1, 1, 100), order(2, 2, -100), order(3, 9, 50)]
    assert (
        warm_up_difference(mine, [replace(each, amount=each.amount * 2) for each in mine], 5) == ""
    )
    found = warm_up_difference(mine, mine[1:], 5)
    assert "1 of 3 bars" in found
    assert "5 sessions less" in found


def test_one_random_cut_comes_before_a_death():
    prices = panel({"AAA": flat(*[10] * 20), "BBB": flat(*[5] * 12)}, auto_close={"BBB": bar(12)})
    deaths = find_deaths(spec(prices, FREE), prices)
    assert deaths == (bar(10),)
    labels = [[bar(n) for n in range(20)]]
    cuts = choose_cuts([[]], labels, [deaths], CausalityBudget(0, 1), seed=3)
    assert [cut.label for cut in cuts] == [bar(10)]
    assert find_deaths(spec(RISING, FREE), RISING) == ()
