"""What an examination needs besides the ports of the causality test and the sealed replay."""

from typing import Protocol

from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.examination import StatisticsEvidence
from stratlab.domain.ports import ProgressListener
from stratlab.domain.robustness import Robustness


class StatisticsDesk(Protocol):
    """Says what a candidate's returns on train and validation are worth."""

    def examine(self, campaign: Campaign, iteration: Iteration) -> StatisticsEvidence:
        """Return the evidence about the chosen point of an iteration; takes seconds.

        Args:
            campaign: With all its iterations stored.
            iteration: With candidate, results and evaluation.
        """
        ...


class RobustnessDesk(Protocol):
    """Finds out how a candidate does over time and under stress."""

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
            UnavailableError: Nothing can be run at all.
        """
        ...
