"""Takes over from a model that keeps failing, for one iteration; then the model is tried again.

Whose turn it is follows from the past alone: no counter is stored that a crash, a replay or the
failure of the stand-in itself could leave behind in a wrong state.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, final

import structlog

from stratlab.domain.strategy import Candidate, Critique
from stratlab.generation.authors.past import best_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.domain.generation import GenerationRequest, IterationSummary
    from stratlab.domain.ports import Generator

_LOG = structlog.get_logger(__name__)

MAX_FAILURES = 3
"""Failures of the model in a row after which something else has a turn."""


@final
class FallbackGenerator:
    """Implements the ``Generator`` port by a model, and by others when it fails too often.

    Args:
        model: Asked as a rule.
        evolution: Changes the champion.
        templates: Asked when there is no champion.
    """

    def __init__(self, model: "Generator", evolution: "Generator", templates: "Generator") -> None:
        self._model = model
        self._evolution = evolution
        self._templates = templates

    def generate(self, request: "GenerationRequest") -> Candidate:
        """Return the candidate for an iteration.

        Raises:
            InvalidContractError: No valid candidate could be made.
            ModelUnavailableError: The model cannot be asked at all.
        """
        if not is_fallback_turn(request.history):
            return self._model.generate(request)
        best = [item for item in best_first(request.history) if _has_contract(item)]
        reason = f"the model failed {MAX_FAILURES} times in a row"
        champion = best[0].candidate if best else None
        source = "templates" if champion is None else "factor_graph"
        _LOG.warning(
            "model_fallback",
            campaign=request.campaign.id,
            iteration=request.iteration,
            source=source,
            reason=reason,
        )
        if champion is None:
            made = self._templates.generate(request)
        else:
            change = Critique("", champion.hash, reason)
            made = self._evolution.generate(replace(request, critique=change))
        note = f"{made.lineage.note} Instead of the model: {reason}."
        return replace(made, lineage=replace(made.lineage, note=note))


def is_fallback_turn(history: "Sequence[IterationSummary]") -> bool:
    """Return whether the iteration after ``history`` is not the model's."""
    failures = 0
    for summary in history:
        if failures == MAX_FAILURES:
            failures = 0  # the stand-in's iteration, whatever became of it
        elif summary.candidate is None or summary.screened_out:
            failures += 1
        else:
            failures = 0
    return failures == MAX_FAILURES


def _has_contract(item: "IterationSummary") -> bool:
    return item.candidate is not None and bool(item.candidate.contract)
