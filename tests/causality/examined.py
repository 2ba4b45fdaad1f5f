"""Backtests a source on a made-up market and puts it to the causality test."""

import itertools
from dataclasses import dataclass, field

from tests.causality.bench import LIMITS, Bench
from tests.conftest import FULL_SIZE
from tests.zipline_compat import world

from stratlab.campaigns.causality import CausalityTest, seed_of
from stratlab.campaigns.rerun import Suspect
from stratlab.domain.causality import CausalityBudget, Worlds
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, Window
from stratlab.domain.ports import MarketData
from stratlab.domain.trial import Engine, TrialBatch, TrialPurpose, TrialResult, TrialSpec
from stratlab.evaluation import HostEvaluator

# Two worlds after profits and one at random show what twelve do; the default at full size.
BUDGET = CausalityBudget() if FULL_SIZE else CausalityBudget(profit_cuts=2, random_cuts=1)


@dataclass
class Examiner:
    """Runs sources in a bench."""

    bench: Bench
    market_data: MarketData
    worlds: Worlds
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def backtest(
        self, source: str, costs: CostModelKind = CostModelKind.NEXT_OPEN
    ) -> tuple[TrialResult, int]:
        """Return the settled result and how many orders and cancels there were."""
        data_set = self.market_data.get(world.NAME)
        train = data_set.tiers[Tier.TRAIN]
        spec = TrialSpec(
            trial_id=f"t{next(self._numbers)}",
            index=0,
            purpose=TrialPurpose.ADHOC,
            market=MarketSet(world.NAME, data_set.symbols),
            window=Window(Tier.TRAIN, train.start, train.end),
            parameters={},
            capital=1_000_000.0,
            cost_model=CostModel(costs),
        )
        batch = TrialBatch("adhoc", source, (spec,), LIMITS)
        (claim,) = await self.bench.run(batch, lambda _: None)
        prices = self.market_data.prices(spec.market, Tier.TRAIN)
        return HostEvaluator().settle(spec, claim, prices, LIMITS), len(claim.log)

    async def examine(
        self,
        source: str,
        result: TrialResult,
        seed: int = 0,
        budget: CausalityBudget = BUDGET,
    ) -> CausalityEvidence:
        """Put a source whose trial succeeded to the test."""
        return await CausalityTest(self.market_data, self.bench, self.worlds, budget).run(
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
