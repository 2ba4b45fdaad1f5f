"""Plain random search: what the lab's own search is measured against, under the same rules."""

from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.space import Grid
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.search.operators import MUTATIONS

if TYPE_CHECKING:
    from stratlab.domain.generation import GenerationRequest
    from stratlab.search.evolution import Templates

_MOST_CHANGES = 3


@final
class RandomSearch:
    """Implements the ``Generator`` port without looking at any result.

    Each candidate is a template drawn at random with up to three changes drawn at random.

    Args:
        templates: Returns the contracts to draw from.
    """

    def __init__(self, templates: "Templates") -> None:
        self._templates = templates

    def generate(self, request: "GenerationRequest") -> Candidate:
        """Return the candidate for an iteration."""
        spec = request.campaign.spec
        random = Random(f"{spec.seed}/random/{request.iteration}")  # noqa: S311 - not for secrets
        contract = random.choice(list(self._templates(spec)))
        for _ in range(random.randint(0, _MOST_CHANGES)):
            changed = MUTATIONS[random.choice(sorted(MUTATIONS))](contract, random)
            contract = contract if changed is None else changed
        grid = Grid(contract)
        further = random.sample(range(grid.size), min(spec.parameter_points - 1, grid.size))
        lineage = Lineage(GeneratorKind.FACTOR_GRAPH, "random")
        return candidate_from_contract(contract, lineage, map(grid.point, further))
