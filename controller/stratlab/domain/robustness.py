"""Evidence of robustness: walk-forward, cross-validation, stress and reference arms of a finalist.

Everything here is about the campaign's own tiers train and validation; no figure has seen the
holdout. Sharpe ratios called *excess* are of the returns over the campaign's benchmark on the
same sessions and costs. Returns and drawdowns are fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import final

from stratlab.domain.metrics import AnnualSharpe
from stratlab.domain.trial import EquityPoint, Outcome, Parameters


@final
@dataclass(frozen=True, slots=True)
class SessionRange:
    """A closed range of sessions."""

    start: date
    end: date


@final
@dataclass(frozen=True, slots=True)
class Performance:
    """What one run came to; None where a figure is undefined or the run did not succeed.

    Attributes:
        outcome: How the run ended; figures of the numpy back-end always have SUCCEEDED.
        cum_returns_final: Total return.
        annual_return: Compound annual growth.
        sharpe_ratio: Annual, risk-free rate 0.
        excess_sharpe: Annual, of returns over the benchmark's.
        max_drawdown: Zero or negative.
    """

    outcome: Outcome
    cum_returns_final: float | None = None
    annual_return: float | None = None
    sharpe_ratio: AnnualSharpe | None = None
    excess_sharpe: AnnualSharpe | None = None
    max_drawdown: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Degradation:
    """How much worse out of sample was than in sample, as a difference.

    Attributes:
        value: Annual excess Sharpe ratio in sample minus the one out of sample; positive is worse.
        low, high: Ends of the interval, by stationary bootstrap; None where there are too few
            returns.
        confidence: That the interval covers the true difference.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float


@final
class ParameterSource(StrEnum):
    """Where the points come from among which every train window chooses."""

    SCREEN = "screen"
    """Drawn from the candidate's space and computed by the numpy back-end."""
    RECORDED = "recorded"
    """The candidate's points of the campaign, run in the sandbox."""
    FIXED = "fixed"
    """There is only one, so that nothing is chosen again."""


@final
class WindowScheme(StrEnum):
    """How the train windows of a walk-forward move."""

    ANCHORED = "anchored"
    ROLLING = "rolling"


@final
@dataclass(frozen=True, slots=True)
class WalkForwardStep:
    """One train window and the sessions behind it.

    Attributes:
        train, test: Where the parameters were chosen, and where they were traded.
        parameters: The chosen ones.
        in_sample: Of the chosen point on the train window.
        out_of_sample: Of the sandboxed trial on the test window, from the campaign's capital.
        trial_id: Of that trial.
    """

    train: SessionRange
    test: SessionRange
    parameters: Parameters
    in_sample: Performance
    out_of_sample: Performance
    trial_id: str


@final
@dataclass(frozen=True, slots=True)
class WalkForward:
    """A walk-forward over train and validation.

    Attributes:
        scheme: How train windows move.
        purge, embargo: Sessions left out between a train window and its test window.
        source: Where the candidates for the parameters come from.
        points: How many there were to choose from.
        steps: In order; their test windows follow one another without a gap.
        equity: Stitched out of sample: every step continues with what the one before it left.
        benchmark_equity: Of the benchmark, stitched the same way.
        out_of_sample: Of the stitched equity.
        efficiency: Annual return out of sample over the steps' mean annual return in sample; None
            where the latter is not positive.
        degradation: Of the excess Sharpe ratio.
    """

    scheme: WindowScheme
    purge: int
    embargo: int
    source: ParameterSource
    points: int
    steps: tuple[WalkForwardStep, ...]
    equity: tuple[EquityPoint, ...]
    benchmark_equity: tuple[EquityPoint, ...]
    out_of_sample: Performance
    efficiency: float | None
    degradation: Degradation


