"""Examinations: what is found out about a finalist before a verdict, as evidence that is stored.

Every number is the host's own, after costs, and where it says so in excess of the campaign's
benchmark. A figure that is undefined is None, never NaN. The types of one check do not know those
of another, so that each can be stored, repeated and shown by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import final

from stratlab.domain.market import Window
from stratlab.domain.metrics import AnnualSharpe, Metrics, PerPeriodSharpe
from stratlab.domain.trial import Outcome, Parameters


@final
class CheckName(StrEnum):
    """The checks of an examination, in the order in which they run."""

    CAUSALITY = "causality"
    STATISTICS = "statistics"
    WALK_FORWARD = "walk_forward"
    STRESS = "stress"
    HOLDOUT = "holdout"


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an examination is about: one candidate with one parameter point.

    Attributes:
        campaign_id, iteration: Where it was found.
        candidate_hash: Of the candidate.
        parameters: The point that was judged.
    """

    campaign_id: str
    iteration: int
    candidate_hash: str
    parameters: Parameters


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of confidence; an end is None where it is not bounded.

    Attributes:
        low, high: Its ends.
        confidence: Probability with which it covers the truth, for example 0.95.
    """

    low: float | None
    high: float | None
    confidence: float = 0.95


@final
class CutReason(StrEnum):
    """Why the future was scrambled after a given day."""

    PROFIT = "profit"
    RANDOM = "random"


@final
@dataclass(frozen=True, slots=True)
class CausalityCut:
    """One re-run in a world whose prices after a day are others.

    Attributes:
        market: Symbols that were traded.
        cut: Last session whose prices are the true ones.
        reason: Why there.
        outcome: SUCCEEDED when the orders up to the cut are the same, LOOKAHEAD when not, else
            how the re-run failed.
        compared_orders: Orders and cancels up to the cut, of the original run.
        first_difference: The first order that differs, as a sentence; "" for none.
    """

    market: tuple[str, ...]
    cut: date
    reason: CutReason
    outcome: Outcome
    compared_orders: int
    first_difference: str = ""


@final
@dataclass(frozen=True, slots=True)
class DelayTest:
    """What is left of the result when every order comes one bar later.

    Attributes:
        sharpe, delayed_sharpe: Annual; a real edge decays gently, a leak collapses.
    """

    sharpe: AnnualSharpe | None
    delayed_sharpe: AnnualSharpe | None


@final
@dataclass(frozen=True, slots=True)
class CausalityEvidence:
    """Whether decisions depend on nothing but the past.

    Attributes:
        outcome: SUCCEEDED when clean; LOOKAHEAD; NONDETERMINISTIC; or how a re-run failed.
        reason: One sentence: what was compared, or what differed first.
        cuts: One per re-run, in the order in which they were run.
        repetitions: Re-runs on the same data whose orders were the same to the byte.
        delay: Reported, no rule.
        warm_up_difference: The first order that another length of the warm-up changes, as a
            sentence; "" for none, None when it was not tried.
    """

    outcome: Outcome
    reason: str
    cuts: tuple[CausalityCut, ...] = ()
    repetitions: int = 0
    delay: DelayTest | None = None
    warm_up_difference: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether every re-run gave the same orders."""
        return self.outcome is Outcome.SUCCEEDED


@final
@dataclass(frozen=True, slots=True)
class Regime:
    """How a strategy did in one regime, by filtered probabilities only.

    Attributes:
        name: Of the regime.
        observations: Returns that fell into it.
        sharpe: Annual, of excess returns.
        interval: Of ``sharpe``.
    """

    name: str
    observations: int
    sharpe: AnnualSharpe | None
    interval: Interval | None


