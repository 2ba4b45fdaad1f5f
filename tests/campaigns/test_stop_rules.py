"""Every stop rule: fires at its bound, not before, and can be switched off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.campaigns.stop_rules import (
    RULES,
    IterationOutline,
    Progress,
    first_stop,
    iterations_since_improvement,
    score_volatility,
)
from stratlab.domain.campaign import StopRules

OFF = StopRules(
    max_iterations=None,
    max_wall_seconds=None,
    max_consecutive_failures=None,
    max_drawdown_breach=None,
)


def outline(
    *, score: float | None = 0.5, failed: bool = False, drawdown: float = -0.1, gap: float = 0.0
) -> IterationOutline:
    return IterationOutline(failed=failed, score=score, worst_drawdown=drawdown, overfit_gap=gap)


def rules(**values: float) -> StopRules:
    fields = {name: getattr(OFF, name) for name in StopRules.__dataclass_fields__}
    return StopRules(**{**fields, **values})


@pytest.mark.parametrize(
    ("rule", "bounds", "before", "at"),
    [
        ("WALL_CLOCK", {"max_wall_seconds": 10}, Progress([], 9.9), Progress([], 10)),
        ("TOKENS", {"max_tokens": 10}, Progress([], 0, tokens=9), Progress([], 0, tokens=10)),
        ("COST", {"max_cost_usd": 1}, Progress([], 0, cost_usd=0.9), Progress([], 0, cost_usd=1)),
        (
            "CONSECUTIVE_FAILURES",
            {"max_consecutive_failures": 2},
            Progress([outline(failed=True), outline(), outline(failed=True)], 0),
            Progress([outline(), outline(failed=True), outline(failed=True)], 0),
        ),
        (
            "RISK_GATE_BREACH",
            {"max_drawdown_breach": 0.5},
            Progress([outline(drawdown=-0.9), outline(drawdown=-0.4)], 0),
            Progress([outline(drawdown=-0.5)], 0),
        ),
        (
            "MAX_ITERATIONS",
            {"max_iterations": 2},
            Progress([outline()], 0),
            Progress([outline(), outline()], 0),
        ),
        (
            "NO_IMPROVEMENT",
            {"no_improvement_iterations": 2},
            Progress([outline(score=0.1), outline(score=0.1), outline(score=0.2)], 0),
            Progress([outline(score=0.2), outline(score=0.2), outline(score=None)], 0),
        ),
        (
            "NON_CONVERGENCE",
            {"max_score_volatility": 0.1},
            Progress([outline(score=0.5)] * 10, 0),
            Progress([outline(score=0.1), outline(score=0.9)] * 5, 0),
        ),
        (
            "OVERFITTING",
            {"max_overfit_gap": 1.0},
            Progress([outline(gap=0.9)] * 5, 0),
            Progress([outline(gap=1.0)] * 5, 0),
        ),
    ],
)
def test_rule_fires_at_its_bound_and_names_it(
    rule: str, bounds: dict[str, float], before: Progress, at: Progress
) -> None:
    assert first_stop(rules(**bounds), before) is None
    reason = first_stop(rules(**bounds), at)
    assert reason is not None
    assert reason.rule == rule
    assert reason.bound == next(iter(bounds.values()))
    assert rule in str(reason)
    assert first_stop(OFF, at) is None


def test_soft_rules_wait_for_a_full_window() -> None:
    wild = [outline(score=0.1, gap=9.0), outline(score=0.9, gap=9.0)]
    assert first_stop(rules(max_score_volatility=0.1, max_overfit_gap=1), Progress(wild, 0)) is None


def test_hard_rules_come_before_soft_ones() -> None:
    progress = Progress([outline(score=0.1)] * 3, 0)
    reason = first_stop(rules(max_iterations=3, no_improvement_iterations=1), progress)
    assert reason is not None
    assert reason.hard
    assert reason.rule == "MAX_ITERATIONS"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=30))
def test_improvement_distance_is_zero_exactly_when_the_last_score_is_a_new_best(
    scores: list[float | None],
) -> None:
    distance = iterations_since_improvement(scores)
    assert 0 <= distance <= len(scores)
    known = [score for score in scores[:-1] if score is not None]
    last = scores[-1] if scores else None
    is_best = last is not None and all(last > score for score in known)
    assert (distance == 0) == (is_best or not scores)


def test_volatility_needs_two_scores() -> None:
    assert score_volatility([0.5, None]) is None
    assert score_volatility([0.0, 1.0]) == pytest.approx(0.7071067811865476)


def test_every_rule_is_documented() -> None:
    assert all((rule.__doc__ or "").startswith(("Hard:", "Soft:")) for rule in RULES)
