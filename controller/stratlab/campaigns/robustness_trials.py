"""Trades stretches of a campaign's ground: the same strategy, other sessions or other values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from stratlab.campaigns.evidence_trials import EvidenceTrials, Settled
from stratlab.domain.points import point_digest
from stratlab.domain.trial import Outcome, Parameters, TrialPurpose, TrialSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stratlab.campaigns.robustness_ground import Ground
    from stratlab.domain.campaign import Campaign
    from stratlab.domain.ports import ProgressListener
    from stratlab.domain.strategy import Candidate


@final
@dataclass(frozen=True, slots=True)
class Stretch:
    """Parameters, and the sessions of the ground on which they are traded from the capital on.

    Attributes:
        parameters: What is traded.
        sessions: By their position.
        share: Part of the campaign's volume limit that orders may take.
    """

    parameters: Parameters
    sessions: range
    share: float = 1.0


@final
@dataclass(frozen=True, slots=True)
class Traded:
    """What a stretch came to, over all markets in equal parts.

    Attributes:
        trials: One for each market.
        bars: Labels of each session's last bar.
        returns, benchmark: Daily, shape (sessions,); NaN throughout without a success.
    """

    trials: tuple[Settled, ...]
    bars: tuple[int, ...]
    returns: "NDArray[np.float64]"
    benchmark: "NDArray[np.float64]"

    @property
    def outcome(self) -> Outcome:
        """How it ended: of several markets, the first that did not succeed."""
        outcomes = (trial.result.outcome for trial in self.trials)
        return next((each for each in outcomes if each is not Outcome.SUCCEEDED), Outcome.SUCCEEDED)

    @property
    def trial_id(self) -> str:
        """Of the first market's trial."""
        return self.trials[0].claim.trial_id


@final
class StretchTrials:
    """Runs stretches of one candidate in the sandbox, each of them once.

    Args:
        trials: Runs trials.
        campaign: Whose costs, limits and seed.
        iteration: Under which points are registered.
        candidate: What is traded.
        ground: On which sessions.
        notify: Told of every sign of life.
    """

    def __init__(
        self,
        trials: EvidenceTrials,
        campaign: "Campaign",
        iteration: int,
        candidate: "Candidate",
        ground: "Ground",
        notify: "ProgressListener",
    ) -> None:
        self.campaign = campaign
        self.candidate = candidate
        self.ground = ground
        self._trials = trials
        self._iteration = iteration
        self._notify = notify

    async def trade(
        self, purpose: TrialPurpose, name: str, stretches: Sequence[Stretch]
    ) -> list[Traded]:
        """Return what each stretch came to, in their order.

        Args:
            purpose: Under which points are registered; one that is not counted.
            name: Distinguishes the ids of these trials from those of other calls.
            stretches: Of equal ones, one is run.

        Raises:
            UnavailableError: A trial cannot be run at all.
        """
        keys = [(point_digest(each.parameters), each.sessions, each.share) for each in stretches]
        distinct = dict(zip(keys, stretches, strict=True))
        specs = {
            key: self._specs(purpose, f"{name}-{number:03d}", stretch)
            for number, (key, stretch) in enumerate(distinct.items())
        }
        settled = await self._trials.run(
            self.campaign,
            self._iteration,
            self.candidate,
            [spec for several in specs.values() for spec in several],
            self._notify,
        )
        traded = {
            key: self._traded(tuple(settled[spec.trial_id] for spec in several))
            for key, several in specs.items()
        }
        return [traded[key] for key in keys]

    async def register(self, purpose: TrialPurpose, points: Sequence[Parameters]) -> None:
        """Register points that are computed without the sandbox."""
        await self._trials.register(
            self.campaign.id, self._iteration, self.candidate.hash, purpose, points
        )

    def _specs(self, purpose: TrialPurpose, name: str, stretch: Stretch) -> list[TrialSpec]:
        ground = self.ground
        return [
            TrialSpec(
                trial_id=f"{self.campaign.id}-{self._iteration:04d}-{name}-{index}",
                index=index,
                purpose=purpose,
                market=ground.listed(index, stretch.sessions),
                window=ground.part(stretch.sessions),
                parameters=stretch.parameters,
                capital=ground.capital,
                cost_model=replace(
                    ground.costs, volume_limit=ground.costs.volume_limit * stretch.share
                ),
                seed=self.campaign.spec.seed,
            )
            for index in range(len(ground.markets))
        ]

    def _traded(self, trials: tuple[Settled, ...]) -> Traded:
        # keeps start-up fast: numpy and empyrical
        import numpy as np  # noqa: PLC0415

        from stratlab.evaluation.performance import returns_of  # noqa: PLC0415

        results = [trial.result for trial in trials]
        if any(result.outcome is not Outcome.SUCCEEDED for result in results):
            nothing = np.full(1, np.nan)
            return Traded(trials, (), nothing, nothing)
        capital = self.ground.capital
        own = np.mean([returns_of(result.equity, capital) for result in results], axis=0)
        held = np.mean([returns_of(result.benchmark_equity, capital) for result in results], axis=0)
        return Traded(trials, tuple(point.bar for point in results[0].equity), own, held)
