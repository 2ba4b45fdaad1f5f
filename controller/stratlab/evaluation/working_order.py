"""An open order as the host keeps it: what is left of it, its levels and its triggers."""

import math
from dataclasses import dataclass
from typing import Self, final

from stratlab.domain.trial import Order, OrderKind

LEGS = frozenset({OrderKind.BRACKET_STOP, OrderKind.BRACKET_TAKE})
"""The order kinds that rest until their parent has filled."""


@final
@dataclass(slots=True)
class WorkingOrder:
    """A mutable order in the book of one symbol.

    Attributes:
        number: As in the order log.
        kind: Order type; a bracket leg keeps its kind for life.
        amount: Signed whole shares, filled ones included.
        filled: Signed whole shares that were executed.
        limit, stop: Levels that still bind, None once they do not.
        stop_reached, limit_reached: Triggers of the ``zipline`` cost model; they stay set.
        parent, distance: Of a bracket leg; the distance follows splits.
        commission: Account currency charged so far.
    """

    number: int
    kind: OrderKind
    amount: int
    limit: float | None
    stop: float | None
    parent: int | None = None
    distance: float | None = None
    filled: int = 0
    stop_reached: bool = False
    limit_reached: bool = False
    commission: float = 0.0

    @classmethod
    def place(cls, order: Order) -> Self:
        """Return the fresh working order of a log entry."""
        return cls(
            number=order.number,
            kind=order.kind,
            amount=order.amount,
            limit=order.limit_price,
            stop=order.stop_price,
            parent=order.parent,
            distance=order.distance,
        )

    @property
    def open_amount(self) -> int:
        """Signed shares that are still to be executed."""
        return self.amount - self.filled

    @property
    def direction(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self.amount > 0 else -1

    def split(self, ratio: float) -> None:
        """Apply a split: shares truncated towards zero, levels rounded to the cent.

        Source: ``zipline.finance.order.Order.handle_split`` of zipline-reloaded 3.2.1.
        """
        remaining = int(self.open_amount / ratio)
        self.filled = int(self.filled / ratio)
        self.amount = self.filled + remaining
        if self.limit is not None:
            self.limit = round(self.limit * ratio, 2)
        if self.stop is not None:
            self.stop = round(self.stop * ratio, 2)
        if self.distance is not None:
            self.distance *= ratio

    def charge(self, traded: int, per_share: float) -> float:
        """Return the commission of an execution of ``traded`` shares and remember it.

        Call it before the execution is added to ``filled``. After a split between two partial
        fills the result can be negative; nothing is charged then, but it is remembered.

        Source: ``zipline.finance.commission.PerShare`` of zipline-reloaded 3.2.1.
        """
        cost = abs(traded * per_share)
        if self.commission != 0:
            cost = abs(self.filled * per_share) + cost - self.commission
        self.commission += cost
        return max(cost, 0.0)


@final
@dataclass(frozen=True, slots=True)
class Bar:
    """One symbol's prices and volume in one bar (account currency, shares)."""

    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def trades(self) -> bool:
        """Whether anything can fill: there is volume and a close."""
        return self.volume > 0 and not math.isnan(self.close) and not math.isnan(self.open)


@final
@dataclass(frozen=True, slots=True)
class Execution:
    """Signed shares of an order executed at a price, slippage included.

    ``ambiguous``: another leg of the bracket was touched inside the same bar.
    """

    order: WorkingOrder
    amount: int
    price: float
    ambiguous: bool = False
