"""A whole lab on a few bars of made-up prices: every part real but market, generator, sandbox."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic

import numpy as np
from tests.suites.scripted_desks import QuickRobustness, ScriptedCausality, ScriptedReplay

from stratlab.campaigns.arms import ReferenceArms
from stratlab.campaigns.critic import RuleCritic
from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.examination import Desks, Examiner
from stratlab.campaigns.finalist_statistics import FinalistStatistics
from stratlab.campaigns.holdout import Holdout
from stratlab.campaigns.manager import CampaignManager
from stratlab.campaigns.reports import Reports
from stratlab.campaigns.sealed_trials import SealedTrials
from stratlab.campaigns.trials import TrialDesk
from stratlab.campaigns.workshop import Workshop
from stratlab.domain.campaign import CampaignSpec, StopRules
from stratlab.domain.causality import CausalityDesk
from stratlab.domain.checks import RobustnessDesk, StatisticsDesk
from stratlab.domain.errors import DataSetNotFoundError, InvalidContractError
from stratlab.domain.gates import Gates
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.market import DataSet, MarketSet, PricePanel, Tier, TierRange
from stratlab.domain.ports import FirstJudge, Generator, ProgressListener, Sandbox, Screener
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import (
    EquityPoint,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialSpec,
)
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice
from stratlab.generation import templates_for
from stratlab.screening import SubprocessScreener
from stratlab.search import FactorGraphGenerator
from stratlab.search.parameters import ScoredPoint
from stratlab.search.parameters_screen import ParameterScreen, Screened
from stratlab.settings import Settings
from stratlab.store import open_repository
from stratlab.store.artifacts import FileArtifacts
from stratlab.wiring_models import Authors, open_authors

SYMBOLS = ("AAA", "BBB")
_FIRST = date(2020, 1, 1)
_SESSIONS = [day for n in range(260) if (day := _FIRST + timedelta(n)).weekday() < 5]
_TIER_ENDS = {Tier.TRAIN: 60, Tier.VALIDATION: 90, Tier.HOLDOUT: len(_SESSIONS)}


def _panel() -> PricePanel:
    random = np.random.default_rng(1)
    close = 50 * np.exp(np.cumsum(random.normal(0.001, 0.01, (len(_SESSIONS), 2)), axis=0))
    close = np.round(close, 2)
    seconds = [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in _SESSIONS]
    return PricePanel(
        bars=np.array(seconds, dtype=np.int64),
        symbols=SYMBOLS,
        open=close - 0.1,
        high=close + 0.5,
        low=close - 0.5,
        close=close,
        volume=np.full_like(close, 1e6),
    )


class PanelData:
    """Market data from arrays."""

    def __init__(self) -> None:
        self._panel = _panel()
        starts = {Tier.TRAIN: 10, Tier.VALIDATION: 60, Tier.HOLDOUT: 90}
        self._data_set = DataSet(
            name="small",
            digest="d" * 64,
            symbols=SYMBOLS,
            timeframe="1d",
            calendar="XNYS",
            warm_up_start=_SESSIONS[0],
            tiers={
                tier: TierRange(_SESSIONS[starts[tier]], _SESSIONS[end - 1])
                for tier, end in _TIER_ENDS.items()
            },
            provenance="made up",
            caveats=("made-up prices",),
        )

    def list(self) -> Sequence[DataSet]:
        return [self._data_set]

    def get(self, name: str) -> DataSet:
        if name != "small":
            raise DataSetNotFoundError(f"no data set {name!r}")
        return self._data_set

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        end = _TIER_ENDS[tier]
        columns = [SYMBOLS.index(symbol) for symbol in market.symbols]
        series = {
            name: getattr(self._panel, name)[:end, columns]
            for name in ("open", "high", "low", "close", "volume")
        }
        return replace(self._panel, bars=self._panel.bars[:end], symbols=market.symbols, **series)

    def mount(self, name: str, tier: Tier, world: str = "") -> Path:
        raise AssertionError("nothing is mounted here")

    def verify(self, name: str) -> None:
        self.get(name)


class CountingGenerator:
    """A new honest source for each iteration; every ``fail_every``-th cannot be made."""

    def __init__(self, fail_every: int = 0) -> None:
        self._fail_every = fail_every

    def generate(self, request: GenerationRequest) -> Candidate:
        if self._fail_every and request.iteration % self._fail_every == 0:
            raise InvalidContractError("no valid candidate this time")
        source = (
            f"def initialize(context):\n    pass\n\n\ndef handle_data(context, data):\n"
            f"    return {request.campaign.spec.seed}, {request.iteration}\n"
        )
        return Candidate(
            hash=hashlib.sha256(source.encode()).hexdigest(),
            strategy_id=f"counting_{request.iteration}",
            thesis="numbers go up",
            source=source,
            contract="",
            parameters={"n": request.iteration},
            lineage=Lineage(GeneratorKind.TEMPLATE, "count"),
            parameter_points=({"n": request.iteration}, {"n": -request.iteration}),
        )


class CountingScreen:
    """Stands in for the parameter screen where candidates have no contract."""

    def screen(self, request: GenerationRequest, candidate: Candidate) -> Screened:
        points = (ScoredPoint({"n": n}, n / 10) for n in range(request.iteration, -5, -2))
        return Screened(candidate, tuple(points))


def honest_claim(market_data: PanelData, source: str, trial: TrialSpec) -> TrialClaim:
    """Return the claim of an honest run; its orders follow from source and parameters alone."""
    panel = market_data.prices(trial.market, trial.window.tier)
    text = f"{source}{sorted(trial.parameters.items())}{trial.window.tier}"
    random = Random(hashlib.sha256(text.encode()).digest())
    start = datetime.combine(trial.window.start, datetime.min.time(), UTC).timestamp()
    bars = [bar for bar in panel.bars.tolist() if bar >= start]
    moments = sorted(random.sample(bars[:-1], 12))
    log = tuple(
        Order(
            number=number,
            bar=bar,
            phase=Phase.BAR,
            symbol=random.choice(trial.market.symbols),
            amount=random.choice([-1, 1]) * random.randint(50, 300),
            kind=OrderKind.MARKET,
        )
        for number, bar in enumerate(moments, start=1)
    )
    own = reprice(log, panel, trial.window, trial.capital, trial.cost_model)
    points = tuple(map(EquityPoint, own.bars.tolist(), own.equity.tolist()))
    return TrialClaim(trial.trial_id, Outcome.SUCCEEDED, log=log, fills=own.fills, equity=points)


@dataclass
class ScriptedSandbox:
    """Places orders that follow from source and parameters alone; may fail as scripted.

    Attributes:
        market_data: Where honest equity comes from.
        seconds: How long a batch takes.
        script: Maps (call number, trial) to an outcome to return instead of an honest run.
        calls: Number of batches so far.
    """

    market_data: PanelData
    seconds: float = 0.0
    script: Callable[[int, TrialSpec], Outcome | None] = lambda call, trial: None
    calls: int = 0
    seen: list[TrialSpec] = field(default_factory=list)

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        self.calls += 1
        call = self.calls
        claims: list[TrialClaim] = []
        for trial in batch.trials:
            self.seen.append(trial)
            on_progress(TrialProgress(batch.campaign_id, trial.trial_id, 0.5, 0, trial.capital))
            await asyncio.sleep(self.seconds / len(batch.trials))
            outcome = self.script(call, trial)
            claims.append(
                honest_claim(self.market_data, batch.source, trial)
                if outcome is None
                else TrialClaim(trial.trial_id, outcome, "scripted")
            )
            if judge_first is not None and len(claims) == 1:
                first = claims[0]
                if first.outcome.is_retried or not await judge_first(first):
                    break
        return claims


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


def plain_export(
    candidate: Candidate, campaign: object, parameters: Mapping[str, int | float], calendar: str
) -> list[tuple[str, bytes]]:
    return [("best_strategy.py", candidate.source.encode())]


def small_spec(**changes: object) -> CampaignSpec:
    spec = CampaignSpec(
        display_name="small",
        data_set="small",
        markets=(SYMBOLS,),
        generator=GeneratorKind.TEMPLATE,
        gates=Gates(min_sharpe_ratio=-9.0, min_validation_sharpe_ratio=-9.0, min_total_trades=1),
        stop_rules=StopRules(max_iterations=4, max_wall_seconds=None),
    )
    return replace(spec, **changes)


@dataclass
class SmallLab:
    """The parts a test wants to look at."""

    repository: object
    artifacts: FileArtifacts
    sandbox: Sandbox
    manager: CampaignManager
    replay: ScriptedReplay


@contextmanager
def small_lab(
    home: Path,
    *,
    generator: Generator | None = None,
    screener: Screener | None = None,
    parameters: ParameterScreen | None = None,
    sandbox: Sandbox | None = None,
    models: Settings | None = None,
    causality: CausalityDesk | None = None,
    statistics: StatisticsDesk | None = None,
    robustness: RobustnessDesk | None = None,
    holdout_sign: int = 0,
    replay_outcomes: Mapping[Tier, Outcome] | None = None,
    **script: object,
):
    """Open a lab on a home directory with a real store; ``script`` is for a ScriptedSandbox.

    With ``models``, language models are asked as these settings say. Without a causality test
    every candidate is clean; ``holdout_sign`` and ``replay_outcomes`` are for a ScriptedReplay.
    """
    market_data = PanelData()
    with ExitStack() as stack:
        repository = open_repository(f"sqlite:///{home / 'stratlab.db'}")
        stack.enter_context(closing(repository))
        authors = Authors({}, RuleCritic())
        if models is not None:
            opened = open_authors(models, repository, market_data, SystemClock(), lambda: None)
            authors = stack.enter_context(opened)
        artifacts = FileArtifacts(home, repository)
        chosen = sandbox or ScriptedSandbox(market_data, **script)
        evaluator, clock = HostEvaluator(), SystemClock()
        desk = TrialDesk(
            repository=repository,
            artifacts=artifacts,
            market_data=market_data,
            sandbox=chosen,
            evaluator=evaluator,
            clock=clock,
        )
        replay = ScriptedReplay(
            chosen,
            market_data,
            holdout_sign,
            seconds=getattr(chosen, "seconds", 0.0),
            outcomes=replay_outcomes if replay_outcomes is not None else {},
        )
        sealed = SealedTrials(repository, market_data, replay, evaluator)
        workshop = Workshop(
            repository=repository,
            artifacts=artifacts,
            desk=desk,
            screener=screener or SubprocessScreener(),
            generators={
                GeneratorKind.TEMPLATE: generator or CountingGenerator(),
                GeneratorKind.FACTOR_GRAPH: FactorGraphGenerator(templates_for),
                **authors.generators,
            },
            parameters=parameters or ParameterScreen(market_data),
            critic=authors.critic,
            evaluator=evaluator,
            arms=ReferenceArms(repository, artifacts, market_data, chosen, evaluator),
            ledger=repository.ledger(),
            examiner=Examiner(
                repository,
                clock,
                Desks(
                    causality=causality or ScriptedCausality(),
                    sealed=sealed,
                    statistics=statistics or FinalistStatistics(repository, artifacts, market_data),
                    robustness=robustness or QuickRobustness(),
                    holdout=Holdout(repository, artifacts, market_data, sealed, clock),
                ),
            ),
            reports=Reports(repository, artifacts, market_data, plain_export),
            bus=EventBus(),
            clock=clock,
        )
        manager = CampaignManager(workshop, market_data)
        yield SmallLab(repository, artifacts, chosen, manager, replay)
