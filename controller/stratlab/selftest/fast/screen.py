"""Chooses the points of a candidate: the best of random ones, by what the train tier says."""

import hashlib
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.contract.space import Grid, point_key
from stratlab.search.parameters import ScoredPoint, best_points
from stratlab.search.parameters_objective import TrainObjective, train_worlds

if TYPE_CHECKING:
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.strategy import Candidate
    from stratlab.domain.trial import Parameters
    from stratlab.search.parameters_objective import GridJudge
    from stratlab.selftest.fast.market import WorldMarket


@final
class RandomScreen:
    """Does what :class:`stratlab.search.parameters_screen.ParameterScreen` does, without optuna.

    Proposals are drawn at random, which learns nothing and takes a tenth of the time; what judges
    them, and what is chosen, is the same.

    Args:
        market: Prices.
        spec: How many points are wanted.
        judge: Computes the metrics.
    """

    def __init__(self, market: "WorldMarket", spec: "CampaignSpec", judge: "GridJudge") -> None:
        self._spec = spec
        self._judge = judge
        self._worlds = train_worlds(market, spec)

    def points(
        self, candidate: "Candidate"
    ) -> tuple[tuple["Parameters", ...], tuple[ScoredPoint, ...]]:
        """Return the points that shall run, the best first, and all that were judged.

        Raises:
            InvalidContractError: The contract uses what the evaluator does not know.
        """
        wanted = self._spec.parameter_search.screen_points
        if not wanted:
            return candidate.parameter_points, ()
        contract = load_contract(candidate.contract)
        proposed = self._proposed(candidate, Grid(contract), wanted)
        scores = TrainObjective(contract, self._worlds, self._judge)(proposed)
        found = tuple(map(ScoredPoint, proposed, scores))
        return best_points(found, self._spec.parameter_points), found

    def _proposed(self, candidate: "Candidate", grid: Grid, count: int) -> list["Parameters"]:
        text = f"{self._spec.seed}/{candidate.hash}"
        random = Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - not for secrets
        numbers = random.sample(range(grid.size), min(count, grid.size))
        points = [candidate.parameters, *map(grid.point, numbers)]
        return list({point_key(point): point for point in points}.values())[:count]