@final
@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Combinatorial purged cross-validation over train and validation.

    Attributes:
        groups, test_groups: The sessions are cut into ``groups``, of which every combination of
            ``test_groups`` is tested once with parameters chosen on the rest.
        purge: Sessions left out of train on both sides of what is tested.
        embargo: Further sessions left out of train behind what is tested.
        source, points: As of a walk-forward.
        splits: Combinations.
        paths: Of the stitched paths, each of which covers every session once.
    """

    groups: int
    test_groups: int
    purge: int
    embargo: int
    source: ParameterSource
    points: int
    splits: int
    paths: tuple[Performance, ...]


@final
class StressKind(StrEnum):
    """What was done to a finalist."""

    BASELINE = "baseline"
    """Nothing: what the others are compared with."""
    DOUBLED_COSTS = "doubled_costs"
    ONE_BAR_DELAY = "one_bar_delay"
    PARAMETER_JITTER = "parameter_jitter"
    BOOTSTRAPPED_PRICES = "bootstrapped_prices"


@final
@dataclass(frozen=True, slots=True)
class StressTest:
    """One kind of stress over the whole of train and validation.

    Attributes:
        kind: What was done.
        runs: One for each variation: jittered points, made-up price paths; otherwise one.
        note: What a reader must know, for example why there is no run.
    """

    kind: StressKind
    runs: tuple[Performance, ...]
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of a ladder.

    Attributes:
        level: Multiple of the campaign's costs, or the largest share of a bar's volume.
        performance: At that level.
        fills: Executions at that level.
    """

    level: float
    performance: Performance
    fills: int


@final
@dataclass(frozen=True, slots=True)
class CostLadder:
    """The same orders at other costs.

    Attributes:
        rungs: By multiple of slippage and commission.
        break_even: Multiple at which the total return is zero; 0.0 when it is not positive even
            without costs, None when it is positive at the largest multiple tried.
        excess_break_even: The same for the return over the benchmark's.
    """

    rungs: tuple[Rung, ...]
    break_even: float | None
    excess_break_even: float | None


@final
@dataclass(frozen=True, slots=True)
class CapacityLadder:
    """The same orders where a bar holds less for them.

    Attributes:
        rungs: By the largest share of a bar's volume that an order may take.
    """

    rungs: tuple[Rung, ...]


@final
class Arm(StrEnum):
    """A reference arm: what the campaign's result is shown beside."""

    RANDOM_SEARCH = "random_search"
    """As many points, drawn at random from the templates' spaces."""
    OPTUNA = "optuna"
    """As many points, proposed by the parameter search alone, without evolution."""
    BUY_AND_HOLD = "buy_and_hold"
    """The whole capital in the one symbol that did best in train, held."""
    EQUAL_WEIGHT = "equal_weight"
    """The campaign's universe in equal parts, held."""


@final
@dataclass(frozen=True, slots=True)
class ArmResult:
    """A reference arm; best by train, never counted in the campaign's N.

    Attributes:
        arm: Which.
        strategy_id: Of its best strategy, or what it holds.
        parameters: Of its best strategy.
        points: Evaluated to find it.
        train, validation: Of the best.
        equity: Of the best over train and validation, one point a session; each tier begins with
            the campaign's capital.
        note: Why there is no result.
    """

    arm: Arm
    strategy_id: str = ""
    parameters: Parameters = field(default_factory=dict)
    points: int = 0
    train: Performance | None = None
    validation: Performance | None = None
    equity: Mapping[str, tuple[EquityPoint, ...]] = field(default_factory=dict)
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class Robustness:
    """Everything that was found about one finalist.

    Attributes:
        candidate: Its hash.
        parameters: Its best point.
        walk_forwards: One for each scheme that fits into the data.
        cross_validation: None where the data are too short for it.
        stress: One for each kind.
        costs, capacity: Ladders; None where the baseline did not succeed.
        notes: What could not be done, and why.
    """

    candidate: str
    parameters: Parameters
    walk_forwards: tuple[WalkForward, ...] = ()
    cross_validation: CrossValidation | None = None
    stress: tuple[StressTest, ...] = ()
    costs: CostLadder | None = None
    capacity: CapacityLadder | None = None
    notes: tuple[str, ...] = ()
