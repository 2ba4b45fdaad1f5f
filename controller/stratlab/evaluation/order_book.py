"""The open orders of one symbol, in the order of placing."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.trial import Order
from stratlab.evaluation.working_order import LEGS, WorkingOrder


@final
@dataclass(slots=True)
class OrderBook:
    """Every change takes time in proportion to what it changes, for a log may be hostile.

    Attributes:
        orders: Number -> open order, in the order of placing; sleeping legs included.
    """

    orders: dict[int, WorkingOrder] = field(default_factory=dict)
    _legs: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def place(self, order: Order) -> None:
        """Add the order of a log entry."""
        self.orders[order.number] = WorkingOrder.place(order)
        if order.parent is not None:
            self._legs[order.parent].add(order.number)

    def drop(self, number: int) -> None:
        """Remove an order that ends without a fill; the legs that wait for it end too."""
        if self.orders.pop(number, None) is not None:
            self._drop_legs(number)

    def fill(self, order: WorkingOrder) -> None:
        """Remove an order that was executed in full; a leg takes the other one along."""
        del self.orders[order.number]
        if order.kind in LEGS and order.parent is not None:
            self._drop_legs(order.parent)

    def split(self, ratio: float) -> None:
        """Apply a split to every order and drop those that it leaves without a share."""
        for order in tuple(self.orders.values()):
            order.split(ratio)
            if order.open_amount == 0:
                self.drop(order.number)

    def clear(self) -> None:
        """Remove everything."""
        self.orders.clear()
        self._legs.clear()

    def _drop_legs(self, parent: int) -> None:
        for leg in self._legs.pop(parent, ()):
            self.orders.pop(leg, None)
