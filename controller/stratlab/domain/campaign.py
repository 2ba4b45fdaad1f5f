"""Campaigns and iterations: their specification, state and results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import final

from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import GateResult, Gates, Level, Verdict
from stratlab.domain.market import CostModel
from stratlab.domain.metrics import Metrics
from stratlab.domain.robustness import Arm
from stratlab.domain.search import Islands, ParameterSearch, ReviewMode
from stratlab.domain.strategy import Candidate, Critique, GeneratorKind, ScreeningReport
from stratlab.domain.trial import Engine, Limits, TrialResult


@final
class CampaignState(StrEnum):
    """Lifecycle of a campaign."""

    QUEUED = "queued"
    BRIEF_GENERATED = "brief_generated"
    CODE_GENERATED = "code_generated"
    CAMPAIGN_RUNNING = "campaign_running"
    CAMPAIGN_EVALUATED = "campaign_evaluated"
    REFINEMENT_PLANNED = "refinement_planned"
    COMPLETED = "completed"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no transition leaves this state."""
        return self in {CampaignState.COMPLETED, CampaignState.FAILED, CampaignState.CANCELLED}


_WORKING = (
    CampaignState.QUEUED,
    CampaignState.BRIEF_GENERATED,
    CampaignState.CODE_GENERATED,
    CampaignState.CAMPAIGN_RUNNING,
    CampaignState.CAMPAIGN_EVALUATED,
    CampaignState.REFINEMENT_PLANNED,
)
_FORWARD: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.QUEUED: frozenset({CampaignState.BRIEF_GENERATED}),
    CampaignState.BRIEF_GENERATED: frozenset(
        {CampaignState.CODE_GENERATED, CampaignState.CAMPAIGN_EVALUATED}
    ),
    CampaignState.CODE_GENERATED: frozenset(
        {CampaignState.CAMPAIGN_RUNNING, CampaignState.CAMPAIGN_EVALUATED}
    ),
    CampaignState.CAMPAIGN_RUNNING: frozenset({CampaignState.CAMPAIGN_EVALUATED}),
    CampaignState.CAMPAIGN_EVALUATED: frozenset(
        {CampaignState.REFINEMENT_PLANNED, CampaignState.COMPLETED}
    ),
    CampaignState.REFINEMENT_PLANNED: frozenset({CampaignState.BRIEF_GENERATED}),
}
_ALWAYS = frozenset({CampaignState.PAUSED, CampaignState.CANCELLED, CampaignState.FAILED})

REVIEW_REASON = "REVIEW"
"""State reason of a campaign that waits for the approval of its candidate."""

REVIEW_DECLINED_REASON = "REVIEW_DECLINED"
"""State reason of a campaign whose candidate was declined."""

TRANSITIONS: Mapping[CampaignState, frozenset[CampaignState]] = {
    **{state: _FORWARD[state] | _ALWAYS for state in _WORKING},
    CampaignState.PAUSED: frozenset(_WORKING) | {CampaignState.CANCELLED, CampaignState.FAILED},
    CampaignState.COMPLETED: frozenset(),
    CampaignState.FAILED: frozenset(),
    CampaignState.CANCELLED: frozenset(),
}
"""Every allowed transition; a paused campaign returns to the state it was paused in."""


@final
@dataclass(frozen=True, slots=True)
class StopRules:
    """Bounds that end a campaign; None switches a rule off.

    Attributes:
        max_iterations: Hard.
        max_wall_seconds: Hard; time in the states that work, pauses apart.
        max_tokens: Hard; language-model tokens.
        max_cost_usd: Hard; language-model spending.
        max_consecutive_failures: Hard; iterations in a row that reached no valid metrics.
        max_drawdown_breach: Hard; a drawdown deeper than this positive fraction in any trial.
        no_improvement_iterations: Soft; iterations without a better score.
        max_score_volatility: Soft; standard deviation of the last ten scores.
        max_overfit_gap: Soft; mean Sharpe degradation of the last five evaluated iterations.
    """

    max_iterations: int | None = 20
    max_wall_seconds: float | None = 3600.0
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    max_consecutive_failures: int | None = 8
    max_drawdown_breach: float | None = 0.95
    no_improvement_iterations: int | None = None
    max_score_volatility: float | None = None
    max_overfit_gap: float | None = None


@final
@dataclass(frozen=True, slots=True)
class CampaignSpec:
    """What a user asks for.

    Attributes:
        display_name: For people.
        prompt: What to look for, in the user's words.
        constraints: Further demands, one sentence each.
        data_set: Name of the data set.
        markets: Market sets; each is traded from one account in its own trials.
        timeframes: Bar lengths.
        generator: Who writes the strategies.
        templates: Names to start from, empty for all.
        parameter_space: Overrides of template parameters, name -> (min, max, step).
        parameter_points: Parameter sets tried per iteration: the best of the screen, or without
            one the candidate's own values and others.
        gates, stop_rules, cost_model, limits: As named.
        capital: Starting cash of every trial.
        seed: Of every random choice.
        runtime: Container runtime.
        engine: What runs the trials.
        review: Whether warnings of screening need an approval.
        parameter_search: How the points of a candidate are chosen.
        islands: How candidates evolve.
        holdout: Who opens the holdout.
        arms: Reference arms that are run when the search is over.
    """

    display_name: str
    data_set: str
    markets: tuple[tuple[str, ...], ...]
    prompt: str = ""
    constraints: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ("1d",)
    generator: GeneratorKind = GeneratorKind.FACTOR_GRAPH
    templates: tuple[str, ...] = ()
    parameter_space: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    parameter_points: int = 1
    gates: Gates = field(default_factory=Gates)
    stop_rules: StopRules = field(default_factory=StopRules)
    cost_model: CostModel = field(default_factory=CostModel)
    limits: Limits = field(default_factory=Limits)
    capital: float = 100_000.0
    seed: int = 0
    runtime: str = "runc"
    review: ReviewMode = ReviewMode.AUTO
    parameter_search: ParameterSearch = field(default_factory=ParameterSearch)
    islands: Islands = field(default_factory=Islands)
    holdout: HoldoutMode = HoldoutMode.ONCE_FOR_FINALIST
    arms: tuple[Arm, ...] = ()
    engine: Engine = Engine.FAST


