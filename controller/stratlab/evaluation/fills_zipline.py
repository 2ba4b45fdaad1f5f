"""Fills of the ``zipline`` cost model: at the close, in parts, triggered by closes."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.trial import OrderKind
from stratlab.evaluation.working_order import Bar, Execution, WorkingOrder

SLIPPAGE_BPS = 5.0
VOLUME_LIMIT = 0.1
COMMISSION_PER_SHARE = 0.001


@final
@dataclass(frozen=True, slots=True)
class ZiplineFills:
    """Zipline's defaults for equities, exactly as a plain ``run_algorithm`` has them.

    Attributes:
        slippage_bps: Adverse price move of every fill, in basis points.
        commission_per_share: Account currency.

    Source: ``FixedBasisPointsSlippage`` and ``SlippageModel.simulate`` in
    ``zipline.finance.slippage``, ``Order.check_triggers`` in ``zipline.finance.order``, of
    zipline-reloaded 3.2.1.
    """

    slippage_bps: float = SLIPPAGE_BPS
    commission_per_share: float = COMMISSION_PER_SHARE

    def executions(self, book: Sequence[WorkingOrder], bar: Bar) -> Iterator[Execution]:
        """Yield the executions of one bar, in the order of placing.

        All orders of the symbol share a tenth of the bar's volume. The first triggered order
        that finds nothing left ends the bar: those behind it are not looked at, so that their
        triggers stay as they are. A trigger once reached stays reached.

        Args:
            book: Open orders of one symbol, in the order of placing.
            bar: A bar that trades.
        """
        capacity = int(VOLUME_LIMIT * bar.volume)
        for order in book:
            _check_triggers(order, bar.close)
            if not _triggered(order):
                continue
            shares = min(abs(order.open_amount), capacity)
            if shares == 0:
                return
            capacity -= shares
            price = bar.close + bar.close * (self.slippage_bps / 10000.0 * order.direction)
            yield Execution(order, shares * order.direction, price)

    def reach(self, book: Iterable[WorkingOrder]) -> tuple[float, float] | None:
        """Return the prices that must be reached before anything in the book can happen.

        Args:
            book: Open orders of one symbol.

        Returns:
            A close at or below the first, or at or above the second, may matter; None when the
            next bar may, whatever its close.
        """
        below, above = -math.inf, math.inf
        for order in book:
            if _triggered(order):
                return None
            if order.stop is not None:
                rises, level = order.direction > 0, order.stop
            else:
                assert order.limit is not None, "without levels an order is triggered"
                rises, level = order.direction < 0, order.limit
            if rises:
                above = min(above, level)
            else:
                below = max(below, level)
        return below, above


def _triggered(order: WorkingOrder) -> bool:
    stopped = order.stop is None or order.stop_reached
    return stopped and (order.limit is None or order.limit_reached)


def _check_triggers(order: WorkingOrder, close: float) -> None:
    if _triggered(order):
        return
    # A stop is passed in the order's direction, a limit against it.
    side = order.direction
    stopped = order.stop is not None and side * (close - order.stop) >= 0
    if order.kind is OrderKind.STOP:
        order.stop_reached = stopped
        return
    within = order.limit is not None and side * (close - order.limit) <= 0
    if order.stop is None:
        order.limit_reached = within
    elif stopped:
        order.stop = None
        order.limit_reached = within
