"""Examinations: what is found out about a finalist before a verdict, as evidence that is stored.

Every number is the host's own, after costs, and where it says so in excess of the campaign's
benchmark. A figure that is undefined is None, never NaN. The types of one check do not know those
of another, so that each can be stored, repeated and shown by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, final

from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.robustness import Robustness
from stratlab.domain.statistics import (
    BacktestOverfitting,
    DeflatedSharpes,
    Inconclusive,
    MinimumTrackRecord,
    PredictiveAbility,
    ProbabilisticSharpe,
    RegimeTable,
    SharpeBound,
    SharpeEstimate,
    TrialCount,
)
from stratlab.domain.trial import Outcome, Parameters


@final
class CheckName(StrEnum):
    """The checks of an examination, in the order in which they run."""

    CAUSALITY = "causality"
    SEALED_REPLAY = "sealed_replay"
    STATISTICS = "statistics"
    ROBUSTNESS = "robustness"
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
class SealedReplayEvidence:
    """Whether the orders on train and validation are the same without a future to look at.

    Attributes:
        outcome: SUCCEEDED when they are; LOOKAHEAD when not; or how a replay failed.
        reason: One sentence: what was compared, or what differed first.
        trials: How many were replayed.
    """

    outcome: Outcome
    reason: str
    trials: int


@final
@dataclass(frozen=True, slots=True)
class StatisticsEvidence:
    """What the returns on train and validation are worth, given all trials ever made.

    Of daily returns in excess of the campaign's benchmark, train followed by validation. Where
    there are several market sets, of the mean of their returns. ``deflated.raw_count`` and
    ``spa`` decide, the others are reported.

    Attributes:
        counts: N, and what is not in it.
        sharpe: As observed.
        bound: Of the ratio, by the stationary bootstrap.
        probabilistic: Against a ratio of zero.
        track_record: Returns needed to say that the ratio is above zero.
        deflated: By N and two other counts.
        spa: Of all trials.
        overfitting: Of all trials.
        regimes: Where there are enough returns.
    """

    counts: TrialCount
    sharpe: SharpeEstimate | Inconclusive
    bound: SharpeBound | Inconclusive
    probabilistic: ProbabilisticSharpe | Inconclusive
    track_record: MinimumTrackRecord | Inconclusive
    deflated: DeflatedSharpes
    spa: PredictiveAbility | Inconclusive
    overfitting: BacktestOverfitting | Inconclusive
    regimes: RegimeTable | Inconclusive


@final
class HoldoutMode(StrEnum):
    """Who opens the holdout."""

    ONCE_FOR_FINALIST = "once_for_finalist"
    """The lab, once, for the one finalist that passed every other rule."""
    MANUAL = "manual"
    """An operator."""


@final
@dataclass(frozen=True, slots=True)
class HoldoutOpening:
    """One entry of the holdout ledger, which only ever grows; written before anything is run.

    Attributes:
        number: 1, 2, 3 ... over all openings of all data sets.
        data_set: Name of the data set.
        data_digest: Of its content.
        subject: Who was let see it.
        look: Digest of all that the replay's result depends on; equal for a repetition, from which
            nothing new can be learnt.
        looks: Different looks at the holdout of this data set up to this one, over all campaigns; a
            repetition has the number of the first. The verdict is deflated by it.
        actor: Who opened it, "" when the lab did by its own rule.
        at: UTC.
    """

    number: int
    data_set: str
    data_digest: str
    subject: Subject
    look: str
    looks: int
    actor: str
    at: datetime


@final
@dataclass(frozen=True, slots=True)
class HoldoutEvidence:
    """What the sealed replay of the holdout gave.

    Attributes:
        opening: The entry of the ledger.
        outcome: Of the worst trial; without SUCCEEDED there are no figures.
        reason: One sentence.
        bound: Of the Sharpe ratio of daily returns in excess of the campaign's benchmark, with a
            confidence that is corrected for the looks; None without figures.
        metrics, benchmark_metrics: On the holdout.
        orders_digest: Over the committed order logs.
    """

    opening: HoldoutOpening
    outcome: Outcome
    reason: str
    bound: SharpeBound | Inconclusive | None = None
    metrics: Metrics | None = None
    benchmark_metrics: Metrics | None = None
    orders_digest: str = ""


@final
@dataclass(frozen=True, slots=True)
class Examination:
    """Everything found out about one subject; what did not run is None.

    Attributes:
        subject: Whom it is about.
        causality, sealed_replay, statistics, robustness, holdout: As named; ``robustness`` is
            reported only.
        failures: Name of a check that could not be made -> why, one sentence.
    """

    subject: Subject
    causality: CausalityEvidence | None = None
    sealed_replay: SealedReplayEvidence | None = None
    statistics: StatisticsEvidence | None = None
    robustness: Robustness | None = None
    holdout: HoldoutEvidence | None = None
    failures: Mapping[CheckName, str] = field(default_factory=dict)


class ExaminationRegister(Protocol):
    """Examinations and the holdout ledger as a transaction sees them."""

    def save_examination(self, examination: Examination) -> None:
        """Insert or replace the examination of a subject's iteration.

        Raises:
            NotFoundError: No such iteration.
        """
        ...

    def open_holdout(
        self,
        subject: Subject,
        *,
        data_set: str,
        data_digest: str,
        look: str,
        actor: str,
        at: datetime,
    ) -> HoldoutOpening:
        """Append an opening to the ledger and return it.

        Counted are openings of data sets with this name or this digest.

        Raises:
            NotFoundError: No such iteration.
        """
        ...


class ExaminationReader(Protocol):
    """Examinations and the holdout ledger as everybody else sees them."""

    def examination(self, campaign_id: str, iteration: int) -> Examination | None:
        """Return what was found about the candidate of an iteration, None before any check."""
        ...

    def examinations(self, campaign_id: str) -> Sequence[Examination]:
        """Return all examinations of a campaign, by iteration."""
        ...

    def holdout_openings(
        self, *, campaign_id: str = "", data_set: str = ""
    ) -> Sequence[HoldoutOpening]:
        """Return the ledger in order.

        Args:
            campaign_id: Of this campaign only, "" for all.
            data_set: Of data sets of this name only, "" for all.
        """
        ...
