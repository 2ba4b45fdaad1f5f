"""Runs trials by sealed replay: registered, settled on the host, repeated after our own faults."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import final

from stratlab.campaigns.finalist_returns import chosen_results
from stratlab.campaigns.iteration_trials import INFRASTRUCTURE_BACKOFF_SECONDS
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import UnavailableError
from stratlab.domain.examination import SealedReplayEvidence
from stratlab.domain.market import Tier
from stratlab.domain.points import Point
from stratlab.domain.ports import Evaluator, MarketData, ProgressListener, Repository
from stratlab.domain.sealed import SealedSandbox
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import (
    Outcome,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)


@final
class SealedTrials:
    """Replays trials of one candidate; nothing but their points is stored.

    Args:
        repository: Where points are registered.
        market_data: The host's prices.
        sandbox: What replays.
        evaluator: What settles.
        runtime: Container runtime of every replay, "" for the campaign's own.
    """

    def __init__(
        self,
        repository: Repository,
        market_data: MarketData,
        sandbox: SealedSandbox,
        evaluator: Evaluator,
        runtime: str = "",
    ) -> None:
        self._repository = repository
        self._market_data = market_data
        self._sandbox = sandbox
        self._evaluator = evaluator
        self._runtime = runtime

    async def run(
        self,
        campaign: Campaign,
        iteration: Iteration,
        specs: Sequence[TrialSpec],
        notify: ProgressListener,
    ) -> list[TrialResult]:
        """Return the host's account of each trial, with its series, in order.

        Args:
            campaign: Limits, engine and runtime.
            iteration: Whose candidate is replayed.
            specs: On one tier and one data set.
            notify: Told of every sign of life.

        Raises:
            UnavailableError: A trial cannot be run at all.
            InvalidSpecError: The data set cannot be replayed sealed.
        """
        candidate = iteration.candidate
        assert candidate is not None, "what was admitted has a candidate"
        await asyncio.to_thread(self._register, campaign, iteration.number, candidate, specs)
        for pause in (*INFRASTRUCTURE_BACKOFF_SECONDS, None):
            claims = await self._sandbox.run_sealed(self._batch(campaign, candidate, specs), notify)
            broken = [claim for claim in claims if claim.outcome.is_retried]
            if not broken:
                return await asyncio.to_thread(self._settled, campaign, specs, claims)
            if pause is not None:
                await asyncio.sleep(pause)
        raise UnavailableError(
            f"trial {broken[0].trial_id} cannot be run: {broken[0].reason}",
            hint="Run `stratlab doctor`, mend what it names, then resume the campaign.",
        )

    def _register(
        self, campaign: Campaign, number: int, candidate: Candidate, specs: Sequence[TrialSpec]
    ) -> None:
        points = [
            Point(campaign.id, number, candidate.hash, spec.parameters, spec.purpose, spec.trial_id)
            for spec in specs
        ]
        with self._repository.transaction() as transaction:
            transaction.register_points(campaign.id, points)

    def _batch(
        self, campaign: Campaign, candidate: Candidate, specs: Sequence[TrialSpec]
    ) -> TrialBatch:
        return TrialBatch(
            campaign_id=campaign.id,
            source=candidate.source,
            trials=tuple(specs),
            limits=campaign.spec.limits,
            runtime=self._runtime or campaign.spec.runtime,
            engine=campaign.spec.engine,
        )

    def _settled(
        self, campaign: Campaign, specs: Sequence[TrialSpec], claims: Sequence[TrialClaim]
    ) -> list[TrialResult]:
        limits = campaign.spec.limits
        return [
            self._evaluator.settle(
                spec, claim, self._market_data.prices(spec.market, spec.window.tier), limits
            )
            for spec, claim in zip(specs, claims, strict=True)
        ]


async def replayed(
    sealed: SealedTrials, campaign: Campaign, iteration: Iteration, notify: ProgressListener
) -> SealedReplayEvidence:
    """Replay the chosen point on train and validation and compare the orders with those stored.

    Args:
        sealed: What replays.
        campaign: Limits, engine and runtime.
        iteration: With candidate, results and evaluation.
        notify: Told of every sign of life.

    Raises:
        UnavailableError: A trial cannot be run at all.
        InvalidSpecError: The data set cannot be replayed sealed.
    """
    chosen = chosen_results(iteration)
    for tier in (Tier.TRAIN, Tier.VALIDATION):
        known = [result for result in chosen if result.spec.window.tier is tier]
        specs = [
            replace(
                result.spec, trial_id=f"{result.spec.trial_id}-sealed", purpose=TrialPurpose.RERUN
            )
            for result in known
        ]
        again = await sealed.run(campaign, iteration, specs, notify)
        for first, second in zip(known, again, strict=True):
            trial = f"trial {second.spec.trial_id}"
            if second.outcome is not Outcome.SUCCEEDED:
                reason = f"{trial} ended as {second.outcome}: {second.reason}"
                return SealedReplayEvidence(second.outcome, reason, len(chosen))
            if second.orders_digest != first.orders_digest:
                reason = f"{trial}: without the future at hand the orders are others"
                return SealedReplayEvidence(Outcome.LOOKAHEAD, reason, len(chosen))
    reason = f"sealed replay of {len(chosen)} trials placed the same orders"
    return SealedReplayEvidence(Outcome.SUCCEEDED, reason, len(chosen))
