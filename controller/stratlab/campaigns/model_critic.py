"""The critic by model: told training figures and coarse ranks, and nothing else there is."""

from collections.abc import Mapping
from typing import final

import structlog

from stratlab.domain.errors import InvalidContractError, ModelFailedError
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.ports import Critic
from stratlab.domain.strategy import Critique, GeneratorKind
from stratlab.generation.authors import Author, prompts
from stratlab.generation.authors.author import task_text
from stratlab.generation.authors.forms import CritiqueForm
from stratlab.generation.authors.past import name_of, past_text, summary_text
from stratlab.llm.extraction import read_form
from stratlab.search.operators import OPERATORS

_LOG = structlog.get_logger(__name__)
_STEP = "critique"


@final
class ModelCritic:
    """Implements the ``Critic`` port by a model; the rules speak where it fails.

    Args:
        author: Asks the model.
        rules: Speaks instead of a model that gives nothing that can be used.
    """

    def __init__(self, author: Author, rules: Critic) -> None:
        self._author = author
        self._rules = rules

    def criticise(self, request: GenerationRequest, latest: IterationSummary) -> Critique:
        """Return the change for the iteration after ``latest``.

        Raises:
            ModelUnavailableError: The model cannot be asked at all.
        """
        history = [*request.history, latest]
        job = self._author.begin(request)
        text = prompts.fill(
            _STEP,
            task=task_text(request, job.hide),
            history=past_text(request.history, job.hide),
            latest=summary_text(latest, job.hide),
            operators=", ".join(OPERATORS),
            sample=str(request.iteration),
        )
        known = {name_of(item): item.candidate.hash for item in history if item.candidate}

        def make(form: CritiqueForm) -> Critique:
            if form.operator and form.operator not in OPERATORS:
                raise InvalidContractError(
                    f"operator: unknown {form.operator!r}; known: {', '.join(OPERATORS)}"
                )
            if form.parent and form.parent not in known:
                raise InvalidContractError(
                    f"parent: unknown {form.parent!r}; known: {', '.join(known) or 'none'}"
                )
            return Critique(form.operator, known.get(form.parent, ""), form.reason)

        try:
            return self._author.write(
                job, _STEP, text, CritiqueForm, lambda said: read_form(said, CritiqueForm), make
            )
        except ModelFailedError as error:
            _LOG.warning(
                "critic_fallback",
                campaign=request.campaign.id,
                iteration=request.iteration,
                reason=error.message,
            )
            return self._rules.criticise(request, latest)


@final
class CriticByKind:
    """Implements the ``Critic`` port by another critic for each kind of generator.

    Args:
        rules: For those that are not named.
        others: By kind.
    """

    def __init__(self, rules: Critic, others: Mapping[GeneratorKind, Critic]) -> None:
        self._rules = rules
        self._others = others

    def criticise(self, request: GenerationRequest, latest: IterationSummary) -> Critique:
        """Return the change for the iteration after ``latest``."""
        chosen = self._others.get(request.campaign.spec.generator, self._rules)
        return chosen.criticise(request, latest)
