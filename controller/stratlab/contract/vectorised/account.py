"""The accounts of all points: sizes of positions, cash, and equity at every bar.

Symbols of one account meet in its equity alone: it decides how large a position is. Positions are
therefore taken in the order of their decisions, each together with all that becomes of it.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.semantics import TICK
from stratlab.contract.vectorised.brackets import Entries, Positions, to_cents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.contract.model import AtrDistance, PercentDistance, RiskModel, TicksDistance
    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.desk import Desk
    from stratlab.contract.vectorised.points import Points
    from stratlab.domain.market import CostModel


_NEVER = np.iinfo(np.intp).max


@final
@dataclass(frozen=True, slots=True)
class Booking:
    """Positions of one symbol as the account sees them; rows count from the first traded bar.

    Attributes:
        symbol: Number of the symbol.
        positions: The positions.
        entry_row: Row of the fill, the number of rows when it never came.
        exit_row: Row of the closing fill or settlement, the number of rows when there is none.
        entry_flow, exit_flow: Cash received, commissions taken off.
        split_flows: Cash for fractional shares at each split, shape (n, J).
    """

    symbol: int
    positions: Positions
    entry_row: "Numbers"
    exit_row: "Numbers"
    entry_flow: "Floats"
    exit_flow: "Floats"
    split_flows: "Floats"


@final
@dataclass(slots=True)
class Accounts:
    """Runs all points of a grid.

    Attributes:
        points: The points, P of them.
        desks: One for each symbol that has bars.
        share: Of the equity that each symbol may use.
        risk: Sizes and distances.
        costs: Fees.
        capital: Starting cash.
        rows: Number of traded rows.
        bookings: All positions.
    """

    points: "Points"
    desks: "Sequence[Desk]"
    share: float
    risk: "RiskModel"
    costs: "CostModel"
    capital: float
    rows: int
    bookings: list[Booking] = field(default_factory=list)

    def run(self) -> None:
        """Take every position of every point."""
        count = len(self.points)
        everyone = np.arange(count)
        bars = [desk.decision(everyone, np.zeros(count, dtype=np.intp)) for desk in self.desks]
        books = [_Book.of(desk, count) for desk in self.desks]
        while self.desks and count:
            rows = np.stack([desk.row(bar) for desk, bar in zip(self.desks, bars, strict=True)])
            turn, due = rows.argmin(axis=0), rows.min(axis=0)
            if int(due.min(initial=_NEVER)) == _NEVER:
                return
            for symbol, desk in enumerate(self.desks):
                (chosen,) = ((turn == symbol) & (due < _NEVER)).nonzero()
                if not len(chosen):
                    continue
                books[symbol].close(chosen)
                equity = self._equity(books, chosen, due[chosen])
                entries, taken = self._entries(desk, chosen, bars[symbol][chosen], equity)
                ready = bars[symbol][chosen] + 1
                if len(entries.point):
                    positions = desk.brackets.trade(entries)
                    booking = self._book(symbol, desk, positions)
                    self.bookings.append(booking)
                    books[symbol].open(booking)
                    ready[taken] = positions.exit_bar
                bars[symbol][chosen] = desk.decision(chosen, ready)

    def _equity(self, books: "Sequence[_Book]", chosen: "Numbers", rows: "Numbers") -> "Floats":
        equity = np.full(len(chosen), self.capital)
        for book in books:
            equity += book.worth(chosen, rows)
        return equity

    def _entries(
        self, desk: "Desk", chosen: "Numbers", bars: "Numbers", equity: "Floats"
    ) -> tuple[Entries, "Numbers"]:
        # The entries that are placed, and which of the chosen points they belong to.
        risk, close = self.risk, desk.brackets.close[bars]
        distances = {
            name: self._distance(distance, desk, chosen, bars, close)
            for name, distance in (
                ("stop", risk.stop),
                ("take", risk.take),
                ("trigger", risk.breakeven.trigger if risk.breakeven else None),
                ("trail", risk.trailing.distance if risk.trailing else None),
            )
            if distance is not None
        }
        share = equity * self.share
        with np.errstate(all="ignore"):
            shares = self._shares(share, close, distances.get("stop"))
        allowed = shares >= 1
        for distance in distances.values():
            allowed &= np.isfinite(distance) & (distance > 0)
        (taken,) = allowed.nonzero()
        none = np.full(len(chosen), np.nan)
        found = {
            name: distances.get(name, none)[taken] for name in ("stop", "take", "trigger", "trail")
        }
        point, bar = chosen[taken], bars[taken]
        return Entries(point, bar, desk.side(point, bar), shares[taken], **found), taken

    def _shares(self, equity: "Floats", close: "Floats", stop: "Floats | None") -> "Floats":
        sizing = self.risk.sizing
        if sizing.kind == "units":
            return np.full(len(equity), float(sizing.units))
        if sizing.kind == "percent_equity":
            return np.floor(equity * sizing.percent / 100.0 / close)
        assert stop is not None, "the contract's own checks want a stop for this sizing"
        shares = np.minimum(equity * sizing.percent / 100.0 / stop, equity / close)
        return np.floor(shares / sizing.unit_step) * sizing.unit_step

    def _distance(
        self,
        distance: "AtrDistance | PercentDistance | TicksDistance",
        desk: "Desk",
        points: "Numbers",
        bars: "Numbers",
        close: "Floats",
    ) -> "Floats":
        if distance.kind == "atr":
            mult = self.points.resolved(distance.mult)[points].astype(np.float64)
            return mult * desk.value(distance.indicator, points, bars)
        value = self.points.resolved(distance.value)[points].astype(np.float64)
        return close * value / 100.0 if distance.kind == "percent" else value * TICK

    def _book(self, symbol: int, desk: "Desk", positions: Positions) -> Booking:
        brackets, side = desk.brackets, positions.entries.side
        opened, closed = positions.entry_bar < brackets.count, positions.exit_bar < brackets.count
        entry_row = self._row(desk, positions.entry_bar)
        exit_row = self._row(desk, positions.exit_bar)
        fee = self.costs.commission_per_share
        first = _at(positions.shares, desk.epoch(entry_row, "right"))
        price = np.where(opened, positions.entry_price, 0.0)
        entry_flow = np.where(opened, -(side * price + fee) * first, 0.0)
        last = _at(positions.shares, desk.epoch(exit_row, "right"))
        exit_flow = np.where(closed, (side * positions.exit_price - fee) * last, 0.0)
        if desk.settled is not None:
            row, mark = desk.settled
            left = opened & ~closed
            exit_row = np.where(left, row, exit_row)
            held = _at(positions.shares, desk.epoch(exit_row, "right"))
            exit_flow = np.where(left, side * mark * held, exit_flow)
        flows = _split_flows(positions, desk, entry_row, exit_row, price + side * fee)
        return Booking(symbol, positions, entry_row, exit_row, entry_flow, exit_flow, flows)

    def _row(self, desk: "Desk", bars: "Numbers") -> "Numbers":
        return np.minimum(desk.row(bars), self.rows)


def _at(shares: "Floats", epoch: "Numbers") -> "Floats":
    return shares[np.arange(len(shares)), epoch]


def _split_flows(
    positions: Positions, desk: "Desk", entry_row: "Numbers", exit_row: "Numbers", basis: "Floats"
) -> "Floats":
    # A fractional share is paid at the rounded cost basis, commission included.
    rows, side = desk.split_rows, positions.entries.side
    flows = np.zeros((len(basis), len(rows)))
    for split, row in enumerate(rows.tolist()):
        (held,) = ((entry_row < row) & (row <= exit_row)).nonzero()
        ratio = desk.brackets.split_ratios[split]
        basis[held] = to_cents(basis[held] * ratio)
        exact = positions.shares[held, split] / ratio
        rest = side[held] * (exact - np.trunc(exact))
        flows[held, split] = to_cents(rest * basis[held])
    return flows


@final
@dataclass(slots=True)
class _Book:
    # One symbol's part of all accounts: what is settled, and the newest position of each point.
    desk: "Desk"
    cash: "Floats"
    entry_row: "Numbers"
    exit_row: "Numbers"
    entry_flow: "Floats"
    exit_flow: "Floats"
    side: "Numbers"
    shares: "Floats"
    split_flows: "Floats"
    dividends: "Floats"

    @classmethod
    def of(cls, desk: "Desk", count: int) -> "_Book":
        splits = len(desk.split_rows)
        return cls(
            desk=desk,
            cash=np.zeros(count),
            entry_row=np.full(count, _NEVER),
            exit_row=np.full(count, _NEVER),
            entry_flow=np.zeros(count),
            exit_flow=np.zeros(count),
            side=np.zeros(count, dtype=np.intp),
            shares=np.zeros((count, splits + 1)),
            split_flows=np.zeros((count, splits)),
            dividends=np.zeros((count, len(desk.pay_rows))),
        )

    def close(self, points: "Numbers") -> None:
        """Settle the newest positions, which have ended."""
        self.cash[points] += self.entry_flow[points] + self.exit_flow[points]
        self.cash[points] += self.split_flows[points].sum(axis=1)
        self.entry_row[points] = self.exit_row[points] = _NEVER
        self.entry_flow[points] = self.exit_flow[points] = 0.0
        self.split_flows[points] = 0.0

    def open(self, booking: Booking) -> None:
        """Keep new positions."""
        points = booking.positions.entries.point
        self.entry_row[points], self.exit_row[points] = booking.entry_row, booking.exit_row
        self.entry_flow[points], self.exit_flow[points] = booking.entry_flow, booking.exit_flow
        self.side[points] = booking.positions.entries.side
        self.shares[points] = booking.positions.shares
        self.split_flows[points] = booking.split_flows
        if self.dividends.size:
            self.dividends[points] += self.desk.earned(booking)

    def worth(self, points: "Numbers", rows: "Numbers") -> "Floats":
        """Return cash from this symbol and what its shares are worth at the close of rows."""
        desk = self.desk
        entered, left = self.entry_row[points] <= rows, self.exit_row[points] <= rows
        worth = self.cash[points]
        worth += np.where(entered, self.entry_flow[points], 0.0)
        worth += np.where(left, self.exit_flow[points], 0.0)
        if len(desk.split_rows):
            paid = desk.split_rows <= rows[:, None]
            worth += np.where(paid, self.split_flows[points], 0.0).sum(axis=1)
        held = entered & ~left
        if held.any():
            shares = _at(self.shares[points], desk.epoch(rows, "right"))
            worth += np.where(held, self.side[points] * shares * desk.marks[rows], 0.0)
        if self.dividends.size:
            paid = desk.pay_rows <= rows[:, None]
            worth += np.where(paid, self.dividends[points], 0.0).sum(axis=1)
        return worth
