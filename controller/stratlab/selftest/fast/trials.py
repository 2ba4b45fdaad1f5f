"""Trials by the numpy evaluator: what a container would have earned, for many points at once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.space import point_key
from stratlab.contract.vectorised import GridResult, screen_grid
from stratlab.domain.market import MarketSet, Tier, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.trial import EquityPoint, Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.evaluation.benchmark import buy_and_hold
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.repricing import window_rows
from stratlab.evaluation.statistics.excess import excess_returns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import Campaign
    from stratlab.domain.strategy import Candidate
    from stratlab.domain.trial import Parameters
    from stratlab.evaluation.repricing import Repricing
    from stratlab.search.parameters_objective import World as JudgedWorld
    from stratlab.selftest.fast.market import WorldMarket

    Floats = NDArray[np.float64]

_Key = tuple[str, frozenset[tuple[str, int | float]], Tier]


@final
@dataclass(frozen=True, slots=True)
class _Run:
    # What one point did on one tier; returns are daily, and empty where it was stopped.
    metrics: Metrics | None
    returns: "Floats"


@final
class FastTrials:
    """Runs the trials of one campaign and remembers what each point earned.

    Args:
        campaign: Its costs, capital and limits.
        market: Prices.
    """

    def __init__(self, campaign: "Campaign", market: "WorldMarket") -> None:
        self._spec = campaign.spec
        data_set = market.get(campaign.spec.data_set)
        self._market_set = MarketSet(data_set.name, data_set.symbols)
        self._runs: dict[_Key, _Run] = {}
        self._keys: dict[str, _Key] = {}
        self._windows = {
            tier: Window(tier, traded.start, traded.end) for tier, traded in data_set.tiers.items()
        }
        self._prices = {tier: market.prices(self._market_set, tier) for tier in self._windows}
        self._benchmarks = {
            tier: compute_metrics(self._held(tier), self._spec.capital)
            for tier in (Tier.TRAIN, Tier.VALIDATION)
        }

    def judge(
        self, contract: "StrategyContract", world: "JudgedWorld", points: "Sequence[Parameters]"
    ) -> list[Metrics]:
        """Return the metrics of points on the train tier; a ``GridJudge`` of the screen.

        Raises:
            InvalidContractError: The contract uses what the evaluator does not know.
        """
        del world  # the same prices
        return [run.metrics or _NOTHING for run in self._on(contract, Tier.TRAIN, points)]

    def run(
        self,
        campaign: "Campaign",
        candidate: "Candidate",
        tier: Tier,
        points: "Sequence[Parameters]",
        first_index: int = 0,
    ) -> list[TrialResult]:
        """Return the result of each point on a tier, as a trial of the campaign's iteration.

        Args:
            campaign: In the iteration that is running.
            candidate: With a contract.
            tier: Which tier.
            points: Values of its parameters.
            first_index: Trial index of the first one.
        """
        contract = load_contract(candidate.contract)
        runs = self._on(contract, tier, points)
        results = []
        for index, (point, run) in enumerate(zip(points, runs, strict=True), start=first_index):
            spec = self._trial(campaign, tier, point, index)
            self._keys[spec.trial_id] = (candidate.contract, point_key(point), tier)
            outcome = Outcome.STRATEGY_ERROR if run.metrics is None else Outcome.SUCCEEDED
            results.append(
                TrialResult(
                    spec, outcome, metrics=run.metrics, benchmark_metrics=self._benchmarks[tier]
                )
            )
        return results

    def equity(self, campaign_id: str, trial_id: str) -> Sequence[EquityPoint]:
        """Return the equity of a trial that was run, as the artefacts of a campaign have it."""
        del campaign_id
        key = self._keys[trial_id]
        return self._equity(key[2], self._runs[key].returns)

    def excess(
        self, contract: "StrategyContract", point: "Parameters", tier: Tier
    ) -> ExcessReturns:
        """Return what a point earns on a tier in each session, in excess of the benchmark."""
        (run,) = self._on(contract, tier, [point])
        held = self._held(tier)
        benchmark = map(EquityPoint, held.bars.tolist(), held.equity.tolist())
        return excess_returns(
            self._equity(tier, run.returns),
            [*benchmark],
            self._spec.capital,
            held.sessions_per_year,
        )

    def _equity(self, tier: Tier, returns: "Floats") -> list[EquityPoint]:
        prices, window = self._prices[tier], self._windows[tier]
        values = self._spec.capital * np.cumprod(1.0 + returns)
        bars = prices.bars[window_rows(prices, window)]
        return [*map(EquityPoint, bars.tolist(), values.tolist())]

    def _trial(
        self, campaign: "Campaign", tier: Tier, point: "Parameters", index: int
    ) -> TrialSpec:
        return TrialSpec(
            trial_id=f"{campaign.id}-{campaign.iteration:04d}-{tier}-{index:03d}",
            index=index,
            purpose=TrialPurpose.SEARCH,
            market=self._market_set,
            window=self._windows[tier],
            parameters=point,
            capital=self._spec.capital,
            cost_model=self._spec.cost_model,
            seed=self._spec.seed,
        )

    def _on(
        self, contract: "StrategyContract", tier: Tier, points: "Sequence[Parameters]"
    ) -> list[_Run]:
        text = canonical_json(contract)
        keys = [(text, point_key(point), tier) for point in points]
        new = {key: point for key, point in zip(keys, points, strict=True) if key not in self._runs}
        if new:
            prices = self._prices[tier]
            rows = window_rows(prices, self._windows[tier])
            grid = screen_grid(
                contract,
                prices,
                list(new.values()),
                first_bar=rows.start,
                capital=self._spec.capital,
                cost_model=self._spec.cost_model,
                with_daily_returns=True,
            )
            years = (rows.stop - rows.start) / prices.sessions_per_year
            limit = self._spec.limits.max_leverage
            self._runs.update(zip(new, _runs(grid, years, limit), strict=True))
        return [self._runs[key] for key in keys]

    def _held(self, tier: Tier) -> "Repricing":
        spec, prices = self._spec, self._prices[tier]
        return buy_and_hold(
            self._market_set, prices, self._windows[tier], spec.capital, spec.cost_model
        )


_NOTHING = Metrics(*(None,) * 8, total_trades=0, turnover=None)


def _runs(grid: GridResult, years: float, max_leverage: float) -> Iterator[_Run]:
    assert grid.daily_returns is not None, "they are asked for"
    rows = zip(
        grid.final_return.tolist(),
        grid.sharpe_ratio.tolist(),
        grid.max_drawdown.tolist(),
        grid.turnover.tolist(),
        grid.trades.tolist(),
        grid.max_leverage.tolist(),
        grid.daily_returns,
        strict=True,
    )
    for total, sharpe, drawdown, turnover, trades, leverage, returns in rows:
        # NaN where nothing was ever held; a trial beyond the limit is ended by the harness.
        if leverage > max_leverage:
            yield _Run(None, np.empty(0))
            continue
        is_solvent = math.isfinite(turnover)
        growth = (1.0 + total) ** (1.0 / years) - 1.0 if is_solvent else None
        metrics = Metrics(
            cum_returns_final=total,
            annual_return=growth,
            annual_volatility=float(returns.std(ddof=1) * math.sqrt(len(returns) / years)),
            sharpe_ratio=AnnualSharpe(sharpe) if math.isfinite(sharpe) else None,
            sortino_ratio=None,
            max_drawdown=drawdown,
            calmar_ratio=growth / abs(drawdown) if growth is not None and drawdown else None,
            win_rate=None,
            total_trades=trades,
            turnover=turnover if is_solvent else None,
        )
        yield _Run(metrics, returns)
