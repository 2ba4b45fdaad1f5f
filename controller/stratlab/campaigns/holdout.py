"""Opens the holdout: enters the look into the ledger first, then replays sealed and judges it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import final

from stratlab.campaigns.finalist_returns import mean_of
from stratlab.campaigns.sealed_trials import SealedTrials
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.events import EventKind, canonical_json
from stratlab.domain.examination import HoldoutEvidence, HoldoutOpening, Subject
from stratlab.domain.market import DataSet, MarketSet, Tier, Window
from stratlab.domain.points import point_digest
from stratlab.domain.ports import Artifacts, Clock, MarketData, ProgressListener, Repository
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.evaluation.judgement import aggregate
from stratlab.evaluation.promotion import holdout_confidence


@final
class Holdout:
    """The one door to the holdout; every way through it is in the ledger and the audit.

    Args:
        repository: The ledger.
        artifacts: Where the replay's series go.
        market_data: Data sets and their tiers.
        sealed: What replays.
        clock: For the ledger.
    """

    def __init__(
        self,
        repository: Repository,
        artifacts: Artifacts,
        market_data: MarketData,
        sealed: SealedTrials,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data
        self._sealed = sealed
        self._clock = clock

    def last_opening(self, subject: Subject) -> HoldoutOpening | None:
        """Return the latest opening for a subject, None when it was never let see the holdout."""
        openings = self._repository.holdout_openings(campaign_id=subject.campaign_id)
        own = [opening for opening in openings if opening.subject == subject]
        return own[-1] if own else None

    async def examine(
        self,
        campaign: Campaign,
        iteration: Iteration,
        subject: Subject,
        actor: str,
        notify: ProgressListener,
    ) -> HoldoutEvidence:
        """Open the holdout for a candidate and return what came of it.

        An opening that was entered before a crash is continued, not entered again.

        Args:
            campaign: Whose.
            iteration: With candidate and evaluation.
            subject: The candidate and its point.
            actor: Who opens it, "" for the lab itself.
            notify: Told of every sign of life.

        Raises:
            UnavailableError: Nothing can be run at all; the opening stays in the ledger.
            InvalidSpecError: The data set has no holdout, or cannot be replayed sealed.
        """
        opening = await asyncio.to_thread(self.last_opening, subject)
        if opening is None:
            opening = await uninterrupted(lambda: self.open(campaign, subject, actor))
        data_set = await asyncio.to_thread(self._market_data.get, campaign.spec.data_set)
        specs = holdout_trials(campaign, subject, data_set)
        results = await self._sealed.run(campaign, iteration, specs, notify)
        return await asyncio.to_thread(self._judged, campaign, opening, results)

    def open(self, campaign: Campaign, subject: Subject, actor: str) -> HoldoutOpening:
        """Enter an opening into the ledger and the audit, or return it when it is the last already.

        Whoever was opened before another candidate of the campaign is entered again, for a verdict
        is about the last one; it is the same look.

        Raises:
            InvalidSpecError: The data set has no holdout.
        """
        before = self._repository.holdout_openings(campaign_id=campaign.id)
        if before and before[-1].subject == subject:
            return before[-1]
        specs = holdout_trials(campaign, subject, self._market_data.get(campaign.spec.data_set))
        now = self._clock.now()
        with self._repository.transaction() as transaction:
            opening = transaction.open_holdout(
                subject,
                data_set=campaign.spec.data_set,
                data_digest=campaign.data_digest,
                look=_look(campaign, subject, specs),
                actor=actor,
                at=now,
            )
            transaction.append_event(
                campaign.id,
                now,
                EventKind.HOLDOUT_OPENED,
                {
                    "opening": opening.number,
                    "data_set": opening.data_set,
                    "data_digest": opening.data_digest,
                    "iteration": subject.iteration,
                    "candidate": subject.candidate_hash,
                    "parameters": dict(subject.parameters),
                    "look": opening.look,
                    "looks": opening.looks,
                    "actor": actor,
                },
            )
        return opening

    def _judged(
        self, campaign: Campaign, opening: HoldoutOpening, results: Sequence[TrialResult]
    ) -> HoldoutEvidence:
        # keeps start-up fast: numpy, and behind it arch
        from stratlab.evaluation.statistics.bounds import sharpe_bound  # noqa: PLC0415
        from stratlab.evaluation.statistics.excess import excess_returns  # noqa: PLC0415

        failed = next((r for r in results if r.outcome is not Outcome.SUCCEEDED), None)
        if failed is not None:
            reason = f"trial {failed.spec.trial_id} ended as {failed.outcome}: {failed.reason}"
            return HoldoutEvidence(opening, failed.outcome, reason)
        series = []
        for result in results:
            self._artifacts.put_series(campaign.id, result)
            year = self._sessions_per_year(result)
            capital = result.spec.capital
            series.append(excess_returns(result.equity, result.benchmark_equity, capital, year))
        returns = mean_of(series)
        digests = "".join(result.orders_digest for result in results)
        return HoldoutEvidence(
            opening=opening,
            outcome=Outcome.SUCCEEDED,
            reason=f"{len(results)} trials were replayed sealed",
            bound=sharpe_bound(
                returns,
                confidence=holdout_confidence(opening.looks),
                seed=campaign.spec.seed,
            ),
            metrics=aggregate([r.metrics for r in results if r.metrics]),
            benchmark_metrics=aggregate(
                [r.benchmark_metrics for r in results if r.benchmark_metrics]
            ),
            orders_digest=hashlib.sha256(digests.encode()).hexdigest(),
        )

    def _sessions_per_year(self, result: TrialResult) -> int:
        spec = result.spec
        return self._market_data.prices(spec.market, spec.window.tier).sessions_per_year


def holdout_trials(campaign: Campaign, subject: Subject, data_set: DataSet) -> list[TrialSpec]:
    """Return the trials of a candidate on the holdout, one a market set and timeframe.

    Raises:
        InvalidSpecError: The data set has no holdout.
    """
    spec, traded = campaign.spec, data_set.tiers.get(Tier.HOLDOUT)
    if traded is None:
        raise InvalidSpecError(
            f"data set {data_set.name} has no holdout",
            hint="Import it with a third tier: --tiers 60/20/20.",
        )
    markets = [(symbols, frame) for symbols in spec.markets for frame in spec.timeframes]
    return [
        TrialSpec(
            trial_id=f"{campaign.id}-{subject.iteration:04d}-holdout-{index:03d}",
            index=index,
            purpose=TrialPurpose.HOLDOUT,
            market=MarketSet(spec.data_set, symbols, timeframe),
            window=Window(Tier.HOLDOUT, traded.start, traded.end),
            parameters=subject.parameters,
            capital=spec.capital,
            cost_model=spec.cost_model,
            seed=spec.seed,
        )
        for index, (symbols, timeframe) in enumerate(markets)
    ]


def _look(campaign: Campaign, subject: Subject, specs: Sequence[TrialSpec]) -> str:
    # All that the replay depends on, and nothing that a repetition of the campaign changes.
    content = {
        "data": campaign.data_digest,
        "candidate": subject.candidate_hash,
        "point": point_digest(subject.parameters),
        "markets": [asdict(spec.market) for spec in specs],
        "costs": asdict(campaign.spec.cost_model),
        "limits": asdict(campaign.spec.limits),
        "capital": campaign.spec.capital,
        "seed": campaign.spec.seed,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
