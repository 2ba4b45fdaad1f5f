"""Runs the trials of one iteration: the smoke run and train, then validation for the best point."""

import asyncio
from typing import final

from stratlab.campaigns.screening_step import SmokeGate
from stratlab.campaigns.trials import Listener, TrialDesk
from stratlab.domain.campaign import Campaign
from stratlab.domain.errors import UnavailableError
from stratlab.domain.market import Tier
from stratlab.domain.ports import Evaluator, Repository
from stratlab.domain.strategy import Candidate, ScreeningReport
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult

# Waits before trials that failed through our own fault are tried again.
INFRASTRUCTURE_BACKOFF_SECONDS = (1.0, 5.0, 30.0)


@final
class IterationTrials:
    """Runs what is missing of an iteration; what is stored already is not run again."""

    def __init__(self, repository: Repository, desk: TrialDesk, evaluator: Evaluator) -> None:
        self._repository = repository
        self._desk = desk
        self._evaluator = evaluator

    async def run(
        self, campaign: Campaign, candidate: Candidate, listen: Listener
    ) -> list[TrialResult]:
        """Return the results of all trials by trial index; of the smoke run alone if it stops them.

        Args:
            campaign: In the iteration that is running.
            candidate: What to run.
            listen: Told of every sign of life.

        Raises:
            UnavailableError: A trial cannot be run at all; nothing is lost.
        """
        for pause in (*INFRASTRUCTURE_BACKOFF_SECONDS, None):
            results = await self._try(campaign, candidate, listen)
            broken = [result for result in results if result.outcome.is_retried]
            if not broken:
                return results
            if pause is not None:
                await asyncio.sleep(pause)
        raise UnavailableError(
            f"trial {broken[0].spec.trial_id} cannot be run: {broken[0].reason}",
            hint="Run `stratlab doctor`, mend what it names, then resume the campaign.",
        )

    async def _try(
        self, campaign: Campaign, candidate: Candidate, listen: Listener
    ) -> list[TrialResult]:
        stored = await asyncio.to_thread(
            self._repository.get_iteration, campaign.id, campaign.iteration
        )
        gate = SmokeGate(stored.screening or ScreeningReport(), campaign.spec.review)
        points = candidate.parameter_points or (candidate.parameters,)
        results = await self._desk.run_tier(
            campaign, candidate, Tier.TRAIN, points, 0, stored.results, listen, gate.opens
        )
        searched = [result for result in results if result.spec.purpose is TrialPurpose.SEARCH]
        if any(result.outcome is Outcome.SUCCEEDED for result in searched):
            # Selection uses train figures only, so that validation stays a check.
            best = await asyncio.to_thread(self._evaluator.evaluate, campaign, searched)
            results += await self._desk.run_tier(
                campaign,
                candidate,
                Tier.VALIDATION,
                [best.parameters],
                len(searched),
                stored.results,
                listen,
            )
        return results
