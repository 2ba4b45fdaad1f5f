"""Dividing sessions into tiers."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.market_data.imports.builders import sessions

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Tier, TierRange
from stratlab.market_data.imports.tiers import TierPlan, parse_tiers

DAYS = [day.date() for day in sessions(date(2000, 1, 3), date(2009, 12, 31))]


def test_default_is_a_year_of_warm_up_and_60_20_20() -> None:
    tiers = TierPlan().divide(DAYS)
    rest = len(DAYS) - 250
    assert tiers[Tier.TRAIN] == TierRange(DAYS[250], DAYS[250 + round(0.6 * rest) - 1])
    assert tiers[Tier.HOLDOUT].end == DAYS[-1]


@given(
    st.integers(200, len(DAYS)),
    st.lists(st.integers(10, 90), min_size=2, max_size=3),
    st.integers(0, 50),
)
def test_tiers_cover_everything_after_the_warm_up_once(
    count: int, fractions: list[int], warm_up: int
) -> None:
    days = DAYS[:count]
    plan = parse_tiers("/".join(map(str, fractions)), warm_up)
    try:
        tiers = plan.divide(days)
    except InvalidInputError:
        assert min(fractions) / sum(fractions) * (count - warm_up) < 21
        return
    assert list(tiers) == list(Tier)[: len(fractions)]
    assert tiers[Tier.TRAIN].start == days[warm_up]
    assert list(tiers.values())[-1].end == days[-1]
    for earlier, later in pairwise(tiers.values()):
        assert days.index(later.start) == days.index(earlier.end) + 1


def test_days_are_taken_as_they_are() -> None:
    text = "train=2001-06-01:2006-12-31,validation=2007-01-01..2009-12-31"
    assert parse_tiers(text, None).divide(DAYS) == {
        Tier.TRAIN: TierRange(date(2001, 6, 1), date(2006, 12, 31)),
        Tier.VALIDATION: TierRange(date(2007, 1, 1), date(2009, 12, 31)),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("60", "no tier"),
        ("60/0/40", "zero"),
        ("60/20/10/10", "no tier"),
        ("train=2001-06-01:2006-12-31", "train and validation"),
        ("train=2001-06-01,validation=2007-01-01:2009-12-31", "no tier"),
        ("test=2001-06-01:2006-12-31", "no tier"),
        ("train=2001-06-31:2006-12-31", "no tier"),
    ],
)
def test_wrong_tiers_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        parse_tiers(text, None)


def test_tier_with_too_few_sessions_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="tier validation would have 18 sessions"):
        TierPlan().divide(DAYS[:100])
