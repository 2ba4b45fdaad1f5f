"""Evolves candidates: templates first, then mutations of the best so far."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.space import Grid, point_key, with_values
from stratlab.domain.errors import InvalidContractError
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.search.mutations import MUTATIONS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.generation import GenerationRequest, IterationSummary

Templates = Callable[["CampaignSpec"], "Sequence[StrategyContract]"]
"""Returns the contracts that a campaign starts from."""

_Proposal = tuple["StrategyContract", Lineage]

_TOURNAMENT = 3
_ATTEMPTS = 64
_ATTEMPTS_AS_ASKED = 8


@final
class FactorGraphGenerator:
    """Implements the ``Generator`` port by mutation and selection.

    The first iterations try the templates. Afterwards a parent is chosen (the critique's, or
    the winner of a small tournament: passed gates first, then train score) and mutated by the
    critique's operator or a random one. No contract is tried twice in a campaign.

    Args:
        templates: Returns the contracts to start from.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def generate(self, request: "GenerationRequest") -> Candidate:
        """Return the candidate for an iteration.

        Raises:
            InvalidSpecError: The campaign names an unknown template.
            InvalidParametersError: The campaign bounds an unknown parameter.
            InvalidContractError: Nothing new can be made from what was tried.
        """
        spec = request.campaign.spec
        templates = self._templates(spec)
        random = Random(f"{spec.seed}/{request.iteration}")  # noqa: S311 - not for secrets
        seen = {summary.candidate.contract for summary in request.history if summary.candidate}
        for contract, lineage in _proposals(request, templates, random):
            if canonical_json(contract) not in seen:
                further = Grid(contract).untried(random, {point_key(contract.parameters)})
                points = islice(further, spec.parameter_points - 1)
                return candidate_from_contract(contract, lineage, points)
        raise InvalidContractError(
            "no new candidate can be made from what was tried",
            hint="Widen the parameter space or start from more templates.",
        )


def _proposals(
    request: "GenerationRequest", templates: "Sequence[StrategyContract]", random: Random
) -> Iterator["_Proposal"]:
    # The template whose turn it is; else what the critique asked for, then any mutation, and
    # in the end every point around what was tried.
    if request.iteration <= len(templates):
        yield templates[request.iteration - 1], _lineage("template", None)
    pool = _parents(request.history)
    for attempt in range(_ATTEMPTS if pool else 0):
        critique = request.critique if attempt < _ATTEMPTS_AS_ASKED else None
        named = [parent for parent in pool if critique and parent.hash == critique.parent]
        parent = named[0] if named else _tournament(request.history, pool, random)
        wanted = critique.operator if critique else ""
        operator = wanted if wanted in MUTATIONS else random.choice(sorted(MUTATIONS))
        child = MUTATIONS[operator](load_contract(parent.contract), random)
        if child is not None:
            yield child, _lineage(operator, parent)
    for parent in pool:
        contract = load_contract(parent.contract)
        for point in Grid(contract).untried(random, ()):
            yield with_values(contract, point), _lineage("perturb_parameter", parent)
    for contract in templates:
        for point in Grid(contract).untried(random, ()):
            yield with_values(contract, point), _lineage("vary_parameters", None)


def _parents(history: "Sequence[IterationSummary]") -> list[Candidate]:
    candidates = [
        summary.candidate
        for summary in history
        if summary.candidate is not None and summary.candidate.contract
    ]
    # The same candidate may stand in several iterations.
    return list({candidate.hash: candidate for candidate in candidates}.values())


def _tournament(
    history: "Sequence[IterationSummary]", pool: Sequence[Candidate], random: Random
) -> Candidate:
    merits = {
        summary.candidate.hash: (summary.passed_gates, summary.train_score)
        for summary in history
        if summary.candidate is not None and summary.train_score is not None
    }
    scored = [candidate for candidate in pool if candidate.hash in merits]
    if not scored:
        return random.choice(pool)
    drawn = random.sample(scored, min(_TOURNAMENT, len(scored)))
    return max(drawn, key=lambda candidate: (merits[candidate.hash], candidate.hash))


def _lineage(operator: str, parent: Candidate | None) -> Lineage:
    if parent is None:
        note = "The template as it is." if operator == "template" else "A template elsewhere."
        return Lineage(GeneratorKind.FACTOR_GRAPH, operator, note=note)
    return Lineage(
        GeneratorKind.FACTOR_GRAPH,
        operator,
        parents=(parent.hash,),
        generation=parent.lineage.generation + 1,
        note=f"{operator} on {parent.strategy_id} of generation {parent.lineage.generation}.",
    )
