"""Runs the reference arms of a campaign, at its own budget, to be shown beside its result.

Arms look at as many points as the campaign did, on the same train tier, and what they find is
registered under a purpose of its own: never selected by, counted or promoted.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, final

from stratlab.campaigns.arm_searches import SEARCHES, best_of
from stratlab.campaigns.evidence_trials import EvidenceTrials
from stratlab.campaigns.registered_points import registered_points
from stratlab.campaigns.robustness_ground import Ground, ground_of
from stratlab.campaigns.robustness_trials import Stretch, StretchTrials, Traded
from stratlab.contract.candidate import candidate_from_contract
from stratlab.domain.errors import InvalidInputError, NotFoundError
from stratlab.domain.market import MarketSet, Tier
from stratlab.domain.ports import (
    Artifacts,
    Evaluator,
    MarketData,
    ProgressListener,
    Repository,
    Sandbox,
)
from stratlab.domain.robustness import Arm, ArmResult, Performance
from stratlab.domain.strategy import GeneratorKind, Lineage
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation.trial_count import count_trials

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import TypeAdapter

    from stratlab.domain.campaign import Campaign
    from stratlab.domain.market import PricePanel

    _Account = tuple[MarketSet, PricePanel]

ARMS_NAME = "arms.json"
"""The artefact that holds the results of a campaign's arms."""


