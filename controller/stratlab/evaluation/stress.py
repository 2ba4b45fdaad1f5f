"""The same decisions under other conditions: one bar later, at other costs, in thinner markets."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stratlab.domain.market import CostModel, PricePanel, Window
from stratlab.domain.trial import Cancel, Fill, Order, OrderKind, Phase
from stratlab.evaluation.repricing import reprice, window_rows

if TYPE_CHECKING:
    from stratlab.evaluation.repricing import Repricing


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
    honest = reprice(log, prices, window, capital, costs)
    labels = prices.bars[window_rows(prices, window)].tolist()
    moved = delayed_orders(honest.fills, labels, bars=bars)
    return reprice(moved, prices, window, capital, costs)


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


def scaled_costs(costs: CostModel, multiple: float) -> CostModel:
    """Return a cost model with its slippage and commission multiplied."""
    return replace(
        costs,
        slippage_bps=costs.slippage_bps * multiple,
        commission_per_share=costs.commission_per_share * multiple,
    )
