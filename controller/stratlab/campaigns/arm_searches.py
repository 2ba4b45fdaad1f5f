"""The searches of reference arms: points of templates, judged by the host on the train tier."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.space import Grid
from stratlab.domain.campaign import CampaignSpec
from stratlab.domain.ports import MarketData
from stratlab.domain.robustness import Arm
from stratlab.domain.search import Sampler
from stratlab.generation import templates_for
from stratlab.search.parameters import ScoredPoint, search_points
from stratlab.search.parameters_objective import TrainObjective, train_worlds

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.trial import Parameters


@final
@dataclass(frozen=True, slots=True)
class Searched:
    """Points of one template, in the order in which they were judged."""

    contract: "StrategyContract"
    points: tuple[ScoredPoint, ...]


ArmSearch = Callable[[CampaignSpec, MarketData, int], Sequence[Searched]]
"""Judges at most so many points, by the train score of a campaign.

Raises InvalidSpecError or InvalidInputError when the campaign has no templates that can be judged.
"""


def random_search(spec: CampaignSpec, market_data: MarketData, budget: int) -> Sequence[Searched]:
    """Judge points that are drawn one by one: a template at random, then a point of its grid.

    The same point may be drawn twice, as whoever draws without a memory would.
    """
    templates = templates_for(spec)
    random = Random(f"{spec.seed}/random_search")  # noqa: S311 - not for secrets
    drawn: list[list[Parameters]] = [[] for _ in templates]
    grids = [Grid(contract) for contract in templates]
    for _ in range(budget):
        place = random.randrange(len(templates))
        drawn[place].append(grids[place].point(random.randrange(grids[place].size)))
    worlds = train_worlds(market_data, spec)
    return [
        Searched(
            contract, tuple(map(ScoredPoint, points, TrainObjective(contract, worlds)(points)))
        )
        for contract, points in zip(templates, drawn, strict=True)
        if points
    ]


def optuna_search(spec: CampaignSpec, market_data: MarketData, budget: int) -> Sequence[Searched]:
    """Judge points that optuna's TPE proposes, equally many of each template."""
    templates = templates_for(spec)
    worlds = train_worlds(market_data, spec)
    share, more = divmod(budget, len(templates))
    return [
        Searched(
            contract,
            search_points(
                contract,
                TrainObjective(contract, worlds),
                sampler=Sampler.TPE,
                count=share + (place < more),
                seed=_seed(spec.seed, contract.strategy_id),
            ),
        )
        for place, contract in enumerate(templates)
        if share + (place < more)
    ]


SEARCHES: Mapping[Arm, ArmSearch] = {
    Arm.RANDOM_SEARCH: random_search,
    Arm.OPTUNA: optuna_search,
}
"""The arms that search."""


def best_of(found: Sequence[Searched]) -> "tuple[StrategyContract, Parameters] | None":
    """Return the template and point with the best score, the first of equals; None without any."""
    scored = [
        (point.score, each.contract, point.parameters)
        for each in found
        for point in each.points
        if point.score is not None
    ]
    if not scored:
        return None
    _, contract, parameters = max(scored, key=lambda item: item[0])
    return contract, parameters


def _seed(campaign_seed: int, strategy_id: str) -> int:
    digest = hashlib.sha256(f"{campaign_seed}/optuna/{strategy_id}".encode()).digest()
    return int.from_bytes(digest[:4])
