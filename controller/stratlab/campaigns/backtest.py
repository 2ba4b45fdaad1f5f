"""One strategy, one backtest: what `stratlab backtest` and RunBacktest do."""

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import final

from stratlab.campaigns.causality import CausalityTest, seed_of
from stratlab.campaigns.rerun import Suspect
from stratlab.campaigns.screening_step import joined
from stratlab.campaigns.smoke import SMOKE_INDEX, smoke_window
from stratlab.domain.errors import (
    EngineError,
    InvalidInputError,
    PermissionDeniedError,
    UnavailableError,
)
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.market import CostModel, DataSet, MarketSet, PricePanel, Tier, Window
from stratlab.domain.ports import Evaluator, MarketData, ProgressListener, Sandbox, Screener
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import (
    Engine,
    Limits,
    Outcome,
    Parameters,
    TrialBatch,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)
from stratlab.screening.smoke import check_run

ADHOC_CAMPAIGN = "adhoc"
_DAY_SECONDS = 86_400


@final
@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to run; absent dates are those of the train tier, no symbols means all."""

    source: str
    data_set: str
    symbols: tuple[str, ...]
    start: date | None
    end: date | None
    parameters: Parameters
    cost_model: CostModel
    limits: Limits
    capital: float
    seed: int
    skip_screening: bool
    runtime: str
    engine: Engine = Engine.FAST
    causality: bool = False


@final
@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What came of it; ``result`` is None when screening rejected the source.

    Attributes:
        result: The host's account of the trial.
        screening: What the static layers found.
        limits: What was in force.
        caveats: Of the data set; belong wherever the result is shown.
        causality: What the causality test found, None when it was not made. When it is not
            clean, its outcome is the result's too, which then has no metrics.
    """

    result: TrialResult | None
    screening: ScreeningReport
    limits: Limits
    caveats: tuple[str, ...] = ()
    causality: CausalityEvidence | None = None


@final
class Backtester:
    """Screens, runs and settles a single trial; nothing is stored."""

    def __init__(
        self,
        market_data: MarketData,
        sandbox: Sandbox,
        screener: Screener,
        evaluator: Evaluator,
        causality: CausalityTest | None = None,
    ) -> None:
        self._market_data = market_data
        self._sandbox = sandbox
        self._screener = screener
        self._evaluator = evaluator
        self._causality = causality

    async def run(self, request: BacktestRequest, on_progress: ProgressListener) -> BacktestReport:
        """Run one backtest in a container of its own.

        Raises:
            DataSetNotFoundError: No such data set or symbol.
            InvalidInputError: Dates outside the data set, without a session, or in the wrong
                order.
            PermissionDeniedError: The dates reach into the holdout.
            UnavailableError: Nothing can be run.
            InfrastructureError: The worlds of a causality test cannot be built.
        """
        data_set = await asyncio.to_thread(self._market_data.get, request.data_set)
        spec = _trial(request, data_set)
        # Unknown symbols and empty windows are refused before a container is started.
        prices = await asyncio.to_thread(self._market_data.prices, spec.market, spec.window.tier)
        _require_bars(prices, spec.window, data_set)
        screening = ScreeningReport()
        if not request.skip_screening:
            screening = await asyncio.to_thread(self._screener.screen, request.source)
        if not screening.passed:
            return BacktestReport(None, screening, request.limits, data_set.caveats)
        result = await self._result(request, spec, prices, on_progress)
        evidence = None
        if request.causality and result.outcome is Outcome.SUCCEEDED:
            evidence = await self._examine(request, result)
            if not evidence.is_clean:
                result = replace(
                    result,
                    outcome=evidence.outcome,
                    reason=evidence.reason,
                    metrics=None,
                    benchmark_metrics=None,
                )
        return BacktestReport(result, screening, request.limits, data_set.caveats, evidence)

    async def smoke(self, request: BacktestRequest) -> ScreeningReport:
        """Screen a source and, when it passes, run it over one year as the last layer.

        Args:
            request: What to run; of its dates the first year is taken.

        Raises:
            DataSetNotFoundError: No such data set or symbol.
            SandboxNotReadyError, EngineUnavailableError: Nothing can be run.
            EngineError: The run could not be made.
        """
        data_set = await asyncio.to_thread(self._market_data.get, request.data_set)
        spec = _trial(request, data_set)
        prices = await asyncio.to_thread(self._market_data.prices, spec.market, spec.window.tier)
        screening = await asyncio.to_thread(self._screener.screen, request.source)
        if not screening.passed:
            return screening
        spec = replace(
            spec,
            index=SMOKE_INDEX,
            purpose=TrialPurpose.SMOKE,
            window=smoke_window(spec.window, prices),
        )
        result = await self._result(request, spec, prices, lambda _: None)
        if result.outcome.is_retried:
            raise EngineError(f"the smoke run could not be made: {result.reason}")
        return joined(screening, check_run(result))

    async def _examine(self, request: BacktestRequest, result: TrialResult) -> CausalityEvidence:
        if self._causality is None:
            raise UnavailableError("this server makes no causality tests")
        return await self._causality.run(
            Suspect(
                campaign_id=ADHOC_CAMPAIGN,
                source=request.source,
                limits=request.limits,
                runtime=request.runtime,
                engine=request.engine,
                results=(result,),
                seed=seed_of(request.seed, request.source),
                notify=lambda _: None,
            )
        )

    async def _result(
        self,
        request: BacktestRequest,
        spec: TrialSpec,
        prices: PricePanel,
        on_progress: ProgressListener,
    ) -> TrialResult:
        batch = TrialBatch(
            campaign_id=ADHOC_CAMPAIGN,
            source=request.source,
            trials=(spec,),
            limits=request.limits,
            runtime=request.runtime,
            engine=request.engine,
        )
        (claim,) = await self._sandbox.run(batch, on_progress)
        return await asyncio.to_thread(self._evaluator.settle, spec, claim, prices, request.limits)


