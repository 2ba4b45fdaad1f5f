"""The composite score: bounded, monotone, and undefined when a part is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.metrics import Metrics
from stratlab.evaluation import composite_score, train_score
from stratlab.evaluation.scoring import (
    WEIGHTS,
    drawdown,
    return_quality,
    risk_adjusted,
    robustness,
)

GOOD = Metrics(0.5, 0.15, 0.2, 1.0, 1.2, -0.2, 0.75, 0.5, 40, 5.0)
PLAIN = Metrics(0.3, 0.05, 0.2, 0.3, 0.4, -0.4, 0.1, None, 0, 0.1)
FIGURES = st.floats(-10, 10)


def test_weights_are_those_of_the_design():
    assert WEIGHTS == {
        "return_quality": 0.35,
        "drawdown": 0.30,
        "risk_adjusted": 0.20,
        "robustness": 0.15,
    }


def test_parts_have_the_documented_values():
    assert return_quality(GOOD, replace(GOOD)) == 0.5
    assert return_quality(GOOD, PLAIN) == pytest.approx(0.7310586)
    assert drawdown(GOOD) == pytest.approx(0.64)
    assert risk_adjusted(GOOD) == pytest.approx(0.7310586)
    assert robustness(GOOD, replace(GOOD, sharpe_ratio=0.5)) == pytest.approx(0.6065307)
    assert robustness(PLAIN, GOOD) == 1.0


def test_score_is_the_weighted_sum_of_its_parts():
    score = composite_score(GOOD, GOOD, PLAIN, PLAIN)
    assert score.parts.keys() == WEIGHTS.keys()
    assert score.value == pytest.approx(
        sum(WEIGHTS[name] * value for name, value in score.parts.items())
    )


def test_parts_are_means_of_both_tiers():
    score = composite_score(GOOD, PLAIN, PLAIN, PLAIN)
    assert score.parts["drawdown"] == pytest.approx((0.64 + 0.36) / 2)


@pytest.mark.parametrize(
    ("field", "missing"),
    [
        ("annual_return", "return_quality"),
        ("max_drawdown", "drawdown"),
        ("sharpe_ratio", "risk_adjusted"),
    ],
)
def test_score_is_undefined_when_a_part_is(field, missing):
    score = composite_score(GOOD, replace(GOOD, **{field: None}), PLAIN, PLAIN)
    assert score.value is None
    assert missing not in score.parts
    assert train_score(replace(GOOD, **{field: None}), PLAIN) is None


def test_score_without_a_tier_or_a_benchmark_is_undefined():
    for position in range(4):
        tiers = [GOOD, GOOD, PLAIN, PLAIN]
        tiers[position] = None
        assert composite_score(*tiers).value is None
    assert train_score(GOOD, None) is None


def test_train_score_knows_nothing_of_validation():
    expected = (0.35 * return_quality(GOOD, PLAIN) + 0.3 * 0.64 + 0.2 * risk_adjusted(GOOD)) / 0.85
    assert train_score(GOOD, PLAIN) == pytest.approx(expected)


@given(
    low=FIGURES,
    high=FIGURES,
    other=st.floats(-1e6, 1e6),
    deep=st.floats(-3, 0),
    flat=st.floats(-3, 0),
)
def test_every_part_is_monotone_and_bounded(low, high, other, deep, flat):
    low, high = min(low, high), max(low, high)
    deep, flat = min(deep, flat), max(deep, flat)
    pairs = [
        [return_quality(replace(GOOD, annual_return=x), PLAIN) for x in (low, high)],
        [risk_adjusted(replace(GOOD, sharpe_ratio=x)) for x in (low, high)],
        [drawdown(replace(GOOD, max_drawdown=x)) for x in (deep, flat)],
        [
            robustness(replace(GOOD, sharpe_ratio=other), replace(GOOD, sharpe_ratio=x))
            for x in (low, high)
        ],
        [train_score(replace(GOOD, annual_return=x, sharpe_ratio=x), PLAIN) for x in (low, high)],
    ]
    for worse, better in pairs:
        assert 0 <= worse <= better <= 1
