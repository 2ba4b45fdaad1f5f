"""Desks of an examination that do as they are told, for tests of what stands around them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tests.suites.examination_suite import some_statistics

from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.examination import CausalityEvidence, StatisticsEvidence
from stratlab.domain.market import Tier
from stratlab.domain.ports import MarketData, ProgressListener, Sandbox
from stratlab.domain.robustness import Robustness
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import (
    EquityPoint,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialBatch,
    TrialClaim,
    TrialResult,
    TrialSpec,
)
from stratlab.evaluation.repricing import reprice

SHARES = 1500


@dataclass
class ScriptedCausality:
    """Finds candidates clean unless told otherwise.

    Attributes:
        outcomes: Iteration -> what its candidate is found to be.
        seconds: How long a test takes.
        examined: Iterations in the order of the calls.
    """

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    examined: list[int] = field(default_factory=list)

    async def examine(
        self, campaign: Campaign, candidate: Candidate, results: Sequence[TrialResult]
    ) -> CausalityEvidence:
        assert {result.spec.window.tier for result in results} == {Tier.TRAIN, Tier.VALIDATION}
        self.examined.append(campaign.iteration)
        await asyncio.sleep(self.seconds)
        outcome = self.outcomes.get(campaign.iteration, Outcome.SUCCEEDED)
        return CausalityEvidence(outcome, f"scripted for {candidate.strategy_id}")


@dataclass
class ScriptedStatistics:
    """Returns the same evidence for everybody; good enough for a promotion unless told else."""

    evidence: StatisticsEvidence = field(default_factory=some_statistics)

    def examine(self, campaign: Campaign, iteration: Iteration) -> StatisticsEvidence:
        return self.evidence


@dataclass
class QuickRobustness:
    """Finds nothing out, at once or after a while."""

    seconds: float = 0.0

    async def examine(
        self, campaign: Campaign, iteration: Iteration, notify: ProgressListener
    ) -> Robustness:
        await asyncio.sleep(self.seconds)
        assert iteration.candidate is not None
        assert iteration.evaluation is not None
        return Robustness(iteration.candidate.hash, dict(iteration.evaluation.parameters))


@dataclass
class ScriptedReplay:
    """Replays by running; on the holdout an oracle may trade instead.

    Attributes:
        sandbox: What runs.
        market_data: What the oracle looks into.
        sign: 1 for an oracle that earns on the holdout, -1 for one that loses; 0 for none.
        seconds: How long the oracle takes.
        outcomes: Tier -> outcome to return instead of an honest run.
        seen: All trials, in order.
    """

    sandbox: Sandbox
    market_data: MarketData
    sign: int = 0
    seconds: float = 0.0
    outcomes: Mapping[Tier, Outcome] = field(default_factory=dict)
    seen: list[TrialSpec] = field(default_factory=list)

    async def run_sealed(
        self, batch: TrialBatch, on_progress: ProgressListener
    ) -> list[TrialClaim]:
        self.seen.extend(batch.trials)
        tier = batch.trials[0].window.tier
        if outcome := self.outcomes.get(tier):
            return [TrialClaim(trial.trial_id, outcome, "scripted") for trial in batch.trials]
        if tier is Tier.HOLDOUT and self.sign:
            await asyncio.sleep(self.seconds)
            return [oracle_claim(self.market_data, trial, self.sign) for trial in batch.trials]
        return await self.sandbox.run(batch, on_progress)


def oracle_claim(market_data: MarketData, trial: TrialSpec, sign: int) -> TrialClaim:
    """Return the claim of one that knows the next open: long before a rise, short before a fall.

    Args:
        market_data: What it looks into.
        trial: What to trade.
        sign: 1 to be right, -1 to be wrong every day.
    """
    panel = market_data.prices(trial.market, trial.window.tier)
    start = datetime.combine(trial.window.start, datetime.min.time(), UTC).timestamp()
    rows = [row for row, bar in enumerate(panel.bars.tolist()) if bar >= start][:-2]
    log: list[Order] = []
    held = 0
    for row in rows:
        rise = panel.open[row + 2, 0] - panel.open[row + 1, 0]
        wanted = SHARES if sign * rise > 0 else -SHARES
        if wanted != held:
            bar, symbol = int(panel.bars[row]), trial.market.symbols[0]
            amount = wanted - held
            log.append(Order(len(log) + 1, bar, Phase.BAR, symbol, amount, OrderKind.MARKET))
            held = wanted
    own = reprice(log, panel, trial.window, trial.capital, trial.cost_model)
    points = tuple(map(EquityPoint, own.bars.tolist(), own.equity.tolist()))
    claim = TrialClaim(trial.trial_id, Outcome.SUCCEEDED, fills=own.fills, equity=points)
    return replace(claim, log=tuple(log))
