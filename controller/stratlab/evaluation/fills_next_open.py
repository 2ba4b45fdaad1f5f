"""Fills of the ``next_open`` cost model: at the next open, with brackets inside the bar."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.market import CostModel
from stratlab.domain.trial import OrderKind
from stratlab.evaluation.working_order import Bar, Execution, WorkingOrder

TICK = 0.01


def round_to_tick(price: float) -> float:
    """Return the nearest multiple of a cent, halves upwards."""
    return math.floor(price / TICK + 0.5) * TICK


@final
@dataclass(slots=True)
class NextOpenFills:
    """Our default model, for the orders of one symbol.

    A buy is described; a sell is the mirror image. ``s`` is the slippage as a fraction.

    - Nothing fills beyond the volume limit: an order larger than that waits, whole.
    - Market: at the open times (1 + s).
    - Limit: at the open when it is at or below the limit, else at the limit when the low
      touches it; no slippage.
    - Stop: at the open times (1 + s) when it is at or above the stop, else at the stop times
      (1 + s) when the high touches it.
    - Stop limit: a plain limit order from the bar after the one that touched its stop.
    - Bracket legs sleep until their entry has filled, then rest at its price minus and plus
      their distance, rounded to a cent, from that very bar on. An open beyond a level fills at
      the open; when both levels are touched inside a bar, the path goes first to the extreme
      that is nearer to the open (the low in a tie), and the execution is ambiguous. The stop
      leg has slippage, the take leg has none. The leg that fills drops the other one.

    Attributes:
        slippage: As a fraction.
        volume_limit: Largest fraction of a bar's volume that one order may take.
        commission_per_share: Account currency.
        entries: Number of each filled market order -> its fill price and direction.
    """

    slippage: float
    volume_limit: float
    commission_per_share: float
    entries: dict[int, tuple[float, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, costs: CostModel, multiple: float = 1.0) -> "NextOpenFills":
        """Return the model with the costs of a campaign, or with a multiple of them."""
        return cls(
            slippage=costs.slippage_bps / 1e4 * multiple,
            volume_limit=costs.volume_limit,
            commission_per_share=costs.commission_per_share * multiple,
        )

    def executions(self, book: Sequence[WorkingOrder], bar: Bar) -> Iterator[Execution]:
        """Yield the executions of one bar, in the order of placing.

        Args:
            book: Open orders of one symbol, in the order of placing; sleeping legs included.
            bar: A bar that trades.
        """
        capacity = self.volume_limit * bar.volume
        legs: dict[int, list[WorkingOrder]] = defaultdict(list)
        for order in book:
            if order.parent is not None:
                legs[order.parent].append(order)
        for order in book:
            if order.parent is not None:
                # The legs of one entry are decided together, at the place of the first.
                if order.parent not in self.entries or order.parent not in legs:
                    continue
                group = legs.pop(order.parent)
                execution = self._first_leg(group, bar, *self.entries[order.parent])
            else:
                execution = self._plain(order, bar)
            if execution is None or abs(execution.amount) > capacity:
                continue
            if order.kind is OrderKind.MARKET:
                self.entries[order.number] = (execution.price, order.direction)
            yield execution

    def reach(self, book: Iterable[WorkingOrder]) -> tuple[float, float] | None:
        """Return the prices that must be reached before anything in the book can happen.

        Args:
            book: Open orders of one symbol.

        Returns:
            A price at or below the first, or at or above the second, may matter; None when the
            next bar may, whatever its prices.
        """
        below, above = -math.inf, math.inf
        for order in book:
            asleep = order.parent is not None and order.parent not in self.entries
            if asleep:
                continue
            # A stop is reached in the order's direction, a limit against it.
            if order.stop is not None:
                rises, level = order.amount > 0, order.stop
            elif order.limit is not None:
                rises, level = order.amount < 0, order.limit
            else:
                return None
            if rises:
                above = min(above, level)
            else:
                below = max(below, level)
        return below, above

    def _plain(self, order: WorkingOrder, bar: Bar) -> Execution | None:
        side = order.direction
        # Seen from a buy: the far extreme raises a stop, the near one meets a limit.
        far, near = (bar.high, bar.low) if side > 0 else (bar.low, bar.high)
        price = None
        if order.stop is not None:
            if order.kind is OrderKind.STOP_LIMIT:
                if side * (far - order.stop) >= 0:
                    order.stop = None
                return None
            if side * (bar.open - order.stop) >= 0:
                price = bar.open
            elif side * (far - order.stop) >= 0:
                price = order.stop
        elif order.limit is not None:
            if side * (bar.open - order.limit) <= 0:
                return Execution(order, order.open_amount, bar.open)
            if side * (near - order.limit) <= 0:
                return Execution(order, order.open_amount, order.limit)
        else:
            price = bar.open
        if price is None:
            return None
        return Execution(order, order.open_amount, price * (1 + side * self.slippage))

    def _first_leg(
        self, legs: Sequence[WorkingOrder], bar: Bar, entry_price: float, entry_side: int
    ) -> Execution | None:
        side = -entry_side
        low, high = min(bar.low, bar.open), max(bar.high, bar.open)
        loss, gain = (high, low) if side > 0 else (low, high)
        touched: set[OrderKind] = set()
        for leg in legs:
            if leg.distance is not None:
                _wake(leg, entry_price, entry_side)
            if leg.stop is not None and side * (loss - leg.stop) >= 0:
                touched.add(leg.kind)
            if leg.limit is not None and side * (gain - leg.limit) <= 0:
                touched.add(leg.kind)
        if not touched:  # by far the most frequent case
            return None
        # The stop leg wins where one price reaches both.
        legs = sorted(legs, key=lambda leg: leg.kind is OrderKind.BRACKET_TAKE)
        high_first = bar.high - bar.open < bar.open - bar.low
        extremes = (bar.high, bar.low) if high_first else (bar.low, bar.high)
        for price in (bar.open, *extremes):
            ambiguous = len(touched) > 1 and price != bar.open
            for leg in legs:
                if leg.stop is not None and side * (price - leg.stop) >= 0:
                    reached = bar.open if price == bar.open else leg.stop
                    paid = reached * (1 + side * self.slippage)
                    return Execution(leg, leg.open_amount, paid, ambiguous)
                if leg.limit is not None and side * (price - leg.limit) <= 0:
                    reached = bar.open if price == bar.open else leg.limit
                    return Execution(leg, leg.open_amount, reached, ambiguous)
        return None


def _wake(leg: WorkingOrder, entry_price: float, entry_side: int) -> None:
    distance = leg.distance or 0.0
    if leg.kind is OrderKind.BRACKET_STOP:
        leg.stop = round_to_tick(entry_price - entry_side * distance)
    else:
        leg.limit = round_to_tick(entry_price + entry_side * distance)
    leg.distance = None
