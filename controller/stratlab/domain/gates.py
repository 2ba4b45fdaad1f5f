"""Gates: named thresholds on metrics that a candidate must pass."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Gates:
    """Thresholds; None switches a gate off.

    Attributes:
        max_drawdown: Positive fraction, against the absolute value, on every trial.
        min_sharpe_ratio: Annual, on the train tier.
        min_validation_sharpe_ratio: Annual, on the validation tier.
        max_oos_degradation: Annual Sharpe, train minus validation.
        min_total_trades: Closed round trips on the train tier.
        max_turnover: Per year, on the train tier.
    """

    max_drawdown: float | None = 0.5
    min_sharpe_ratio: float | None = 0.3
    min_validation_sharpe_ratio: float | None = 0.0
    max_oos_degradation: float | None = 1.0
    min_total_trades: int | None = 5
    max_turnover: float | None = 100.0


@final
@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's judgement; ``value`` is None when the metric is undefined (never passes)."""

    gate: str
    passed: bool
    value: float | None
    bound: float


@final
class Level(IntEnum):
    """Classification of an iteration's result."""

    FAILED = 0
    RAN = 1
    VALID_METRICS = 2
    PROFITABLE = 3


@final
class VerdictKind(StrEnum):
    """The lab's final word on a campaign."""

    PROMOTE_CANDIDATE = "promote_candidate"
    ITERATE = "iterate"
    REJECT = "reject"


@final
class RuleStatus(StrEnum):
    """What became of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"


@final
@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule of a promotion, judged.

    Attributes:
        name: Of the rule.
        status: What became of it.
        value: What was found, None when undefined (never passes) or not run.
        bound: What the value was compared with.
        evidence: One sentence: what the value was computed from, or why there is none.
    """

    name: str
    status: RuleStatus
    value: float | None
    bound: float
    evidence: str


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict with every reason, and the checks that were not made.

    Attributes:
        kind: The verdict.
        candidate: Hash of the candidate it is about, "" for none.
        reasons: Sentences, the decisive one first.
        missing_checks: Names of checks that `promote_candidate` needs and that did not run.
        rules: Every rule of a promotion, in the order in which they are judged.
    """

    kind: VerdictKind
    candidate: str
    reasons: tuple[str, ...]
    missing_checks: tuple[str, ...] = ()
    rules: tuple[RuleResult, ...] = ()
