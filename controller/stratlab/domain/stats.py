"""Figures about a campaign itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.metrics import AnnualSharpe
from stratlab.domain.search import ArchiveCell


@final
@dataclass(frozen=True, slots=True)
class CampaignStats:
    """How a campaign went, computed from what is stored.

    Attributes:
        state_seconds: Seconds in each state, by state name.
        trials: Trials finished.
        retries: Trials that were run again.
        cost_usd, tokens: Language-model spending.
        best_score_trajectory: Best score after each iteration, 0 before the first.
        gate_passes, gate_failures: Evaluations by gate.
        score_volatility: Standard deviation of the last ten scores, None below two.
        iterations_since_improvement: Since the best score last rose.
        outcomes: Trials by outcome name.
        counted_points: Distinct (candidate, parameters) whose score could influence selection,
            failed ones included: the N that deflates.
        points: Registered points by purpose.
        archive: Filled cells of the islands, the best of each island first.
    """

    state_seconds: Mapping[str, float]
    trials: int
    retries: int
    cost_usd: float
    tokens: int
    best_score_trajectory: tuple[float, ...]
    gate_passes: Mapping[str, int]
    gate_failures: Mapping[str, int]
    score_volatility: float | None
    iterations_since_improvement: int
    outcomes: Mapping[str, int]
    counted_points: int = 0
    points: Mapping[str, int] = field(default_factory=dict)
    archive: tuple[ArchiveCell, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class CampaignEstimate:
    """What a campaign would cost, and what its winner would have to show.

    Attributes:
        counted_points: Distinct (candidate, parameters) that would count: the planned N.
        screened_points: Points that only the host's screen would see.
        backtests: In containers, the validation tier included, smoke runs not.
        sessions: Of the train and validation tiers together.
        required_sharpe_ratio: In excess of the benchmark over these sessions, at which the
            deflated Sharpe ratio reaches 0.95 at the planned N; None for too few sessions.
        expected_maximum_sharpe_ratio: What the best of N strategies without skill is expected to
            show.
        wall_seconds: Expected wall time.
        seconds_per_backtest: What that was computed with.
        measured_backtests: How many earlier backtests that is the mean of, 0 for the default.
        model_cost_usd: Expected cost of language models, at most what the campaign may spend; 0
            for generators that ask none.
        measured_model_iterations: How many earlier iterations that follows from, 0 for the default.
    """

    counted_points: int
    screened_points: int
    backtests: int
    sessions: int
    required_sharpe_ratio: AnnualSharpe | None
    expected_maximum_sharpe_ratio: AnnualSharpe
    wall_seconds: float
    seconds_per_backtest: float
    measured_backtests: int
    model_cost_usd: float = 0.0
    measured_model_iterations: int = 0
