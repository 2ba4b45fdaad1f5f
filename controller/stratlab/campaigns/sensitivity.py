"""Measures the sensitivity of a strategy, and registers the points of a campaign's candidate."""

from dataclasses import dataclass
from typing import final

from stratlab.contract.document import load_contract
from stratlab.domain.campaign import Campaign, CampaignSpec, Iteration
from stratlab.domain.errors import InvalidInputError, InvalidSpecError, NotFoundError
from stratlab.domain.market import CostModelKind
from stratlab.domain.points import Point
from stratlab.domain.ports import MarketData, Repository
from stratlab.domain.trial import TrialPurpose
from stratlab.search.parameters_objective import train_worlds
from stratlab.search.parameters_sensitivity import Sensitivity, measure_sensitivity


@final
@dataclass(frozen=True, slots=True)
class SensitivityReport:
    """The sensitivity of a strategy, and whose it is.

    Attributes:
        strategy_id: From the contract.
        sensitivity: On the train tier.
        campaign_id, iteration, candidate: Where the strategy comes from; "", 0 and "" for a
            contract of its own.
        registered: Points that were new to the campaign's registry.
        caveats: Of the data set.
    """

    strategy_id: str
    sensitivity: Sensitivity
    campaign_id: str = ""
    iteration: int = 0
    candidate: str = ""
    registered: int = 0
    caveats: tuple[str, ...] = ()


def contract_sensitivity(
    document: str, data_set: str, symbols: tuple[str, ...], market_data: MarketData
) -> SensitivityReport:
    """Measure a contract around its own values, with default capital and costs.

    Args:
        document: JSON or YAML.
        data_set: Name.
        symbols: Traded together; empty for those of the contract, or else all.
        market_data: Prices; nothing later than the train tier is read.

    Raises:
        InvalidContractError: The contract is not valid, or cannot be evaluated in numpy.
        DataSetNotFoundError: No such data set or symbol.
    """
    contract = load_contract(document)
    found = market_data.get(data_set)
    traded = symbols or contract.markets or found.symbols
    spec = CampaignSpec("", data_set, (traded,), timeframes=(found.timeframe,))
    measured = measure_sensitivity(contract, train_worlds(market_data, spec))
    return SensitivityReport(contract.strategy_id, measured, caveats=found.caveats)


def campaign_sensitivity(
    campaign_id: str, iteration: int, repository: Repository, market_data: MarketData
) -> SensitivityReport:
    """Measure a campaign's candidate around its best point, and register what was looked at.

    Args:
        campaign_id: Which campaign.
        iteration: Of the candidate; 0 for the champion, or else the one of the verdict.
        repository: Where it is stored.
        market_data: Prices; nothing later than the train tier is read.

    Raises:
        NotFoundError: No such campaign or iteration, or it has no candidate yet.
        InvalidSpecError: The campaign has zipline's costs, or the candidate no contract.
        DataSetNotFoundError: The data set is gone.
    """
    campaign = repository.get_campaign(campaign_id)
    if campaign.spec.cost_model.kind is not CostModelKind.NEXT_OPEN:
        raise InvalidSpecError(
            "only the cost model next_open is known to the numpy evaluator",
            hint="Backtest the neighbouring points instead.",
        )
    data_set = market_data.get(campaign.spec.data_set)
    if data_set.digest != campaign.data_digest:
        raise InvalidInputError(
            f"the data set {data_set.name} is no longer the one of campaign {campaign_id}",
            hint="Run the campaign again on the data set as it is now.",
        )
    chosen = repository.get_iteration(
        campaign_id, iteration or _best_iteration(campaign, repository)
    )
    candidate = chosen.candidate
    if candidate is None or not candidate.contract:
        raise InvalidSpecError(
            f"iteration {chosen.number} of campaign {campaign_id} has no strategy contract",
            hint="Choose another --iteration.",
        )
    measured = measure_sensitivity(
        load_contract(candidate.contract),
        train_worlds(market_data, campaign.spec),
        _centre(chosen),
    )
    points = [
        Point(
            campaign_id=campaign_id,
            iteration=chosen.number,
            candidate=candidate.hash,
            parameters=point.parameters,
            purpose=TrialPurpose.SENSITIVITY,
            score=point.score,
        )
        for point in measured.points
    ]
    with repository.transaction() as transaction:
        registered = transaction.register_points(campaign_id, points)
    return SensitivityReport(
        strategy_id=candidate.strategy_id,
        sensitivity=measured,
        campaign_id=campaign_id,
        iteration=chosen.number,
        candidate=candidate.hash,
        registered=registered,
        caveats=data_set.caveats,
    )


def _centre(iteration: Iteration) -> dict[str, int | float] | None:
    evaluation = iteration.evaluation
    return dict(evaluation.parameters) if evaluation and evaluation.parameters else None


def _best_iteration(campaign: Campaign, repository: Repository) -> int:
    entries = repository.hall_of_fame(campaign.id)
    if entries:
        return entries[0].iteration
    wanted = campaign.verdict.candidate if campaign.verdict else ""
    for iteration in repository.list_iterations(campaign.id):
        if wanted and iteration.candidate and iteration.candidate.hash == wanted:
            return iteration.number
    raise NotFoundError(
        f"campaign {campaign.id} has no best candidate yet",
        hint="Choose one with --iteration, or wait for the campaign's verdict.",
        campaign=campaign.id,
    )