def _trial(request: BacktestRequest, data_set: DataSet) -> TrialSpec:
    train = data_set.tiers[Tier.TRAIN]
    start, end = request.start or train.start, request.end or train.end
    return TrialSpec(
        trial_id=f"t{secrets.token_hex(8)}",
        index=0,
        purpose=TrialPurpose.ADHOC,
        market=MarketSet(request.data_set, request.symbols or data_set.symbols, data_set.timeframe),
        window=Window(_smallest_tier(data_set, start, end), start, end),
        parameters=request.parameters,
        capital=request.capital,
        cost_model=request.cost_model,
        seed=request.seed,
    )


def _require_bars(prices: PricePanel, window: Window, data_set: DataSet) -> None:
    first = datetime.combine(window.start, time.min, UTC).timestamp()
    end = datetime.combine(window.end, time.min, UTC).timestamp() + _DAY_SECONDS
    if not ((prices.bars >= first) & (prices.bars < end)).any():
        raise InvalidInputError(
            f"{data_set.name} has no session from {window.start} to {window.end}",
            hint="Choose a start and an end with a trading day between them.",
        )


def _smallest_tier(data_set: DataSet, start: date, end: date) -> Tier:
    # The container gets no byte more than the dates need.
    last = max(traded.end for traded in data_set.tiers.values())
    if start > end:
        raise InvalidInputError(
            f"the start {start} is after the end {end}", hint="Exchange --start and --end."
        )
    if start < data_set.warm_up_start or end > last:
        raise InvalidInputError(
            f"{start} to {end} is not inside the data set {data_set.name}",
            hint=f"It has sessions from {data_set.warm_up_start} to {last}.",
        )
    tier = next(tier for tier in Tier if end <= data_set.tiers[tier].end)
    if tier is Tier.HOLDOUT:
        raise PermissionDeniedError(
            f"{end} lies in the holdout of {data_set.name}, which is sealed",
            hint=f"End at {data_set.tiers[Tier.VALIDATION].end} or before.",
        )
    return tier