@final
class ReferenceArms:
    """Runs reference arms, once in a campaign, and keeps their results as an artefact.

    Those that search do so in the spaces of the campaign's templates, by the numpy back-end, and
    their best point by train is run in the sandbox; the others are the host's arithmetic.
    """

    def __init__(
        self,
        repository: Repository,
        artifacts: Artifacts,
        market_data: MarketData,
        sandbox: Sandbox,
        evaluator: Evaluator,
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data
        self._trials = EvidenceTrials(repository, market_data, sandbox, evaluator)

    async def keep(self, campaign: "Campaign", notify: ProgressListener) -> None:
        """Run the arms that the campaign asks for, unless their results are there already.

        What cannot be done with this data or these costs is said in the results.

        Args:
            campaign: When its search is over.
            notify: Told of every sign of life.

        Raises:
            UnavailableError: A trial cannot be run at all; nothing is lost.
        """
        names = {file.name for file in await asyncio.to_thread(self._artifacts.list, campaign.id)}
        if not campaign.spec.arms or ARMS_NAME in names:
            return
        try:
            results = await self.run(campaign, notify)
        except InvalidInputError as error:
            results = tuple(ArmResult(arm, note=error.message) for arm in campaign.spec.arms)
        content = _adapter().dump_json(results)
        await asyncio.to_thread(
            self._artifacts.put, campaign.id, ARMS_NAME, "application/json", content
        )

    async def run(self, campaign: "Campaign", notify: ProgressListener) -> tuple[ArmResult, ...]:
        """Return one result for each arm of the campaign; the same call gives the same results.

        Args:
            campaign: When its search is over.
            notify: Told of every sign of life.

        Raises:
            DataSetNotFoundError: The data set is gone.
            InvalidSpecError: The markets of the campaign do not have the same sessions.
            UnavailableError: A trial cannot be run at all.
        """
        arms = campaign.spec.arms
        if not arms:
            return ()
        ground = await asyncio.to_thread(ground_of, self._market_data, campaign.spec)
        parts = _parts(ground, self._market_data)
        results = []
        for arm in arms:
            if arm is Arm.BUY_AND_HOLD:
                found = await asyncio.to_thread(_best_symbol, ground, parts)
            elif arm is Arm.EQUAL_WEIGHT:
                found = await asyncio.to_thread(_equal_weight, ground, parts)
            else:
                found = await self._searched(campaign, arm, ground, parts, notify)
            results.append(found)
        return tuple(results)

    async def _searched(
        self,
        campaign: "Campaign",
        arm: Arm,
        ground: Ground,
        parts: Mapping[Tier, range],
        notify: ProgressListener,
    ) -> ArmResult:
        budget = await asyncio.to_thread(self._budget, campaign.id)
        try:
            found = await asyncio.to_thread(SEARCHES[arm], campaign.spec, self._market_data, budget)
        except InvalidInputError as error:
            return ArmResult(arm, note=error.message)
        lineage = Lineage(GeneratorKind.TEMPLATE, "template", note=f"Reference arm {arm}.")
        for each in found:
            await self._trials.register(
                campaign.id,
                campaign.iteration,
                candidate_from_contract(each.contract, lineage).hash,
                TrialPurpose.ARM,
                [point.parameters for point in each.points],
            )
        points = sum(len(each.points) for each in found)
        best = best_of(found)
        if best is None:
            return ArmResult(arm, points=points, note="no point has a score")
        contract, parameters = best
        trials = StretchTrials(
            self._trials,
            campaign,
            campaign.iteration,
            candidate_from_contract(contract, lineage),
            ground,
            notify,
        )
        stretches = [Stretch(parameters, sessions) for sessions in parts.values()]
        traded = await trials.trade(TrialPurpose.ARM, f"arm-{arm}", stretches)
        return replace(
            _result(arm, ground, dict(zip(parts, traded, strict=True))),
            strategy_id=contract.strategy_id,
            parameters=parameters,
            points=points,
        )

    def _budget(self, campaign_id: str) -> int:
        # Distinct points that the campaign computed anything for in order to choose.
        counted = count_trials(registered_points(self._repository, campaign_id))
        return counted.counted + counted.screened_only


def kept_arms(artifacts: Artifacts, campaign_id: str) -> tuple[ArmResult, ...]:
    """Return the results of a campaign's arms, none where it asked for none or is not done.

    Raises:
        IntegrityError: The artefact is not what was written.
    """
    try:
        artifact = artifacts.get(campaign_id, ARMS_NAME)
    except NotFoundError:
        return ()
    return _adapter().validate_json(b"".join(artifacts.read(artifact)))


def _adapter() -> "TypeAdapter[tuple[ArmResult, ...]]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - keeps start-up fast

    return TypeAdapter(tuple[ArmResult, ...])


def _best_symbol(ground: Ground, parts: Mapping[Tier, range]) -> ArmResult:
    accounts = {
        symbol: (replace(market, symbols=(symbol,)), _of_symbol(panel, symbol))
        for market, panel in _accounts(ground)
        for symbol in market.symbols
    }

    def gain(symbol: str) -> float:
        returns, _ = _bought(ground, [accounts[symbol]], parts[Tier.TRAIN])
        return float((1.0 + returns).prod())

    best = max(accounts, key=gain)
    held = {tier: _held(ground, [accounts[best]], sessions) for tier, sessions in parts.items()}
    return replace(_result(Arm.BUY_AND_HOLD, ground, held), strategy_id=best)


def _of_symbol(panel: "PricePanel", symbol: str) -> "PricePanel":
    column = [panel.symbols.index(symbol)]
    return replace(
        panel,
        symbols=(symbol,),
        open=panel.open[:, column],
        high=panel.high[:, column],
        low=panel.low[:, column],
        close=panel.close[:, column],
        volume=panel.volume[:, column],
        splits=tuple(split for split in panel.splits if split.symbol == symbol),
        dividends=tuple(item for item in panel.dividends if item.symbol == symbol),
    )


def _equal_weight(ground: Ground, parts: Mapping[Tier, range]) -> ArmResult:
    accounts = _accounts(ground)
    held = {tier: _held(ground, accounts, sessions) for tier, sessions in parts.items()}
    universe = sorted({symbol for market in ground.markets for symbol in market.symbols})
    return replace(_result(Arm.EQUAL_WEIGHT, ground, held), strategy_id=", ".join(universe))


def _held(ground: Ground, accounts: "Sequence[_Account]", sessions: range) -> Traded:
    returns, bars = _bought(ground, accounts, sessions)
    benchmark, _ = _bought(ground, _accounts(ground), sessions)
    return Traded(trials=(), bars=bars, returns=returns, benchmark=benchmark)


def _accounts(ground: Ground) -> "list[_Account]":
    return list(zip(ground.markets, ground.panels, strict=True))


def _bought(
    ground: Ground, accounts: "Sequence[_Account]", sessions: range
) -> "tuple[NDArray[np.float64], tuple[int, ...]]":
    # Daily returns of what is bought and held, and the labels of each session's last bar.
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.benchmark import buy_and_hold  # noqa: PLC0415
    from stratlab.evaluation.stress import mean_returns  # noqa: PLC0415

    window = ground.part(sessions)
    held = [buy_and_hold(*each, window, ground.capital, ground.costs) for each in accounts]
    return mean_returns(held, ground.capital), tuple(held[0].bars[held[0].ends].tolist())


def _parts(ground: Ground, market_data: MarketData) -> Mapping[Tier, range]:
    # Train and validation, by the positions of their sessions.
    last = market_data.get(ground.markets[0].data_set).tiers[Tier.TRAIN].end
    sessions = range(len(ground.sessions))
    train = sum(ground.day(session) <= last for session in sessions)
    return {Tier.TRAIN: sessions[:train], Tier.VALIDATION: sessions[train:]}


def _result(arm: Arm, ground: Ground, traded: Mapping[Tier, Traded]) -> ArmResult:
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.out_of_sample import curve  # noqa: PLC0415
    from stratlab.evaluation.performance import performance  # noqa: PLC0415

    def found(tier: Tier) -> Performance:
        each = traded[tier]
        if each.outcome is not Outcome.SUCCEEDED:
            return Performance(each.outcome)
        return performance(each.returns, each.benchmark, ground.sessions_per_year)

    return ArmResult(
        arm=arm,
        train=found(Tier.TRAIN),
        validation=found(Tier.VALIDATION),
        equity={
            tier.value: curve(each.bars, each.returns, ground.capital)
            for tier, each in traded.items()
            if each.outcome is Outcome.SUCCEEDED
        },
    )
