"""The host's evaluator: the port that the campaign loop talks to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from stratlab.domain.ports import DEFAULT_LIMITS
from stratlab.domain.trial import Limits, TrialClaim, TrialResult, TrialSpec
from stratlab.evaluation.judgement import judge_iteration

if TYPE_CHECKING:
    from stratlab.domain.campaign import Campaign, Evaluation
    from stratlab.domain.market import PricePanel


@final
class HostEvaluator:
    """Settles claims and judges iterations; stateless, so that any thread may use it.

    Implements :class:`stratlab.domain.ports.Evaluator`.
    """

    def settle(
        self,
        spec: TrialSpec,
        claim: TrialClaim,
        prices: "PricePanel",
        limits: Limits = DEFAULT_LIMITS,
    ) -> TrialResult:
        """Rebuild fills, equity and metrics of one trial from its order log.

        Raises:
            InvalidSpecError: The window holds no session.
        """
        from stratlab.evaluation.settlement import (  # noqa: PLC0415 - keeps start-up fast
            settle_claim,
        )

        return settle_claim(spec, claim, prices, limits)

    def evaluate(self, campaign: "Campaign", results: Sequence[TrialResult]) -> "Evaluation":
        """Judge one iteration by its results (all tiers, ordered by trial index)."""
        return judge_iteration(campaign, results)
