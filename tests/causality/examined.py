"""Backtests a source on a small market and puts it to the causality test."""

import itertools
from dataclasses import dataclass, field
from datetime import date

from tests.causality.bench import LIMITS, Bench
from tests.causality.markets import make_market

from stratlab.campaigns.causality import CausalityTest, seed_of
from stratlab.campaigns.rerun import Suspect
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, TierRange, Window
from stratlab.domain.ports import MarketData
from stratlab.domain.trial import Engine, TrialBatch, TrialPurpose, TrialResult, TrialSpec
from stratlab.evaluation import HostEvaluator
from stratlab.market_data.calendars import sessions_between
from stratlab.market_data.content import Content, canonical

NAME = "small"
WARM_UP, TRAIN, VALIDATION, ALL = 120, 480, 520, 540
"""Sessions before and up to the end of each tier."""


def small_content() -> Content:
    """A market of five symbols, of which two die, over two years."""
    days = sessions_between("XNYS", date(2010, 1, 4), date(2013, 1, 1))[:ALL]
    market = make_market(1, days)
    ends = [day.date() for day in days]
    return canonical(
        calendar="XNYS",
        timeframe="1d",
        prices=market.prices,
        splits=market.splits,
        dividends=market.dividends,
        tiers={
            Tier.TRAIN: TierRange(ends[WARM_UP], ends[TRAIN - 1]),
            Tier.VALIDATION: TierRange(ends[TRAIN], ends[VALIDATION - 1]),
            Tier.HOLDOUT: TierRange(ends[VALIDATION], ends[-1]),
        },
    )


@dataclass
class Examiner:
    """Runs sources in a bench."""

    bench: Bench
    market_data: MarketData
    test: CausalityTest
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def backtest(
        self, source: str, costs: CostModelKind = CostModelKind.NEXT_OPEN, parameters=None
    ) -> tuple[TrialResult, int]:
        """Return the settled result and how many orders and cancels there were."""
        data_set = self.market_data.get(NAME)
        train = data_set.tiers[Tier.TRAIN]
        spec = TrialSpec(
            trial_id=f"t{next(self._numbers)}",
            index=0,
            purpose=TrialPurpose.ADHOC,
            market=MarketSet(NAME, data_set.symbols),
            window=Window(Tier.TRAIN, train.start, train.end),
            parameters=parameters or {},
            capital=1_000_000.0,
            cost_model=CostModel(costs),
        )
        batch = TrialBatch("adhoc", source, (spec,), LIMITS)
        (claim,) = await self.bench.run(batch, lambda _: None)
        prices = self.market_data.prices(spec.market, Tier.TRAIN)
        return HostEvaluator().settle(spec, claim, prices, LIMITS), len(claim.log)

    async def examine(self, source: str, result: TrialResult, seed: int = 0) -> CausalityEvidence:
        """Put a source whose trial succeeded to the test."""
        return await self.test.run(
            Suspect(
                campaign_id="adhoc",
                source=source,
                limits=LIMITS,
                runtime="runc",
                engine=Engine.FAST,
                results=(result,),
                seed=seed_of(seed, source),
                notify=lambda _: None,
            )
        )
