"""Every rule that may end a campaign, hard ones first."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.campaign import StopRules

# Windows of the soft rules, as the fields of StopRules document them.
SCORE_WINDOW = 10
OVERFIT_WINDOW = 5


@final
@dataclass(frozen=True, slots=True)
class IterationOutline:
    """What stop rules need to know of one iteration.

    Attributes:
        failed: It reached no valid metrics.
        score: Composite score, None when undefined.
        worst_drawdown: Deepest drawdown of any trial, zero or negative, None without metrics.
        overfit_gap: Annual Sharpe, train minus validation, None when undefined.
    """

    failed: bool
    score: float | None
    worst_drawdown: float | None
    overfit_gap: float | None


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands when the rules are asked.

    Attributes:
        iterations: All that ended.
        working_seconds: Time in the states that work.
        tokens, cost_usd: Spent on language models, calls that a bound did not allow included.
    """

    iterations: Sequence[IterationOutline]
    working_seconds: float
    tokens: int = 0
    cost_usd: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class StopReason:
    """Which rule fired, with its value and bound.

    Attributes:
        rule: Reason code, for example MAX_ITERATIONS.
        hard: Whether the rule is a hard stop.
        value, bound: What was measured against what.
    """

    rule: str
    hard: bool
    value: float
    bound: float

    def __str__(self) -> str:
        """Return the reason as one sentence."""
        kind = "hard" if self.hard else "soft"
        return f"{kind} stop {self.rule}: {self.value:.6g} reached the bound {self.bound:.6g}"


Rule = Callable[[StopRules, Progress], StopReason | None]


def _at_least(rule: str, *, hard: bool, value: float, bound: float | None) -> StopReason | None:
    if bound is None or value < bound:
        return None
    return StopReason(rule, hard, value, bound)


def wall_clock(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: working time."""
    return _at_least(
        "WALL_CLOCK", hard=True, value=progress.working_seconds, bound=rules.max_wall_seconds
    )


def tokens(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: language-model tokens."""
    return _at_least("TOKENS", hard=True, value=progress.tokens, bound=rules.max_tokens)


def cost(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: language-model spending."""
    return _at_least("COST", hard=True, value=progress.cost_usd, bound=rules.max_cost_usd)


def consecutive_failures(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: iterations in a row without valid metrics."""
    count = 0
    for iteration in reversed(progress.iterations):
        if not iteration.failed:
            break
        count += 1
    return _at_least(
        "CONSECUTIVE_FAILURES", hard=True, value=count, bound=rules.max_consecutive_failures
    )


def risk_gate_breach(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: a drawdown deeper than the breach level in the latest iteration."""
    latest = progress.iterations[-1].worst_drawdown if progress.iterations else None
    if latest is None:
        return None
    return _at_least(
        "RISK_GATE_BREACH", hard=True, value=abs(latest), bound=rules.max_drawdown_breach
    )


def iterations(rules: StopRules, progress: Progress) -> StopReason | None:
    """Hard: number of iterations."""
    return _at_least(
        "MAX_ITERATIONS", hard=True, value=len(progress.iterations), bound=rules.max_iterations
    )


def no_improvement(rules: StopRules, progress: Progress) -> StopReason | None:
    """Soft: iterations since the best score last rose."""
    scores = [iteration.score for iteration in progress.iterations]
    return _at_least(
        "NO_IMPROVEMENT",
        hard=False,
        value=iterations_since_improvement(scores),
        bound=rules.no_improvement_iterations,
    )


def non_convergence(rules: StopRules, progress: Progress) -> StopReason | None:
    """Soft: scores scatter more than allowed over a full window."""
    scores = [i.score for i in progress.iterations if i.score is not None][-SCORE_WINDOW:]
    if len(scores) < SCORE_WINDOW:
        return None
    return _at_least(
        "NON_CONVERGENCE",
        hard=False,
        value=statistics.stdev(scores),
        bound=rules.max_score_volatility,
    )


def overfitting(rules: StopRules, progress: Progress) -> StopReason | None:
    """Soft: mean Sharpe degradation over a full window."""
    gaps = [i.overfit_gap for i in progress.iterations if i.overfit_gap is not None]
    window = gaps[-OVERFIT_WINDOW:]
    if len(window) < OVERFIT_WINDOW:
        return None
    return _at_least(
        "OVERFITTING", hard=False, value=statistics.fmean(window), bound=rules.max_overfit_gap
    )


RULES: tuple[Rule, ...] = (
    wall_clock,
    tokens,
    cost,
    consecutive_failures,
    risk_gate_breach,
    iterations,
    no_improvement,
    non_convergence,
    overfitting,
)


def iterations_since_improvement(scores: Sequence[float | None]) -> int:
    """Return how many iterations ago the best score last rose (all of them, if never)."""
    best, since = float("-inf"), 0
    for score in scores:
        since += 1
        if score is not None and score > best:
            best, since = score, 0
    return since


def score_volatility(scores: Sequence[float | None]) -> float | None:
    """Return the standard deviation of the last ten scores, None below two."""
    known = [score for score in scores if score is not None][-SCORE_WINDOW:]
    return statistics.stdev(known) if len(known) > 1 else None


def first_stop(rules: StopRules, progress: Progress) -> StopReason | None:
    """Return the first rule that fires, hard ones before soft ones, or None."""
    for rule in RULES:
        reason = rule(rules, progress)
        if reason is not None:
            return reason
    return None
