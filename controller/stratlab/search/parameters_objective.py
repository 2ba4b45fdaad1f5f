"""Judges parameter points on the host's train prices, with the numpy evaluator.

The figure is :func:`stratlab.evaluation.scoring.train_score`, the one that later chooses among
the points that ran in the sandbox: return in excess of the campaign's benchmark, drawdown and
Sharpe ratio, over all market sets as :func:`stratlab.evaluation.judgement.aggregate` has it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

from stratlab.domain.market import CostModel, MarketSet, PricePanel, Tier, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.evaluation.judgement import aggregate
from stratlab.evaluation.scoring import train_score

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.ports import MarketData
    from stratlab.domain.trial import Parameters


@final
@dataclass(frozen=True, slots=True)
class World:
    """What points are judged in: one account, one market set, the train tier.

    Attributes:
        prices: From the warm-up to the end of the train tier, and no bar more.
        first_bar: Row of the first bar that is traded.
        capital, cost_model: As in a trial.
        max_leverage: At which the harness ends a trial.
        benchmark: Of the campaign's benchmark on the same bars.
    """

    prices: PricePanel
    first_bar: int
    capital: float
    cost_model: CostModel
    max_leverage: float
    benchmark: Metrics


def train_world(market_data: "MarketData", market: MarketSet, spec: "CampaignSpec") -> World:
    """Return the train tier of one of a campaign's market sets.

    Raises:
        DataSetNotFoundError: No such data set or symbol.
        InvalidSpecError: The tier holds no session.
    """
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.benchmark import buy_and_hold  # noqa: PLC0415
    from stratlab.evaluation.metrics import compute_metrics  # noqa: PLC0415
    from stratlab.evaluation.repricing import window_rows  # noqa: PLC0415

    train = market_data.get(market.data_set).tiers[Tier.TRAIN]
    window = Window(Tier.TRAIN, train.start, train.end)
    prices = market_data.prices(market, Tier.TRAIN)
    held = buy_and_hold(market, prices, window, spec.capital, spec.cost_model)
    return World(
        prices=prices,
        first_bar=window_rows(prices, window).start,
        capital=spec.capital,
        cost_model=spec.cost_model,
        max_leverage=spec.limits.max_leverage,
        benchmark=compute_metrics(held, spec.capital),
    )


def train_worlds(market_data: "MarketData", spec: "CampaignSpec") -> tuple[World, ...]:
    """Return the train tiers of all market sets of a campaign.

    Raises:
        DataSetNotFoundError: No such data set or symbol.
        InvalidSpecError: The tier holds no session.
    """
    return tuple(
        train_world(market_data, MarketSet(spec.data_set, symbols, timeframe), spec)
        for symbols in spec.markets
        for timeframe in spec.timeframes
    )


class GridJudge(Protocol):
    """Computes what a contract does at many points of one world."""

    def __call__(
        self, contract: "StrategyContract", world: World, points: Sequence["Parameters"]
    ) -> Sequence[Metrics]:
        """Return the metrics of each point, in their order.

        Raises:
            InvalidContractError: The contract uses what the evaluator does not know.
        """
        ...


def judge_grid(
    contract: "StrategyContract", world: World, points: Sequence["Parameters"]
) -> list[Metrics]:
    """Return the metrics of each point from the numpy evaluator; runs no foreign code.

    A point whose leverage would end its trial has none: every figure is undefined.

    Raises:
        InvalidContractError: The contract uses what the evaluator does not know.
    """
    # keeps start-up fast: numpy
    from stratlab.contract.vectorised import screen_grid  # noqa: PLC0415

    grid = screen_grid(
        contract,
        world.prices,
        points,
        first_bar=world.first_bar,
        capital=world.capital,
        cost_model=world.cost_model,
    )
    sessions = world.prices.sessions[world.first_bar :]
    years = len(set(sessions.tolist())) / world.prices.sessions_per_year
    return [
        _metrics(row, years, world.max_leverage)
        for row in zip(
            grid.final_return.tolist(),
            grid.sharpe_ratio.tolist(),
            grid.max_drawdown.tolist(),
            grid.max_leverage.tolist(),
            grid.trades.tolist(),
            strict=True,
        )
    ]


def _metrics(
    row: tuple[float, float, float, float, int], years: float, max_leverage: float
) -> Metrics:
    total, sharpe, drawdown, leverage, trades = row
    runs = not leverage > max_leverage  # NaN where nothing was ever held
    is_solvent = runs and total > -1.0
    return Metrics(
        cum_returns_final=total if runs else None,
        annual_return=(1.0 + total) ** (1.0 / years) - 1.0 if is_solvent else None,
        annual_volatility=None,
        sharpe_ratio=AnnualSharpe(sharpe) if is_solvent and math.isfinite(sharpe) else None,
        sortino_ratio=None,
        max_drawdown=drawdown if runs else None,
        calmar_ratio=None,
        win_rate=None,
        total_trades=trades if runs else 0,
        turnover=None,
    )


@final
class TrainObjective:
    """Scores points of a contract by what the train tier says of them.

    Args:
        contract: Whose points.
        worlds: All market sets of the campaign.
        judge: Computes the metrics.
    """

    def __init__(
        self,
        contract: "StrategyContract",
        worlds: Sequence[World],
        judge: GridJudge = judge_grid,
    ) -> None:
        self._contract = contract
        self._worlds = worlds
        self._judge = judge
        self._benchmark = aggregate([world.benchmark for world in worlds])

    def __call__(self, points: Sequence["Parameters"]) -> list[float | None]:
        """Return the train score of each point, None where it is undefined."""
        by_world = [self._judge(self._contract, world, points) for world in self._worlds]
        together = [aggregate(metrics) for metrics in zip(*by_world, strict=True)]
        return [
            None if metrics is None else train_score(metrics, self._benchmark)
            for metrics in together
        ]
