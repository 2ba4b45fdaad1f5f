"""What robustness is examined on: a campaign's train and validation as one stretch of sessions."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.space import Grid
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, PricePanel, Tier, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import CampaignSpec
    from stratlab.domain.ports import MarketData
    from stratlab.domain.trial import Parameters
    from stratlab.evaluation.selection import PointReturns


@final
@dataclass(frozen=True, slots=True)
class Ground:
    """Train followed by validation; nothing of the holdout is in it.

    Attributes:
        window: From the first session of train to the last one of validation.
        sessions: UTC epoch seconds of the midnights of all its sessions, ascending.
        markets: Each is traded from an account of its own; together they are what an equal part
            of each, rebalanced daily, earns.
        panels: Prices of each market, from the warm-up on.
        benchmark: Daily returns of the campaign's benchmark, shape (sessions,).
        sessions_per_year: What daily returns are annualised with.
        capital, costs: Of every trial.
        max_leverage: At which the harness ends a trial.
    """

    window: Window
    sessions: tuple[int, ...]
    markets: tuple[MarketSet, ...]
    panels: tuple[PricePanel, ...]
    benchmark: "NDArray[np.float64]"
    sessions_per_year: int
    capital: float
    costs: CostModel
    max_leverage: float

    def day(self, session: int) -> date:
        """Return the date of the session at a position."""
        return datetime.fromtimestamp(self.sessions[session], UTC).date()

    def listed(self, market: int, sessions: range) -> MarketSet:
        """Return a market without the symbols that have no bar before the end of some sessions.

        To zipline they do not exist there, as to anybody who traded then.
        """
        panel = self.panels[market]
        known = panel.close[panel.sessions <= self.sessions[sessions.stop - 1]]
        symbols = tuple(
            symbol
            for symbol, close in zip(panel.symbols, known.T, strict=True)
            if (close > 0).any()
        )
        return replace(self.markets[market], symbols=symbols)

    def part(self, sessions: range) -> Window:
        """Return the window of some sessions, none of them left out."""
        return replace(self.window, start=self.day(sessions.start), end=self.day(sessions.stop - 1))


def ground_of(market_data: "MarketData", spec: "CampaignSpec") -> Ground:
    """Return the ground of a campaign.

    Raises:
        DataSetNotFoundError: No such data set or symbol.
        InvalidSpecError: The markets of the campaign do not have the same sessions.
    """
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.benchmark import buy_and_hold  # noqa: PLC0415
    from stratlab.evaluation.performance import daily_returns  # noqa: PLC0415

    tiers = market_data.get(spec.data_set).tiers
    window = Window(Tier.VALIDATION, tiers[Tier.TRAIN].start, tiers[Tier.VALIDATION].end)
    markets = tuple(
        MarketSet(spec.data_set, symbols, timeframe)
        for symbols in spec.markets
        for timeframe in spec.timeframes
    )
    panels = tuple(market_data.prices(market, Tier.VALIDATION) for market in markets)
    held = [
        buy_and_hold(market, panel, window, spec.capital, spec.cost_model)
        for market, panel in zip(markets, panels, strict=True)
    ]
    sessions = {_sessions(panel, window) for panel in panels}
    if len(sessions) > 1:
        raise InvalidSpecError("the markets of the campaign do not have the same sessions")
    benchmarks = [daily_returns(each.equity[each.ends], spec.capital) for each in held]
    return Ground(
        window=window,
        sessions=sessions.pop(),
        markets=markets,
        panels=panels,
        benchmark=sum(benchmarks[1:], benchmarks[0]) / len(benchmarks),
        sessions_per_year=panels[0].sessions_per_year,
        capital=spec.capital,
        costs=spec.cost_model,
        max_leverage=spec.limits.max_leverage,
    )


def is_modelled(ground: Ground) -> bool:
    """Return whether the numpy back-end knows the campaign's costs."""
    return ground.costs.kind is CostModelKind.NEXT_OPEN


def drawn_points(contract: "StrategyContract", count: int, seed: str) -> "tuple[Parameters, ...]":
    """Return points of a contract's space at random, all of them where there are no more.

    The values of the contract itself are not among them unless drawn: they were found on sessions
    on which others are to be tested.

    Args:
        contract: Whose space.
        count: How many, at most.
        seed: Of the draw.
    """
    grid = Grid(contract)
    if grid.size <= count:
        return tuple(map(grid.point, range(grid.size)))
    random, numbers = Random(seed), dict[int, None]()  # noqa: S311 - not for secrets
    while len(numbers) < count:
        numbers[random.randrange(grid.size)] = None
    return tuple(map(grid.point, numbers))


def point_returns(
    contract: "StrategyContract", points: "Sequence[Parameters]", ground: Ground
) -> "PointReturns":
    """Return what points of a contract earn, from the numpy back-end; runs no foreign code.

    Raises:
        InvalidContractError: The contract uses what the back-end does not know.
        InvalidParametersError: A point is not one of the contract's space.
    """
    # keeps start-up fast: numpy
    import numpy as np  # noqa: PLC0415

    from stratlab.contract.vectorised import screen_grid  # noqa: PLC0415
    from stratlab.evaluation.repricing import window_rows  # noqa: PLC0415
    from stratlab.evaluation.selection import PointReturns  # noqa: PLC0415

    total = np.zeros((len(points), len(ground.sessions)))
    for panel in ground.panels:
        grid = screen_grid(
            contract,
            panel,
            points,
            first_bar=window_rows(panel, ground.window).start,
            capital=ground.capital,
            cost_model=ground.costs,
            with_daily_returns=True,
        )
        daily = grid.daily_returns
        if daily is None:
            raise AssertionError("unreachable: daily returns were asked for")
        # Stopped for its leverage or wiped out: what it earned afterwards has no meaning.
        ended = (grid.max_leverage > ground.max_leverage) | ~(daily > -1.0).all(axis=1)
        total += np.where(ended[:, None], np.nan, daily)
    return PointReturns(
        points=tuple(points),
        returns=total / len(ground.panels),
        benchmark=ground.benchmark,
        sessions_per_year=ground.sessions_per_year,
    )


def _sessions(panel: PricePanel, window: Window) -> tuple[int, ...]:
    from stratlab.evaluation.repricing import (  # noqa: PLC0415 - keeps start-up fast
        session_ends,
        window_rows,
    )

    rows = window_rows(panel, window)
    return tuple(panel.sessions[rows][session_ends(panel, rows)].tolist())
