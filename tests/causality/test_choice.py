"""Which days are scrambled, and what counts as a difference."""

from dataclasses import replace

import pytest
from tests.evaluation.hand_made import FREE, bar, day, flat, order, panel, spec

from stratlab.domain.causality import CausalityBudget
from stratlab.domain.examination import CutReason
from stratlab.domain.market import Split
from stratlab.domain.trial import Cancel, Phase
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


def test_decision_to_buy_has_the_profit_until_the_next_decision():
    bought, sold = decisions(order(1, 1, 100), order(2, 3, -100))
    # Bought at the open of row 2, where the price is 20 already.
    assert (bought.cut, bought.profit, bought.bars) == (bar(1), 0.0, 2)
    early, _ = decisions(order(1, 0, 100), order(2, 3, -100))
    assert early.profit == pytest.approx(1000.0)
    # Sold at 20 at the open of row 4; who kept them lost 10 for each.
    assert sold.profit == pytest.approx(1000.0)


def test_decision_that_did_worse_than_nothing_has_a_loss():
    held, *_ = decisions(order(1, 3, 100))
    assert held.profit == pytest.approx(-1000.0)


def test_decisions_of_a_split_count_what_shares_were_worth():
    prices = panel(
        {"AAA": flat(10, 10, 20, 10, 10, 10, 10, 10), "BBB": flat(*[5] * 8)},
        splits=[Split(bar(3), "AAA", 0.5)],
    )
    bought, sold = decisions(order(1, 0, 100), order(2, 2, -200), prices=prices)
    assert bought.profit == pytest.approx(1000.0)
    assert sold.profit == pytest.approx(0.0)


def test_order_of_initialize_is_cut_before_the_first_bar():
    early = order(1, 2, 100, early=True)
    late = replace(spec(RISING, FREE).window, start=day(2))
    (found,) = find_decisions([early], spec(RISING, FREE, window=late), RISING)
    assert found.cut == bar(1)
    assert first_difference([early], [], bar(1), bar(2)).startswith("order 1")


def test_decision_in_the_last_bar_is_none_for_nothing_comes_after():
    assert decisions(order(1, 7, 100)) == ()


def test_cuts_follow_profit_and_profit_for_each_bar_and_chance():
    some = [Decision(bar(n), "AAA", profit=float(n), bars=n or 1) for n in range(1, 9)]
    quick = Decision(bar(20), "BBB", profit=7.5, bars=1)
    cuts = choose_cuts(
        [[*some, quick]], [[bar(n) for n in range(40)]], [[]], CausalityBudget(4, 2), seed=1
    )
    profitable = [cut for cut in cuts if cut.reason is CutReason.PROFIT]
    assert [cut.label for cut in profitable][:2] == [bar(8), bar(20)]
    assert len(cuts) == 6
    assert len({cut.label for cut in cuts}) == 6
    assert {cut.bars for cut in profitable} >= {8, 1}


def test_cuts_are_the_same_for_the_same_seed_only():
    some = [[Decision(bar(n), "AAA", 1.0, 1) for n in range(30)]]
    labels = [[bar(n) for n in range(300)]]
    budget = CausalityBudget(2, 6)
    assert choose_cuts(some, labels, [[]], budget, 1) == choose_cuts(some, labels, [[]], budget, 1)
    assert choose_cuts(some, labels, [[]], budget, 1) != choose_cuts(some, labels, [[]], budget, 2)


def test_losing_decisions_are_no_profit_cuts():
    cuts = choose_cuts(
        [[Decision(bar(3), "AAA", -1.0, 1)]],
        [[bar(n) for n in range(99)]],
        [[]],
        CausalityBudget(4, 2),
        1,
    )
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
