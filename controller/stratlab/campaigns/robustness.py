"""Examines how a finalist does over time and under stress."""

import asyncio
from dataclasses import replace
from typing import final

from stratlab.campaigns.evidence_trials import EvidenceTrials
from stratlab.campaigns.robustness_ground import ground_of
from stratlab.campaigns.robustness_stress import stress
from stratlab.campaigns.robustness_trials import StretchTrials
from stratlab.campaigns.robustness_walks import walk
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.ports import Evaluator, MarketData, ProgressListener, Repository, Sandbox
from stratlab.domain.robustness import Robustness


@final
class RobustnessExaminer:
    """Implements :class:`stratlab.domain.checks.RobustnessDesk`.

    Everything is on train and validation; the holdout is neither mounted nor read.
    """

    def __init__(
        self,
        repository: Repository,
        market_data: MarketData,
        sandbox: Sandbox,
        evaluator: Evaluator,
    ) -> None:
        self._market_data = market_data
        self._trials = EvidenceTrials(repository, market_data, sandbox, evaluator)

    async def examine(
        self, campaign: Campaign, iteration: Iteration, notify: ProgressListener
    ) -> Robustness:
        """Return the evidence about the chosen point of an iteration.

        Deterministic by campaign seed and candidate hash: after a crash it is simply asked again.

        Args:
            campaign: Markets, costs, limits and seed.
            iteration: With candidate, results and evaluation.
            notify: Told of every sign of life.

        Raises:
            InvalidSpecError: The iteration has no candidate that was evaluated, or the markets of
                the campaign do not have the same sessions.
            UnavailableError: Nothing can be run at all.
        """
        candidate, evaluation = iteration.candidate, iteration.evaluation
        if candidate is None or evaluation is None:
            raise InvalidSpecError(f"iteration {iteration.number} has no evaluated candidate")
        ground = await asyncio.to_thread(ground_of, self._market_data, campaign.spec)
        trials = StretchTrials(self._trials, campaign, iteration.number, candidate, ground, notify)
        walks = await walk(trials)
        stressed = await stress(trials, evaluation.parameters)
        return replace(
            stressed,
            walk_forwards=walks.walk_forwards,
            cross_validation=walks.cross_validation,
            notes=(*walks.notes, *stressed.notes),
        )