@final
@dataclass(frozen=True, slots=True)
class StatisticsEvidence:
    """What the returns on train and validation are worth, given all trials ever made.

    All of daily returns in excess of the campaign's benchmark, train followed by validation.

    Attributes:
        observations: Number of returns, T.
        trials: N of DESIGN.md.
        sharpe: Of single periods.
        annual_sharpe: The same for a year.
        autocorrelated_sharpe: For a year, with Lo's correction for autocorrelation.
        sharpe_interval: Of ``annual_sharpe``, by the stationary bootstrap.
        skewness, kurtosis: Of the returns (3 for normal ones).
        probabilistic_sharpe_ratio: Probability that the true ratio is above zero.
        minimum_track_record: Returns needed to say so with 95 %, None when never.
        deflated_sharpe_ratio: With raw N and null variance: the rule's.
        deflated_by_trial_variance: With raw N and the variance among trials; reported.
        deflated_by_effective_trials: With the effective number of trials; reported.
        effective_trials: What the latter was computed with.
        spa_p_value: Hansen's, consistent, of the best of all trials.
        spa_trials: Series that it compared.
        overfitting_probability: By combinatorially symmetric cross-validation; reported.
        regimes: Reported.
    """

    observations: int
    trials: int
    sharpe: PerPeriodSharpe | None
    annual_sharpe: AnnualSharpe | None
    autocorrelated_sharpe: AnnualSharpe | None
    sharpe_interval: Interval | None
    skewness: float | None
    kurtosis: float | None
    probabilistic_sharpe_ratio: float | None
    minimum_track_record: float | None
    deflated_sharpe_ratio: float | None
    deflated_by_trial_variance: float | None
    deflated_by_effective_trials: float | None
    effective_trials: float | None
    spa_p_value: float | None
    spa_trials: int
    overfitting_probability: float | None
    regimes: tuple[Regime, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class WalkForwardStep:
    """One step of a walk-forward: chosen on one window, tried on the next.

    Attributes:
        selection, test: The two windows; purge and embargo lie between them.
        parameters: The point chosen on ``selection``.
        selection_sharpe, test_sharpe: Annual.
    """

    selection: Window
    test: Window
    parameters: Parameters
    selection_sharpe: AnnualSharpe | None
    test_sharpe: AnnualSharpe | None


@final
@dataclass(frozen=True, slots=True)
class WalkForward:
    """A walk-forward of one scheme.

    Attributes:
        scheme: ``anchored`` or ``rolling``.
        steps: In time.
        test_metrics: Of the stitched returns of all test windows.
        efficiency: Annual return on the test windows over that on the selection windows.
        degradation: Annual Sharpe, selection minus test.
        degradation_interval: Of ``degradation``.
    """

    scheme: str
    steps: tuple[WalkForwardStep, ...]
    test_metrics: Metrics | None
    efficiency: float | None
    degradation: float | None
    degradation_interval: Interval | None


@final
@dataclass(frozen=True, slots=True)
class WalkForwardEvidence:
    """Walk-forwards and combinatorial purged cross-validation; reported, no rule.

    Attributes:
        walks: One per scheme.
        path_sharpes: Annual, of each path of the cross-validation, ascending.
    """

    walks: tuple[WalkForward, ...]
    path_sharpes: tuple[AnnualSharpe, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class StressScenario:
    """What one change of the world makes of the result.

    Attributes:
        kind: ``costs``, ``delay``, ``jitter``, ``paths`` or ``capacity``.
        name: The case, for example ``costs x2``.
        metrics: None when it could not be run.
        outcome: How the trial ended.
    """

    kind: str
    name: str
    metrics: Metrics | None
    outcome: Outcome = Outcome.SUCCEEDED


@final
@dataclass(frozen=True, slots=True)
class StressEvidence:
    """Stress; reported, no rule.

    Attributes:
        scenarios: In a fixed order.
        break_even_bps: Slippage at which the excess return is gone, None when it never pays.
    """

    scenarios: tuple[StressScenario, ...]
    break_even_bps: float | None = None


@final
@dataclass(frozen=True, slots=True)
class HoldoutOpening:
    """One entry of the holdout ledger, which only ever grows; written before anything is run.

    Attributes:
        number: 1, 2, 3 ... over all openings of the data's holdout, by any campaign.
        data_digest: Of the data set.
        subject: Who was let see it.
        actor: Who opened it, "" when the lab did by its own rule.
        at: UTC.
    """

    number: int
    data_digest: str
    subject: Subject
    actor: str
    at: datetime


@final
@dataclass(frozen=True, slots=True)
class HoldoutEvidence:
    """What the sealed replay of the holdout gave.

    Attributes:
        opening: Number of the opening that this is about.
        openings: How many there had been of this data's holdout when it was judged, itself
            included; the confidence grows with them.
        outcome: Of the worst trial; without SUCCEEDED there are no figures.
        reason: One sentence.
        observations: Daily returns.
        annual_sharpe: In excess of the campaign's benchmark.
        lower_bound: One-sided bound of it, annual, by the stationary bootstrap.
        confidence: Of the bound, after the correction for ``openings``.
        metrics, benchmark_metrics: On the holdout.
        orders_digest: Over the committed order logs.
    """

    opening: int
    openings: int
    outcome: Outcome
    reason: str
    observations: int = 0
    annual_sharpe: AnnualSharpe | None = None
    lower_bound: AnnualSharpe | None = None
    confidence: float = 0.95
    metrics: Metrics | None = None
    benchmark_metrics: Metrics | None = None
    orders_digest: str = ""


@final
@dataclass(frozen=True, slots=True)
class Examination:
    """Everything found out about one subject; what did not run is None.

    Attributes:
        subject: Whom it is about.
        causality, statistics, walk_forward, stress, holdout: As named.
        failures: Name of a check that could not be made -> why, one sentence.
    """

    subject: Subject
    causality: CausalityEvidence | None = None
    statistics: StatisticsEvidence | None = None
    walk_forward: WalkForwardEvidence | None = None
    stress: StressEvidence | None = None
    holdout: HoldoutEvidence | None = None
    failures: Mapping[CheckName, str] = field(default_factory=dict)
