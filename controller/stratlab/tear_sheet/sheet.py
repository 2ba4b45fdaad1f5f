"""Everything that a tear sheet shows, as it was found in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.examination import Examination, HoldoutOpening
from stratlab.domain.market import Tier
from stratlab.domain.points import Point
from stratlab.domain.robustness import ArmResult
from stratlab.domain.spending import Spent
from stratlab.domain.trial import TrialPurpose


@final
@dataclass(frozen=True, slots=True)
class Growth:
    """What one unit of money became in a tier, session by session.

    Of several market sets the mean of their daily returns.

    Attributes:
        tier: Which.
        bars: Last bar of each session, UTC epoch seconds, ascending.
        values: Of the strategy, at those bars.
        benchmark: Of the campaign's benchmark at the same bars; empty where it is not known.
    """

    tier: Tier
    bars: tuple[int, ...]
    values: tuple[float, ...]
    benchmark: tuple[float, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Sheet:
    """A campaign with all that is known of it.

    Attributes:
        campaign: With its verdict, if it has one.
        iterations: All of it, in order.
        growth: Of the candidate that the verdict is about, by tier in order of time.
        examination: Of that candidate.
        openings: Of the holdout, in order.
        arms: Reference arms.
        spent: On language models.
        points: Entries of the registry of trials by purpose.
        screened: Points of that candidate that the screen scored.
        caveats: Of the data set.
    """

    campaign: Campaign
    iterations: Sequence[Iteration]
    growth: Sequence[Growth] = ()
    examination: Examination | None = None
    openings: Sequence[HoldoutOpening] = ()
    arms: Sequence[ArmResult] = ()
    spent: Spent | None = None
    points: Mapping[TrialPurpose, int] = field(default_factory=dict)
    screened: Sequence[Point] = ()
    caveats: Sequence[str] = ()

    @property
    def chosen(self) -> Iteration | None:
        """The iteration that the verdict is about, None without one."""
        verdict = self.campaign.verdict
        if verdict is None or not verdict.candidate:
            return None
        return next(
            (i for i in self.iterations if i.candidate and i.candidate.hash == verdict.candidate),
            None,
        )
