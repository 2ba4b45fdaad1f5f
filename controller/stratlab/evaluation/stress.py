"""The same decisions under other conditions: one bar later, and at other costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.domain.market import CostModel, PricePanel, Window
from stratlab.domain.robustness import CostLadder, Rung
from stratlab.domain.trial import Cancel, Fill, Order, OrderKind, Phase
from stratlab.evaluation.performance import daily_returns, performance
from stratlab.evaluation.repricing import reprice, window_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.evaluation.repricing import Repricing

COST_MULTIPLES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Rungs of the cost ladder; the first is no costs at all."""

_PRECISION = 1e-3  # of a break-even multiple


def delayed(
    log: Sequence[Order | Cancel],
    prices: PricePanel,
    window: Window,
    capital: float,
    costs: CostModel,
    *,
    bars: int = 1,
) -> "Repricing":
    """Return what a trial comes to when everything it did is done some bars later.

    It is the executions that are moved, not the orders: each of them becomes a market order that
    the next bars fill. Moved orders would meet other prices, so that a stop that ended a trade
    would not be reached, or a closing order would find nothing left to close, and the positions
    would have little to do with those that were decided on. Executions of the last bars have no
    bar left and fall away.

    A real edge decays gently under this; one that comes from knowing the next bar collapses.

    Args:
        log: A possible log (:func:`stratlab.evaluation.order_log.find_impossible`).
        prices: The host's prices, beginning before the window.
        window: The traded sessions.
        capital: Starting cash.
        costs: Fills and fees; those of the moved executions are the model's for market orders.
        bars: How much later, at least 1.

    Raises:
        InvalidSpecError: The window holds no session.
        LimitExceededError: The log keeps more orders open than a container can have.
    """
    return Book(log, prices, window, capital, costs).delayed(bars).repriced()


def delayed_orders(
    fills: Sequence[Fill], labels: Sequence[int], *, bars: int = 1
) -> tuple[Order, ...]:
    """Return the log of market orders that repeat executions some bars later.

    Args:
        fills: In stored units, by bar.
        labels: Of the window's bars, ascending.
        bars: How much later, at least 1.
    """
    row_of = {label: row for row, label in enumerate(labels)}
    # What is ordered in a bar fills from the next one on.
    moments = ((fill, row_of[fill.bar] + bars - 1) for fill in fills)
    return tuple(
        Order(
            number=number,
            bar=labels[row],
            phase=Phase.BAR,
            symbol=fill.symbol,
            amount=int(fill.amount),
            kind=OrderKind.MARKET,
        )
        for number, (fill, row) in enumerate(
            ((fill, row) for fill, row in moments if row < len(labels)), start=1
        )
    )


@final
@dataclass(frozen=True, slots=True)
class Book:
    """The order log of one market's trial, and all it takes to reprice it."""

    log: Sequence[Order | Cancel]
    prices: PricePanel
    window: Window
    capital: float
    costs: CostModel

    def repriced(self, cost_multiple: float = 1.0) -> "Repricing":
        """Return the trial at a multiple of its slippage and commission."""
        return reprice(
            self.log,
            self.prices,
            self.window,
            self.capital,
            self.costs,
            cost_multiple=cost_multiple,
        )

    def delayed(self, bars: int = 1) -> "Book":
        """Return the same executions some bars later, see :func:`delayed`."""
        labels = self.prices.bars[window_rows(self.prices, self.window)].tolist()
        return replace(self, log=delayed_orders(self.repriced().fills, labels, bars=bars))


def mean_returns(repriced: "Sequence[Repricing]", capital: float) -> "NDArray[np.float64]":
    """Return the daily returns of several accounts in equal parts, NaN once one is wiped out."""
    returns = [daily_returns(each.equity[each.ends], capital) for each in repriced]
    mean: NDArray[np.float64] = np.mean(returns, axis=0)
    return mean


def cost_ladder(
    books: Sequence[Book],
    benchmark: "NDArray[np.float64]",
    sessions_per_year: int,
    multiples: Sequence[float] = COST_MULTIPLES,
) -> CostLadder:
    """Return what the same orders come to at other costs, and where they break even.

    The benchmark keeps the campaign's costs: it trades once. Executions are those that the same
    orders have then: a bracket's levels follow the price of its entry, slippage included.

    Args:
        books: Of each market; together they are in equal parts.
        benchmark: Daily returns of the campaign's benchmark, shape (sessions,).
        sessions_per_year: What they are annualised with.
        multiples: Rungs, ascending, of slippage and commission.
    """
    rungs = []
    for multiple in multiples:
        repriced = [book.repriced(multiple) for book in books]
        found = performance(mean_returns(repriced, books[0].capital), benchmark, sessions_per_year)
        rungs.append(Rung(multiple, found, sum(len(each.fills) for each in repriced)))

    def gain(multiple: float) -> float:
        returns = mean_returns([book.repriced(multiple) for book in books], books[0].capital)
        return float(np.prod(1.0 + returns)) - 1.0

    hurdle = float(np.prod(1.0 + benchmark)) - 1.0
    return CostLadder(
        rungs=tuple(rungs),
        break_even=_break_even(gain, rungs, 0.0),
        excess_break_even=_break_even(gain, rungs, hurdle),
    )


def _break_even(
    gain: Callable[[float], float], rungs: Sequence[Rung], hurdle: float
) -> float | None:
    # Between the first rung that is not above the hurdle and the one before it; an account that
    # was wiped out is not above anything.
    above = [
        total is not None and total > hurdle
        for total in (rung.performance.cum_returns_final for rung in rungs)
    ]
    if all(above):
        return None
    first = above.index(False)
    if first == 0:
        return rungs[0].level
    low, high = rungs[first - 1].level, rungs[first].level
    while high - low > _PRECISION:
        middle = (low + high) / 2.0
        low, high = (middle, high) if gain(middle) > hurdle else (low, middle)
    return low
