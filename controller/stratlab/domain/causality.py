"""The causality test: what it may spend, its worlds, and the port of a candidate's examination."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, final

from stratlab.domain.campaign import Campaign
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.market import Tier
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import TrialResult


@final
@dataclass(frozen=True, slots=True)
class CausalityBudget:
    """Re-runs that one candidate is put to, each in a container of its own.

    Attributes:
        profit_cuts: After the most profitable decisions.
        random_cuts: Anywhere in the window.
    """

    profit_cuts: int = 6
    random_cuts: int = 2


@final
@dataclass(frozen=True, slots=True)
class World:
    """A tier with another future, or with less of a past.

    Attributes:
        data_set: Name of the data set that it is made from.
        tier: Which of its tiers.
        cut: UTC epoch seconds of the label of the last true bar; all bars after it are those of
            another plausible path. None when all of them are true.
        seed: Of the path.
        against: Symbol whose price is to move the other way than it did, "" for none.
        bars: Over how many of its bars after the cut it is to do so.
        dropped_sessions: How many sessions are missing at the beginning.
    """

    data_set: str
    tier: Tier
    cut: int | None = None
    seed: int = 0
    against: str = ""
    bars: int = 1
    dropped_sessions: int = 0


class Worlds(Protocol):
    """Builds worlds and keeps the latest ones."""

    def opened(self, worlds: Sequence[World]) -> AbstractContextManager[Sequence[str]]:
        """Build what is not there, and keep all of them until the block ends.

        Yields their names in order, as :attr:`stratlab.domain.trial.TrialSpec.world` has them.
        Blocks while entered.

        Raises:
            DataSetNotFoundError: No such data set or tier.
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing.
            EngineError: The worlds could not be built.
            DiskFullError: No space is left.
        """
        ...


class CausalityDesk(Protocol):
    """Puts candidates to the causality test."""

    async def examine(
        self, campaign: Campaign, candidate: Candidate, results: Sequence[TrialResult]
    ) -> CausalityEvidence:
        """Return whether a candidate's decisions depend on nothing but the past.

        Deterministic by campaign seed and candidate hash: after a crash it is simply asked again.
        It registers its re-runs as points with the purpose RERUN and stores nothing else.

        Args:
            campaign: In the iteration that found the candidate.
            candidate: Whom to examine.
            results: Settled trials of one parameter point of the candidate; those that succeeded
                are run again.

        Raises:
            SandboxNotReadyError, EngineUnavailableError: Nothing can be run at all.
        """
        ...
