"""The position of one symbol: shares, cost basis and what its round trips earned."""

from dataclasses import dataclass, field
from typing import final


@final
@dataclass(slots=True)
class Position:
    """Shares held and their cost basis, kept as zipline keeps them.

    The cost basis matters for cash: a split pays its fractional share at the rounded basis.

    Attributes:
        amount: Signed whole shares.
        cost_basis: Account currency per share, commissions included.

    Source: ``zipline.finance.position.Position`` of zipline-reloaded 3.2.1.
    """

    amount: int = 0
    cost_basis: float = 0.0

    def execute(self, amount: int, price: float) -> None:
        """Add an execution of signed ``amount`` shares."""
        total = self.amount + amount
        if total == 0:
            self.cost_basis = 0.0
        elif (self.amount >= 0) != (amount > 0):
            if abs(amount) > abs(self.amount):
                self.cost_basis = price
        else:
            self.cost_basis = (self.cost_basis * self.amount + amount * price) / total
        self.amount = total

    def charge(self, cost: float) -> None:
        """Spread a commission over the shares held."""
        if cost != 0.0 and self.amount != 0:
            self.cost_basis = (self.cost_basis * self.amount + cost) / self.amount

    def split(self, ratio: float) -> float:
        """Apply a split and return the cash for the fractional share (negative for a short)."""
        shares = self.amount / ratio
        whole = int(shares)
        self.cost_basis = round(self.cost_basis * ratio, 2)
        self.amount = whole
        return round((shares - whole) * self.cost_basis, 2)


@final
@dataclass(slots=True)
class RoundTrips:
    """Closed round trips of one symbol by average cost, commissions included.

    Shares that open or enlarge a position enter at their average price; every order that
    reduces it closes one round trip (all its partial fills together), and so does a
    settlement in cash at a delisting. An order that turns a position around closes the old one
    and opens the new one, its commission divided by shares. Splits scale the average cost;
    dividends are income of the account, not of a trip.

    Attributes:
        profits: Order number -> profit in account currency; settlements count down from -1.
    """

    profits: dict[int, float] = field(default_factory=dict)
    _amount: int = 0
    _cost: float = 0.0

    def fill(self, number: int, amount: int, price: float, commission: float) -> None:
        """Add an execution."""
        closing = 0
        if self._amount * amount < 0:
            closing = min(abs(amount), abs(self._amount)) * (1 if amount > 0 else -1)
            fee = commission * closing / amount
            profit = closing * (self._cost - price) - fee
            self.profits[number] = self.profits.get(number, 0.0) + profit
            self._amount += closing
        opening = amount - closing
        if opening:
            fee = commission * opening / amount
            value = self._cost * self._amount + price * opening + fee
            self._amount += opening
            self._cost = value / self._amount

    def settle(self, price: float) -> None:
        """Close what is held at ``price`` without a fee."""
        settlements = sum(number < 0 for number in self.profits)
        self.fill(-1 - settlements, -self._amount, price, 0.0)

    def split(self, ratio: float, amount: int) -> None:
        """Scale the average cost; ``amount`` whole shares are left."""
        self._cost *= ratio
        self._amount = amount
