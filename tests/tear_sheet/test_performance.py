"""Figures that the tear sheet computes itself: chained growth, drawdowns, months."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.market import Tier
from stratlab.tear_sheet.performance import chained, falls, monthly_returns, worst_drawdowns
from stratlab.tear_sheet.sheet import Growth

DAY = 86_400
PATHS = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)


def test_each_tier_continues_where_the_one_before_it_ended() -> None:
    growth = [
        Growth(Tier.TRAIN, (1, 2), (1.1, 1.2), (1.0, 0.5)),
        Growth(Tier.VALIDATION, (3,), (0.5,), (2.0,)),
    ]
    assert chained(growth, benchmark=False) == ([1, 2, 3], [1.1, 1.2, pytest.approx(0.6)])
    assert chained(growth, benchmark=True) == ([1, 2, 3], [1.0, 0.5, 1.0])


def test_drawdowns_by_hand() -> None:
    values = [1.0, 0.9, 1.2, 0.6, 0.9, 1.3, 1.235]
    found = worst_drawdowns([day * DAY for day in range(7)], values)
    assert [(d.peak // DAY, d.trough // DAY, d.recovery and d.recovery // DAY) for d in found] == [
        (2, 3, 5),
        (0, 1, 2),
        (5, 6, None),
    ]
    assert [d.depth for d in found] == pytest.approx([-0.5, -0.1, -0.05])


@given(PATHS)
def test_deepest_drawdown_is_the_largest_fall(values: list[float]) -> None:
    found = worst_drawdowns(list(range(len(values))), values)
    deepest = min(falls(values))
    assert (found[0].depth if found else 0.0) == pytest.approx(min(deepest, 0.0))
    assert all(fall <= 0 for fall in falls(values))


@given(PATHS)
def test_months_multiply_to_the_whole(values: list[float]) -> None:
    bars = [1_000_000_000 + day * 11 * DAY for day in range(len(values))]
    whole = 1.0
    for month in monthly_returns(bars, values).values():
        whole *= 1 + month
    assert whole == pytest.approx(values[-1])
