"""Where the checks of an examination meet what makes them: the protocols of each."""

from collections.abc import Callable, Sequence
from typing import Protocol

from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.examination import (
    CausalityEvidence,
    StressEvidence,
    WalkForwardEvidence,
)
from stratlab.domain.trial import TrialBatch, TrialClaim, TrialProgress

Notify = Callable[[TrialProgress], None]


class CausalityCheck(Protocol):
    """Finds out whether a candidate's decisions depend on nothing but the past."""

    async def examine(
        self, campaign: Campaign, iteration: Iteration, notify: Notify
    ) -> CausalityEvidence:
        """Re-run the chosen parameter point of an iteration; the same call gives the same evidence.

        Args:
            campaign: Markets, costs, limits and seed.
            iteration: With candidate, results and evaluation.
            notify: Told of every sign of life.

        Raises:
            UnavailableError: Nothing can be run at all.
        """
        ...


class RobustnessCheck(Protocol):
    """Finds out how a candidate does over time and under stress."""

    async def walk_forward(
        self, campaign: Campaign, iteration: Iteration, notify: Notify
    ) -> WalkForwardEvidence:
        """Walk forward over train and validation; the same call gives the same evidence.

        Raises:
            UnavailableError: Nothing can be run at all.
        """
        ...

    async def stress(
        self, campaign: Campaign, iteration: Iteration, notify: Notify
    ) -> StressEvidence:
        """Run the stress scenarios on train and validation; the same call, the same evidence.

        Raises:
            UnavailableError: Nothing can be run at all.
        """
        ...


class SealedReplay(Protocol):
    """Runs trials in a container that holds no byte of the future."""

    async def replay(self, batch: TrialBatch, on_progress: Notify) -> Sequence[TrialClaim]:
        """Run all trials of ``batch`` and return one claim each, in their order.

        A claim's log is the one that was committed, bar by bar, before the next bar was revealed.
        A failing strategy is an outcome, never an exception.

        Raises:
            UnavailableError: Nothing can be run at all.
        """
        ...