@final
@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as stored.

    Attributes:
        id: Unique identifier; the resource name is ``campaigns/{id}``.
        spec: What was asked for.
        data_digest: Digest of the data set at creation; results refer to it.
        state: Where it stands.
        state_reason: Reason code of the last transition.
        resume_state: Where a paused campaign continues.
        iteration: Number of the current iteration, 0 before the first.
        created_at, updated_at: UTC.
        working_seconds: Time spent in the states that work, up to ``updated_at``.
        verdict: Set when completed.
        result_hash: Set when completed.
        revision: Optimistic lock; one more with every write.
        replay_of: Campaign that it repeats from the recordings of that one's models, "" for none.
    """

    id: str
    spec: CampaignSpec
    data_digest: str
    state: CampaignState
    created_at: datetime
    updated_at: datetime
    state_reason: str = "CREATED"
    resume_state: CampaignState | None = None
    iteration: int = 0
    working_seconds: float = 0.0
    verdict: Verdict | None = None
    result_hash: str = ""
    revision: int = 0
    replay_of: str = ""


@final
@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a campaign's state machine (UTC)."""

    campaign_id: str
    number: int
    from_state: CampaignState
    to_state: CampaignState
    reason: str
    at: datetime


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """The host's judgement of one iteration.

    Attributes:
        level: Classification.
        train, validation: Metrics of the best parameter point, None when it has none.
        benchmark_train, benchmark_validation: The campaign's benchmark on the same windows.
        parameters: The best parameter point.
        gates: One result per gate that is on.
        score: Composite score in [0, 1], None when a part is undefined.
        score_parts: Name of the part -> value in [0, 1].
        expected_trials, trials: Planned and finished counts.
    """

    level: Level
    train: Metrics | None = None
    validation: Metrics | None = None
    benchmark_train: Metrics | None = None
    benchmark_validation: Metrics | None = None
    parameters: Mapping[str, int | float] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()
    score: float | None = None
    score_parts: Mapping[str, float] = field(default_factory=dict)
    expected_trials: int = 0
    trials: int = 0

    @property
    def passed_gates(self) -> bool:
        """Whether there are metrics and every gate passed."""
        return self.level >= Level.VALID_METRICS and all(gate.passed for gate in self.gates)


@final
@dataclass(frozen=True, slots=True)
class Feedback:
    """What an iteration taught: ``success`` (metrics, analysis, hint) or ``failure``.

    Attributes:
        kind: ``success`` or ``failure``.
        summary: The metrics or the error, one line.
        analysis: The analysis or diagnosis.
        hint: The hint or fix.
    """

    kind: str
    summary: str
    analysis: str
    hint: str


@final
@dataclass(frozen=True, slots=True)
class Iteration:
    """One turn of a campaign; parts are None until that step is done.

    Attributes:
        campaign_id, number: Identity; numbers start at 1.
        started_at, ended_at: UTC.
        candidate: What was generated.
        screening: What screening found.
        results: One per trial, ordered by trial index; series are in the artefacts.
        evaluation: The host's judgement.
        feedback: What it taught.
        critique: The next change.
        patch: Unified diff of the contract against the first parent's.
        failure: Why the iteration ended without metrics, or why they do not count (a causality
            test that was not passed), "" otherwise.
        duplicate_of: Hash of the better elite whose daily train returns it repeats, "" for none.
        validation_rank: What the critic was told of its validation: "top", "middle", "bottom"
            third of the campaign so far, "" for nothing.
        model: Language model that was asked for the candidate, "" for none.
        prompt: Version of the prompt that it answered, or failed at.
    """

    campaign_id: str
    number: int
    started_at: datetime
    ended_at: datetime | None = None
    candidate: Candidate | None = None
    screening: ScreeningReport | None = None
    results: tuple[TrialResult, ...] = ()
    evaluation: Evaluation | None = None
    feedback: Feedback | None = None
    critique: Critique | None = None
    patch: str = ""
    failure: str = ""
    duplicate_of: str = ""
    validation_rank: str = ""
    model: str = ""
    prompt: str = ""


@final
class HallOfFameTier(StrEnum):
    """Rank of an admitted strategy."""

    CHAMPION = "champion"
    CONTENDER = "contender"
    ARCHIVE = "archive"


@final
@dataclass(frozen=True, slots=True)
class HallOfFameEntry:
    """An admitted strategy.

    ``provisional`` are those that an earlier version admitted without a causality test: until they
    pass it they are in the archive.
    """

    campaign_id: str
    candidate_hash: str
    iteration: int
    strategy_id: str
    tier: HallOfFameTier
    score: float
    parameters: Mapping[str, int | float]
    provisional: bool
    admitted_at: datetime


@final
@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that belongs to a campaign; ``name`` is its path below the campaign's folder."""

    campaign_id: str
    name: str
    media_type: str
    size_bytes: int
    digest: str
