"""Collects what a campaign's tear sheet shows, always from the store."""

from collections.abc import Sequence
from typing import final

from stratlab.campaigns.arms import kept_arms
from stratlab.campaigns.finalist_returns import TrialSeries, chosen_results
from stratlab.campaigns.holdout import holdout_trials
from stratlab.campaigns.registered_points import registered_points
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import NotFoundError
from stratlab.domain.examination import Examination
from stratlab.domain.market import DataSet, Tier
from stratlab.domain.points import Point
from stratlab.domain.ports import Artifacts, MarketData, Repository
from stratlab.domain.trial import EquityPoint, TrialPurpose, TrialSpec
from stratlab.tear_sheet import Growth, Sheet

TEAR_SHEET_NAME = "tear_sheet.html"


@final
class TearSheets:
    """Reads the evidence of one campaign after the other.

    Args:
        repository: Campaigns, examinations, ledgers.
        artifacts: Series of trials and results of arms.
        market_data: Prices of the benchmark.
    """

    def __init__(
        self, repository: Repository, artifacts: Artifacts, market_data: MarketData
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data

    def collect(
        self,
        campaign: Campaign,
        iterations: Sequence[Iteration],
        data_set: DataSet | None,
        caveats: Sequence[str],
    ) -> Sheet:
        """Return what the tear sheet of a final campaign shows.

        Args:
            campaign: With its verdict.
            iterations: All of it.
            data_set: Of the campaign, None when it is gone; there is no benchmark then.
            caveats: What to know about the data.
        """
        bare = Sheet(campaign, iterations)
        chosen = bare.chosen
        found = self._repository.examination(campaign.id, chosen.number) if chosen else None
        return Sheet(
            campaign,
            iterations,
            growth=self._growth(campaign, chosen, found, data_set) if chosen else (),
            examination=found,
            openings=self._repository.holdout_openings(campaign_id=campaign.id),
            arms=kept_arms(self._artifacts, campaign.id),
            spent=self._repository.ledger().spent(campaign.id),
            points=self._repository.point_counts(campaign.id),
            screened=self._screened(campaign.id, chosen) if chosen else (),
            caveats=caveats,
        )

    def _screened(self, campaign_id: str, chosen: Iteration) -> tuple[Point, ...]:
        return tuple(
            point
            for point in registered_points(self._repository, campaign_id)
            if point.purpose is TrialPurpose.SCREEN
            and point.iteration == chosen.number
            and point.score is not None
        )

    def _growth(
        self,
        campaign: Campaign,
        chosen: Iteration,
        found: Examination | None,
        data_set: DataSet | None,
    ) -> tuple[Growth, ...]:
        specs = [result.spec for result in chosen_results(chosen)]
        if found is not None and found.holdout is not None and data_set is not None:
            specs += holdout_trials(campaign, found.subject, data_set)
        series = TrialSeries(campaign, self._artifacts, self._market_data)
        tiers = []
        for tier in Tier:
            own = [spec for spec in specs if spec.window.tier is tier]
            growth = self._of_tier(campaign.id, tier, own, series if data_set else None)
            if growth is not None:
                tiers.append(growth)
        return tuple(tiers)

    def _of_tier(
        self, campaign_id: str, tier: Tier, specs: Sequence[TrialSpec], series: TrialSeries | None
    ) -> Growth | None:
        try:
            equity = [self._artifacts.equity(campaign_id, spec.trial_id) for spec in specs]
        except NotFoundError:
            return None
        if not equity or any(len(each) != len(equity[0]) for each in equity):
            return None
        benchmark = [series.benchmark(spec)[0] for spec in specs] if series else []
        bars = tuple(point.bar for point in equity[0])
        return Growth(tier, bars, _mean_growth(equity, specs), _mean_growth(benchmark, specs))


def _mean_growth(
    series: Sequence[Sequence[EquityPoint]], specs: Sequence[TrialSpec]
) -> tuple[float, ...]:
    # Of several market sets an equal part in each, rebalanced at every session.
    if not series:
        return ()
    level, growth = 1.0, []
    before = [spec.capital for spec in specs]
    for points in zip(*series, strict=False):
        now = [point.value for point in points]
        returns = [
            value / last - 1.0 if last > 0 else 0.0 for value, last in zip(now, before, strict=True)
        ]
        level *= 1.0 + sum(returns) / len(returns)
        growth.append(level)
        before = now
    return tuple(growth)
