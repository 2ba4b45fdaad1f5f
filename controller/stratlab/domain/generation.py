"""What generators and critics may see of a campaign: nothing of validation but a coarse rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.campaign import Campaign, Feedback
from stratlab.domain.strategy import Candidate, Critique


@final
@dataclass(frozen=True, slots=True)
class IterationSummary:
    """What generators and critics may know of an earlier iteration: no validation figures.

    Attributes:
        number: Iteration number.
        candidate: What was tried, None when generation failed.
        train_score: Score computed from the train tier alone, None when undefined.
        validation_rank: Coarse rank of the validation result: "top", "middle", "bottom"
            third of the campaign so far, "" when it has none.
        passed_gates: Whether every gate passed.
        feedback: What it taught, from training metrics.
        turnover, max_drawdown: On the train tier, None when undefined.
        duplicate_of: Hash of the better elite whose daily train returns it repeats, "" for none.
        screened_out: Whether screening rejected the candidate.
        model: Language model that was asked for the candidate, "" for none.
    """

    number: int
    candidate: Candidate | None
    train_score: float | None
    validation_rank: str
    passed_gates: bool
    feedback: Feedback | None
    turnover: float | None = None
    max_drawdown: float | None = None
    duplicate_of: str = ""
    screened_out: bool = False
    model: str = ""


@final
@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Everything a generator may see; equal requests give equal candidates.

    Attributes:
        campaign: Its specification and seed.
        iteration: Number of the iteration to generate for.
        history: Earlier iterations in order.
        critique: The next change, None in the first iteration.
    """

    campaign: Campaign
    iteration: int
    history: Sequence[IterationSummary]
    critique: Critique | None
