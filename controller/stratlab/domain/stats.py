"""Figures about a campaign itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


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
