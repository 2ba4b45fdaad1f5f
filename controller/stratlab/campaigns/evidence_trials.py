"""Runs trials that are evidence about a candidate: registered, settled, and never selected by."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.campaigns.iteration_trials import INFRASTRUCTURE_BACKOFF_SECONDS
from stratlab.campaigns.together import together
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign
from stratlab.domain.errors import UnavailableError
from stratlab.domain.points import Point
from stratlab.domain.ports import Evaluator, MarketData, ProgressListener, Repository, Sandbox
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import (
    Parameters,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)

BATCH = 24
"""Trials that share a container, at most; the others run beside them, as the pool allows."""


@final
@dataclass(frozen=True, slots=True)
class Settled:
    """What a container claims of a trial, and the host's account of it, series included."""

    claim: TrialClaim
    result: TrialResult


@final
class EvidenceTrials:
    """Runs trials outside of iterations.

    Nothing but their points is stored, under their purpose, which must be one that is not counted:
    the evidence made of them is the record. Asked again after a crash, they run again.
    """

    def __init__(
        self,
        repository: Repository,
        market_data: MarketData,
        sandbox: Sandbox,
        evaluator: Evaluator,
    ) -> None:
        self._repository = repository
        self._market_data = market_data
        self._sandbox = sandbox
        self._evaluator = evaluator

    async def run(
        self,
        campaign: Campaign,
        iteration: int,
        candidate: Candidate,
        specs: Sequence[TrialSpec],
        notify: ProgressListener,
    ) -> Mapping[str, Settled]:
        """Return the trials by id.

        Args:
            campaign: Limits, engine and runtime.
            iteration: Under which points are registered.
            candidate: What to run.
            specs: On one tier and one data set.
            notify: Told of every sign of life.

        Raises:
            UnavailableError: A trial cannot be run at all.
        """
        for purpose in dict.fromkeys(spec.purpose for spec in specs):
            points = [spec.parameters for spec in specs if spec.purpose is purpose]
            await self.register(campaign.id, iteration, candidate.hash, purpose, points)
        settled: dict[str, Settled] = {}
        for pause in (*INFRASTRUCTURE_BACKOFF_SECONDS, None):
            missing = [spec for spec in specs if spec.trial_id not in settled]
            claims = await self._claims(campaign, candidate, missing, notify)
            broken = [claim for claim in claims if claim.outcome.is_retried]
            for spec, claim in zip(missing, claims, strict=True):
                if not claim.outcome.is_retried:
                    result = await asyncio.to_thread(self._settle, campaign, spec, claim)
                    settled[spec.trial_id] = Settled(claim, result)
            if not broken:
                return settled
            if pause is not None:
                await asyncio.sleep(pause)
        raise UnavailableError(
            f"trial {broken[0].trial_id} cannot be run: {broken[0].reason}",
            hint="Run `stratlab doctor`, mend what it names, then resume the campaign.",
        )

    async def register(
        self,
        campaign_id: str,
        iteration: int,
        candidate: str,
        purpose: TrialPurpose,
        points: Sequence[Parameters],
    ) -> None:
        """Register points of a candidate, given by its hash; those that are there stay."""

        def write() -> None:
            found = [Point(campaign_id, iteration, candidate, each, purpose) for each in points]
            with self._repository.transaction() as transaction:
                transaction.register_points(campaign_id, found)

        await uninterrupted(write)

    async def _claims(
        self,
        campaign: Campaign,
        candidate: Candidate,
        specs: Sequence[TrialSpec],
        notify: ProgressListener,
    ) -> Sequence[TrialClaim]:
        spec = campaign.spec
        batches = [
            TrialBatch(
                campaign_id=campaign.id,
                source=candidate.source,
                trials=tuple(specs[first : first + BATCH]),
                limits=spec.limits,
                runtime=spec.runtime,
                engine=spec.engine,
            )
            for first in range(0, len(specs), BATCH)
        ]
        found = await together(self._sandbox.run(batch, notify) for batch in batches)
        return [claim for claims in found for claim in claims]

    def _settle(self, campaign: Campaign, spec: TrialSpec, claim: TrialClaim) -> TrialResult:
        prices = self._market_data.prices(spec.market, spec.window.tier)
        return self._evaluator.settle(spec, claim, prices, campaign.spec.limits)
