"""Equity and figures of accounts, by the definitions of the host's own metrics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratlab.contract.vectorised.account import Accounts, Booking
    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.desk import Desk
    from stratlab.domain.market import PricePanel

_CELLS = 1 << 16
"""Numbers in a block of equity curves: few enough to stay in the processor's cache."""


@final
@dataclass(frozen=True, slots=True)
class Figures:
    """See :class:`stratlab.contract.vectorised.GridResult`."""

    final_return: "Floats"
    sharpe_ratio: "Floats"
    max_drawdown: "Floats"
    max_leverage: "Floats"
    trades: "Numbers"
    turnover: "Floats"
    daily_returns: "Floats | None"


def figures(
    accounts: "Accounts", panel: "PricePanel", first_bar: int, *, with_daily_returns: bool
) -> Figures:
    """Return the figures of each point.

    Args:
        accounts: After they have run.
        panel: What they ran on.
        first_bar: Row of the first traded bar.
        with_daily_returns: Whether to keep the daily returns.
    """
    sessions = panel.sessions[first_bar:]
    ends = np.append(np.flatnonzero(np.diff(sessions)), len(sessions) - 1)
    count, capital = len(accounts.points), accounts.capital
    final, sharpe, drawdown, leverage, turnover = (np.full(count, np.nan) for _ in range(5))
    traded, years = _traded(accounts), len(ends) / panel.sessions_per_year
    returns = np.empty((count, len(ends))) if with_daily_returns else None
    for block, at_close, gross in equity(accounts):
        path = np.empty((len(at_close), len(ends) + 1))
        path[:, 0] = capital
        path[:, 1:] = at_close if len(ends) == len(sessions) else at_close[:, ends]
        final[block] = path[:, -1] / capital - 1.0
        drawdown[block] = (path / np.maximum.accumulate(path, axis=1)).min(axis=1) - 1.0
        with np.errstate(all="ignore"):
            daily = np.diff(path, axis=1) / path[:, :-1]
            sharpe[block] = _sharpe(daily, panel.sessions_per_year)
            # As zipline has it: below zero where the equity is, which no limit sees.
            leverage[block] = np.fmax.reduce(gross / at_close, axis=1)
        turnover[block] = traded[block] / years / path[:, 1:].mean(axis=1)
        # After a close without equity returns have no meaning.
        wiped_out = path.min(axis=1) <= 0
        sharpe[block][wiped_out] = np.nan
        turnover[block][wiped_out] = np.nan
        if returns is not None:
            returns[block] = daily
    return Figures(final, sharpe, drawdown, leverage, _trades(accounts), turnover, returns)


