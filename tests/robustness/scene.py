"""A finalist on made-up prices, in a sandbox that trades what its parameters say."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from stratlab.campaigns.arms import ReferenceArms
from stratlab.campaigns.robustness import RobustnessExaminer
from stratlab.contract.candidate import candidate_from_contract
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Evaluation, Iteration
from stratlab.domain.gates import Level
from stratlab.domain.market import DataSet, MarketSet, PricePanel, Tier, TierRange
from stratlab.domain.ports import Repository
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import (
    EquityPoint,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialBatch,
    TrialClaim,
    TrialSpec,
)
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice, window_rows
from stratlab.generation.templates import load_templates
from stratlab.store import open_repository
from stratlab.store.artifacts import FileArtifacts

SYMBOLS = ("AAA", "BBB")
WARM_UP, TRAIN, VALIDATION, HOLDOUT = 160, 260, 140, 60
NOW = datetime(2024, 3, 1, tzinfo=UTC)
_ENDS = {
    Tier.TRAIN: WARM_UP + TRAIN,
    Tier.VALIDATION: WARM_UP + TRAIN + VALIDATION,
    Tier.HOLDOUT: WARM_UP + TRAIN + VALIDATION + HOLDOUT,
}


def _weekdays(count: int) -> list[date]:
    days = (date(2010, 1, 4) + timedelta(number) for number in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


DAYS = _weekdays(_ENDS[Tier.HOLDOUT])


def a_panel(seed: int = 1) -> PricePanel:
    """Random prices; AAA does better than BBB in train."""
    random = np.random.default_rng(seed)
    drift = np.full((len(DAYS), 2), 0.0003)
    drift[: _ENDS[Tier.TRAIN], 0] = 0.004
    close = 50 * np.exp(np.cumsum(drift + random.normal(0, 0.012, drift.shape), axis=0))
    opening = np.concatenate((close[:1], close[:-1])) * np.exp(random.normal(0, 0.003, drift.shape))
    seconds = [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in DAYS]
    return PricePanel(
        bars=np.array(seconds, dtype=np.int64),
        symbols=SYMBOLS,
        open=opening,
        high=np.maximum(opening, close) * 1.003,
        low=np.minimum(opening, close) * 0.997,
        close=close,
        volume=np.full_like(close, 1e6),
    )


@dataclass
class Prices:
    """Market data whose holdout nobody may look at."""

    panel: PricePanel = field(default_factory=a_panel)

    def get(self, name: str) -> DataSet:
        starts = {Tier.TRAIN: WARM_UP, Tier.VALIDATION: _ENDS[Tier.TRAIN]}
        starts[Tier.HOLDOUT] = _ENDS[Tier.VALIDATION]
        return DataSet(
            name=name,
            digest="d" * 64,
            symbols=SYMBOLS,
            timeframe="1d",
            calendar="XNYS",
            warm_up_start=DAYS[0],
            tiers={
                tier: TierRange(DAYS[starts[tier]], DAYS[end - 1]) for tier, end in _ENDS.items()
            },
            provenance="made up",
        )

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        assert tier is not Tier.HOLDOUT, "the holdout was looked at"
        end, columns = _ENDS[tier], [SYMBOLS.index(symbol) for symbol in market.symbols]
        names = ("open", "high", "low", "close", "volume")
        fields = {name: getattr(self.panel, name)[:end, columns] for name in names}
        return replace(self.panel, bars=self.panel.bars[:end], symbols=market.symbols, **fields)


def trade(prices: Prices, spec: TrialSpec) -> TrialClaim:
    """Buy and sell the first symbol in turn, every so many bars as the parameters sum up to."""
    panel = prices.prices(spec.market, spec.window.tier)
    bars = panel.bars[window_rows(panel, spec.window)].tolist()
    step = 3 + int(sum(abs(value) for value in spec.parameters.values())) % 17
    log = tuple(
        Order(
            number=number,
            bar=bar,
            phase=Phase.BAR,
            symbol=spec.market.symbols[0],
            amount=200 if number % 2 else -200,
            kind=OrderKind.MARKET,
        )
        for number, bar in enumerate(bars[:-1:step], start=1)
    )
    own = reprice(log, panel, spec.window, spec.capital, spec.cost_model)
    equity = tuple(map(EquityPoint, own.bars.tolist(), own.equity.tolist()))
    return TrialClaim(spec.trial_id, Outcome.SUCCEEDED, log=log, fills=own.fills, equity=equity)


@dataclass
class TradingSandbox:
    """Runs :func:`trade`, unless the script says how a trial ends instead."""

    prices: Prices
    script: Callable[[TrialSpec], Outcome | None] = lambda spec: None
    batches: list[TrialBatch] = field(default_factory=list)

    @property
    def specs(self) -> list[TrialSpec]:
        return [spec for batch in self.batches for spec in batch.trials]

    async def run(self, batch, on_progress, judge_first=None) -> list[TrialClaim]:
        self.batches.append(batch)
        claims = []
        for spec in batch.trials:
            outcome = self.script(spec)
            claims.append(
                trade(self.prices, spec)
                if outcome is None
                else TrialClaim(spec.trial_id, outcome, "scripted")
            )
        return claims


@dataclass
class Scene:
    """Everything a test needs; the campaign and its iteration are stored."""

    repository: Repository
    artifacts: FileArtifacts
    prices: Prices
    sandbox: TradingSandbox
    campaign: Campaign
    iteration: Iteration

    @property
    def examiner(self) -> RobustnessExaminer:
        return RobustnessExaminer(self.repository, self.prices, self.sandbox, HostEvaluator())

    @property
    def arms(self) -> ReferenceArms:
        parts = (self.repository, self.artifacts, self.prices, self.sandbox, HostEvaluator())
        return ReferenceArms(*parts)

    async def examine(self):
        return await self.examiner.examine(self.campaign, self.iteration, lambda _: None)


def free_candidate() -> Candidate:
    """Source without a contract, with three points."""
    return Candidate(
        hash="c" * 64,
        strategy_id="free",
        thesis="none",
        source="def initialize(context):\n    pass\n",
        contract="",
        parameters={"n": 2},
        lineage=Lineage(GeneratorKind.CLAUDE, "generate"),
        parameter_points=({"n": 2}, {"n": 5}, {"n": 9}),
    )


def contract_candidate() -> Candidate:
    """A template that the numpy back-end computes."""
    lineage = Lineage(GeneratorKind.TEMPLATE, "template")
    return candidate_from_contract(load_templates()["ema_cross_atr"], lineage)


@contextmanager
def a_scene(home: Path, candidate: Candidate, **changes: object) -> Iterator[Scene]:
    """Open a scene on a real store; ``changes`` are of the specification."""
    spec = replace(CampaignSpec("scene", "made-up", (SYMBOLS,)), **changes)
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        campaign = repository.create_campaign(
            Campaign("scene", spec, "d" * 64, CampaignState.QUEUED, NOW, NOW, iteration=1), ""
        )
        evaluation = Evaluation(Level.PROFITABLE, parameters=candidate.parameters)
        iteration = Iteration("scene", 1, NOW, candidate=candidate, evaluation=evaluation)
        with repository.transaction() as transaction:
            transaction.save_iteration(iteration)
        prices = Prices()
        sandbox = TradingSandbox(prices)
        artifacts = FileArtifacts(home, repository)
        yield Scene(repository, artifacts, prices, sandbox, campaign, iteration)
