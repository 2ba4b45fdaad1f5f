"""Chooses which points of a candidate go to the sandbox: the best of many that the host judged."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.contract.space import point_key
from stratlab.domain.errors import InvalidContractError
from stratlab.domain.market import CostModelKind
from stratlab.search.parameters import ScoredPoint, best_points, search_points
from stratlab.search.parameters_objective import (
    GridJudge,
    TrainObjective,
    judge_grid,
    train_worlds,
)

if TYPE_CHECKING:
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.generation import GenerationRequest, IterationSummary
    from stratlab.domain.ports import MarketData
    from stratlab.domain.strategy import Candidate

_Key = frozenset[tuple[str, int | float]]


@final
@dataclass(frozen=True, slots=True)
class Screened:
    """A candidate with the points that shall run, and all points that were judged.

    Attributes:
        candidate: With the best ``parameter_points`` points, the best first.
        points: In the order of proposal; empty when nothing was screened.
    """

    candidate: "Candidate"
    points: tuple[ScoredPoint, ...] = ()


@final
class ParameterScreen:
    """Screens the parameters of candidates on the host's train prices, before any container.

    A function of the request and the candidate: asked again after a crash, it gives the same
    points. Candidates without a contract, those whose contract the numpy evaluator cannot do, and
    campaigns with zipline's costs keep the points that their generator gave them.

    Args:
        market_data: Prices; nothing later than the train tier is read.
        judge: Computes the metrics.
    """

    def __init__(self, market_data: "MarketData", judge: GridJudge = judge_grid) -> None:
        self._market_data = market_data
        self._judge = judge

    def screen(self, request: "GenerationRequest", candidate: "Candidate") -> Screened:
        """Return the candidate with the points that shall run.

        Points at which an earlier candidate of the campaign ran that differs from this one in
        nothing but its default values are left out: they would only be run a second time.

        Raises:
            DataSetNotFoundError: The data set is gone.
        """
        spec = request.campaign.spec
        wanted = spec.parameter_search.screen_points
        if not (wanted and candidate.contract and _is_modelled(spec)):
            return Screened(candidate)
        contract = load_contract(candidate.contract)
        try:
            found = search_points(
                contract,
                TrainObjective(contract, train_worlds(self._market_data, spec), self._judge),
                sampler=spec.parameter_search.sampler,
                count=max(wanted, spec.parameter_points),
                seed=_seed(spec.seed, candidate.hash),
                tried=_tried(candidate, request.history),
            )
        except InvalidContractError:
            return Screened(candidate)
        # Nothing left to try: whether it is worth a container is for the generator to know.
        chosen = best_points(found, spec.parameter_points) or candidate.parameter_points
        return Screened(replace(candidate, parameter_points=chosen), found)


def _is_modelled(spec: "CampaignSpec") -> bool:
    return spec.cost_model.kind is CostModelKind.NEXT_OPEN


def _seed(campaign_seed: int, candidate: str) -> int:
    # What numpy's generators take; other candidates are searched from other places.
    digest = hashlib.sha256(f"{campaign_seed}/{candidate}".encode()).digest()
    return int.from_bytes(digest[:4])


def _tried(candidate: "Candidate", history: Sequence["IterationSummary"]) -> Collection[_Key]:
    own = _shape(candidate.contract)
    return {
        point_key(point)
        for summary in history
        if (earlier := summary.candidate) is not None
        and earlier.contract
        and earlier.strategy_id == candidate.strategy_id
        and _shape(earlier.contract) == own
        for point in earlier.parameter_points or (earlier.parameters,)
    }


def _shape(contract: str) -> str:
    # What a strategy is at given parameters: everything but its default values.
    document = json.loads(contract)
    for space in document["optimization_space"].values():
        if space["enabled"]:
            del space["value"]
    return json.dumps(document, sort_keys=True)
