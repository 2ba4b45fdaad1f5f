"""Random mutation: what the critic is measured against, in campaigns that are else the same."""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.domain.strategy import Critique
from stratlab.search.operators import OPERATORS

if TYPE_CHECKING:
    from stratlab.domain.generation import GenerationRequest, IterationSummary
    from stratlab.domain.ports import Generator
    from stratlab.domain.strategy import Candidate


@final
class RandomCritic:
    """Implements the ``Critic`` port without looking at any result: all operators are as likely.

    Args:
        draws_parent: Whether it draws the parent too, all that were tried being as likely; else
            the generator chooses it, as after a critique that names none.
    """

    def __init__(self, *, draws_parent: bool) -> None:
        self._draws_parent = draws_parent

    def criticise(self, request: "GenerationRequest", latest: "IterationSummary") -> Critique:
        """Return the change for the iteration after ``latest``."""
        seed = f"{request.campaign.spec.seed}/mutation/{latest.number}"
        random = Random(seed)  # noqa: S311 - not for secrets
        operator = random.choice(OPERATORS)
        tried = [item.candidate.hash for item in (*request.history, latest) if item.candidate]
        parent = random.choice(tried) if self._draws_parent and tried else ""
        return Critique(operator, parent, "drawn at random")


@final
class UninformedGenerator:
    """Implements the ``Generator`` port by another one, which is shown no result.

    Where a change cannot be made as it was asked for, or makes nothing new, a generator chooses
    another one; without results it has no elites to choose.

    Args:
        inner: Writes the candidates.
    """

    def __init__(self, inner: "Generator") -> None:
        self._inner = inner

    def generate(self, request: "GenerationRequest") -> "Candidate":
        """Return the candidate for an iteration."""
        return self._inner.generate(replace(request, history=[*map(_unjudged, request.history)]))


def _unjudged(summary: "IterationSummary") -> "IterationSummary":
    return replace(
        summary,
        train_score=None,
        validation_rank="",
        passed_gates=False,
        feedback=None,
        turnover=None,
        max_drawdown=None,
        duplicate_of="",
    )
