"""Evolves candidates: templates first, then mutations and crossovers of an island's elites."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import load_contract
from stratlab.contract.space import Grid, point_key, with_values
from stratlab.domain.errors import NothingNovelError
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.search.archive import Archive, Elite, island_of
from stratlab.search.crossover import crossover
from stratlab.search.operators import CROSSOVER, MUTATIONS, OPERATORS, least_used
from stratlab.search.tried import TRIED

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.generation import GenerationRequest, IterationSummary

Templates = Callable[["CampaignSpec"], "Sequence[StrategyContract]"]
"""Returns the contracts that a campaign starts from."""

_Proposal = tuple["StrategyContract", Lineage]

_TOURNAMENT = 2
_ATTEMPTS = 64
_ATTEMPTS_AS_ASKED = 8


@final
class FactorGraphGenerator:
    """Implements the ``Generator`` port by islands of elites, mutation and crossover.

    The first iterations try the templates; islands take turns. Afterwards a parent is chosen (the
    critique's, or the better of two elites of the island) and changed by the critique's operator
    or by one that the campaign used least. What repeats an earlier candidate is passed over.

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
            NothingNovelError: Nothing new can be made from what was tried.
        """
        spec = request.campaign.spec
        templates = self._templates(spec)
        random = Random(f"{spec.seed}/{request.iteration}")  # noqa: S311 - not for secrets
        known = TRIED.of(request)
        for contract, lineage in _Proposals(request, templates, random):
            if not known.repeats(contract):
                further = Grid(contract).untried(random, {point_key(contract.parameters)})
                points = islice(further, spec.parameter_points - 1)
                return candidate_from_contract(contract, lineage, points)
        raise NothingNovelError("no new candidate can be made from what was tried")


@final
class _Proposals:
    # What an iteration may try, best guess first; endless repetitions are the caller's to refuse.

    def __init__(
        self,
        request: "GenerationRequest",
        templates: "Sequence[StrategyContract]",
        random: Random,
    ) -> None:
        self._request = request
        self._templates = templates
        self._random = random
        self._island = island_of(request.iteration, request.campaign.spec.islands)
        self._tried = _tried(request.history)
        archive = Archive(request.campaign.spec.islands, request.history)
        elsewhere = _with_contract(archive.everywhere())
        # Best first. An island without elites takes those of others, then whatever there is.
        self._pool = _with_contract(archive.elites(self._island)) or elsewhere or self._tried
        self._partners = elsewhere or self._tried

    def __iter__(self) -> Iterator["_Proposal"]:
        # The template whose turn it is; else what the critique asked for, then any change, and in
        # the end every point around what was tried.
        request, random = self._request, self._random
        if request.iteration <= len(self._templates):
            yield self._templates[request.iteration - 1], self._lineage("template", ())
        turns = least_used(OPERATORS, request.history, random)
        for attempt in range(_ATTEMPTS if self._pool else 0):
            critique = request.critique if attempt < _ATTEMPTS_AS_ASKED else None
            named = [c for c in self._tried if critique and c.hash == critique.parent]
            parent = named[0] if named else self._tournament()
            wanted = critique.operator if critique else ""
            operator = wanted if wanted in OPERATORS else turns[attempt % len(turns)]
            yield from self._change(operator, parent)
        for parent in self._tried:
            contract = load_contract(parent.contract)
            for point in Grid(contract).untried(random, ()):
                yield with_values(contract, point), self._lineage("perturb_parameter", (parent,))
        for contract in self._templates:
            for point in Grid(contract).untried(random, ()):
                yield with_values(contract, point), self._lineage("vary_parameters", ())

    def _change(self, operator: str, parent: Candidate) -> Iterator["_Proposal"]:
        contract, random = load_contract(parent.contract), self._random
        parents: tuple[Candidate, ...] = (parent,)
        if operator == CROSSOVER:
            partners = [c for c in self._pool if c.hash != parent.hash] or [
                c for c in self._partners if c.hash != parent.hash
            ]
            if not partners:
                return
            partner = random.choice(partners)
            parents = (parent, partner)
            child = crossover(contract, load_contract(partner.contract), random)
        else:
            child = MUTATIONS[operator](contract, random)
        if child is not None:
            yield child, self._lineage(operator, parents)

    def _tournament(self) -> Candidate:
        # The pool is sorted: the lower of two places is the better elite.
        places = [self._random.randrange(len(self._pool)) for _ in range(_TOURNAMENT)]
        return self._pool[min(places)]

    def _lineage(self, operator: str, parents: tuple[Candidate, ...]) -> Lineage:
        if not parents:
            note = "The template as it is." if operator == "template" else "A template elsewhere."
        else:
            names = " and ".join(
                f"{parent.strategy_id} of generation {parent.lineage.generation}"
                for parent in parents
            )
            note = f"{operator} on {names}."
        return Lineage(
            GeneratorKind.FACTOR_GRAPH,
            operator,
            parents=tuple(parent.hash for parent in parents),
            generation=1 + max((p.lineage.generation for p in parents), default=-1),
            note=note,
            island=self._island,
        )


def _with_contract(elites: "Sequence[Elite]") -> list[Candidate]:
    return [elite.candidate for elite in elites if elite.candidate.contract]


def _tried(history: "Sequence[IterationSummary]") -> list[Candidate]:
    candidates = [
        summary.candidate
        for summary in history
        if summary.candidate is not None and summary.candidate.contract
    ]
    # The same candidate may stand in several iterations.
    return list({candidate.hash: candidate for candidate in candidates}.values())