def equity(accounts: "Accounts") -> "Iterator[tuple[slice, Floats, Floats]]":
    """Yield blocks of points with what they are worth at the close of each traded row.

    Yields:
        Which points, their equity and their gross exposure, both of shape (points, T).
    """
    count, rows = len(accounts.points), accounts.rows
    flows = _Changes.of(accounts, (_flows(accounts.desks, each) for each in accounts.bookings))
    steps = [
        _Changes.of(
            accounts,
            (_steps(desk, each) for each in accounts.bookings if each.symbol == symbol),
        )
        for symbol, desk in enumerate(accounts.desks)
    ]
    height = max(_CELLS // rows, 1)
    for begin in range(0, count, height):
        block = slice(begin, min(begin + height, count))
        found = flows.summed(block)
        found += accounts.capital
        gross = np.zeros_like(found)
        for desk, own in zip(accounts.desks, steps, strict=True):
            held = own.summed(block)
            held *= desk.marks
            found += held
            gross += np.abs(held, out=held)
        yield block, found, gross


def _sharpe(returns: "Floats", sessions_per_year: int) -> "Floats":
    days = returns.shape[1]
    if days < 2:  # noqa: PLR2004 - one number has no deviation
        return np.full(len(returns), np.nan)
    mean = returns.mean(axis=1)
    returns = returns - mean[:, None]
    deviation = np.sqrt(np.einsum("ij,ij->i", returns, returns) / (days - 1))
    sharpe: Floats = mean / deviation * np.sqrt(sessions_per_year)
    return np.where(np.isfinite(sharpe), sharpe, np.nan)


@final
@dataclass(frozen=True, slots=True)
class _Changes:
    # Changes of some amount at cells of a table of points and rows, ordered by cell.
    rows: int
    cells: "Numbers"
    amounts: "Floats"

    @classmethod
    def of(
        cls, accounts: "Accounts", parts: "Iterator[Iterator[tuple[Numbers, Numbers, Floats]]]"
    ) -> Self:
        rows = accounts.rows
        cells, amounts = [np.empty(0, dtype=np.intp)], [np.empty(0)]
        for part in parts:
            for point, row, amount in part:
                # What comes after the last row never comes.
                (known,) = ((row < rows) & (amount != 0.0)).nonzero()
                cells.append(point[known] * rows + row[known])
                amounts.append(amount[known])
        joined = np.concatenate(cells)
        order = np.argsort(joined, kind="stable")
        return cls(rows, joined[order], np.concatenate(amounts)[order])

    def summed(self, block: slice) -> "Floats":
        """Return the sum of all changes up to each row, shape (points of the block, rows)."""
        first, last = block.start * self.rows, block.stop * self.rows
        inside = slice(*np.searchsorted(self.cells, (first, last)))
        sums = np.bincount(
            self.cells[inside] - first, weights=self.amounts[inside], minlength=last - first
        )
        table = np.asarray(sums, dtype=np.float64).reshape(-1, self.rows)
        return np.cumsum(table, axis=1, out=table)


def _flows(
    desks: "Sequence[Desk]", booking: "Booking"
) -> "Iterator[tuple[Numbers, Numbers, Floats]]":
    point, desk = booking.positions.entries.point, desks[booking.symbol]
    yield point, booking.entry_row, booking.entry_flow
    yield point, booking.exit_row, booking.exit_flow
    for split, row in enumerate(desk.split_rows.tolist()):
        yield point, np.full(len(point), row), booking.split_flows[:, split]
    if len(desk.pay_rows):
        earned = desk.earned(booking)
        held, paid = earned.nonzero()
        yield point[held], desk.pay_rows[paid], earned[held, paid]


def _steps(desk: "Desk", booking: "Booking") -> "Iterator[tuple[Numbers, Numbers, Floats]]":
    positions, number = booking.positions, np.arange(len(booking.entry_row))
    point, shares = positions.entries.point, positions.shares * positions.entries.side[:, None]
    yield point, booking.entry_row, shares[number, desk.epoch(booking.entry_row, "right")]
    yield point, booking.exit_row, -shares[number, desk.epoch(booking.exit_row, "right")]
    for split, row in enumerate(desk.split_rows.tolist()):
        held = (booking.entry_row < row) & (row <= booking.exit_row)
        change = np.where(held, shares[:, split + 1] - shares[:, split], 0.0)
        yield point, np.full(len(point), row), change


def _trades(accounts: "Accounts") -> "Numbers":
    trades = np.zeros(len(accounts.points), dtype=np.intp)
    for booking in accounts.bookings:
        closed = (booking.exit_row < accounts.rows) & (booking.exit_flow != 0.0)
        trades[booking.positions.entries.point[closed]] += 1
    return trades


def _traded(accounts: "Accounts") -> "Floats":
    # What a fill pays or earns is its value and its fee; a settlement in cash is no fill.
    traded, fee = np.zeros(len(accounts.points)), accounts.costs.commission_per_share
    for booking in accounts.bookings:
        positions, desk = booking.positions, accounts.desks[booking.symbol]
        number, count = np.arange(len(booking.entry_row)), desk.brackets.count
        side = positions.entries.side
        opened, closed = positions.entry_bar < count, positions.exit_bar < count
        for row, filled, flow, sign in (
            (booking.entry_row, opened, booking.entry_flow, -side),
            (booking.exit_row, closed, booking.exit_flow, side),
        ):
            shares = positions.shares[number, desk.epoch(row, "right")]
            value = np.where(filled, sign * (flow + fee * shares), 0.0)
            np.add.at(traded, positions.entries.point, value)
    return traded
