"""Writes candidates from templates: their defaults first, then other points of their spaces."""

from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.space import Grid, point_key, with_values
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation.templates import templates_for

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.generation import GenerationRequest, IterationSummary

_Key = frozenset[tuple[str, int | float]]


@final
class TemplateGenerator:
    """Implements the ``Generator`` port: the templates in turn, every turn at untried points."""

    def generate(self, request: "GenerationRequest") -> Candidate:
        """Return the candidate for an iteration.

        Iteration i takes template i mod n. A template whose whole space was tried leaves its
        turn to the next one; points are repeated only when nothing is left anywhere.

        Raises:
            InvalidSpecError: The campaign names an unknown template.
            InvalidParametersError: The campaign bounds an unknown parameter.
        """
        spec = request.campaign.spec
        templates = templates_for(spec)
        random = Random(f"{spec.seed}/{request.iteration}")  # noqa: S311 - not for secrets
        turn = (request.iteration - 1) % len(templates)
        for contract in (*templates[turn:], *templates[:turn]):
            tried = _tried(contract.strategy_id, request.history)
            points = list(islice(_points(contract, random, tried), spec.parameter_points))
            if points:
                return _candidate(contract, points, request.history)
        contract = templates[turn]
        point = Grid(contract).point(random.randrange(Grid(contract).size))
        return _candidate(contract, [point], request.history)


def _points(
    contract: "StrategyContract", random: Random, tried: set[_Key]
) -> Iterable[dict[str, int | float]]:
    # The author's own values are the best guess, so they come first.
    defaults = contract.parameters
    if point_key(defaults) not in tried:
        yield defaults
    yield from Grid(contract).untried(random, tried | {point_key(defaults)})


def _tried(strategy_id: str, history: Sequence["IterationSummary"]) -> set[_Key]:
    return {
        point_key(point)
        for summary in history
        if summary.candidate is not None and summary.candidate.strategy_id == strategy_id
        for point in (summary.candidate.parameters, *summary.candidate.parameter_points)
    }


def _candidate(
    template: "StrategyContract",
    points: Sequence[dict[str, int | float]],
    history: Sequence["IterationSummary"],
) -> Candidate:
    contract = with_values(template, points[0])
    earlier = [
        summary.candidate.hash
        for summary in history
        if summary.candidate is not None
        and summary.candidate.strategy_id == contract.strategy_id
        and summary.candidate.lineage.operator == "template"
    ]
    if contract.parameters == template.parameters:
        lineage = Lineage(GeneratorKind.TEMPLATE, "template", note="The template's own values.")
    else:
        lineage = Lineage(
            GeneratorKind.TEMPLATE,
            "vary_parameters",
            parents=tuple(earlier[:1]),
            generation=1 if earlier else 0,
            note="The template at another point of its space.",
        )
    return candidate_from_contract(contract, lineage, points[1:])
