"""Equity and figures of accounts, by the definitions of the host's own metrics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.contract.vectorised.account import Accounts
    from stratlab.contract.vectorised.arrays import Floats
    from stratlab.domain.market import PricePanel


@final
@dataclass(frozen=True, slots=True)
class Figures:
    """See :class:`stratlab.contract.vectorised.GridResult`."""

    final_return: "Floats"
    sharpe_ratio: "Floats"
    max_drawdown: "Floats"
    trades: "NDArray[np.int64]"
    daily_returns: "Floats"


def figures(accounts: "Accounts", panel: "PricePanel", first_bar: int) -> Figures:
    """Return the figures of each point.

    Args:
        accounts: After they have run.
        panel: What they ran on.
        first_bar: Row of the first traded bar.
    """
    sessions = panel.sessions[first_bar:]
    ends = np.append(np.flatnonzero(np.diff(sessions)), len(sessions) - 1)
    at_close = equity(accounts)
    if len(ends) < len(sessions):
        at_close = at_close[:, ends]
    capital = accounts.capital
    path = np.concatenate([np.full((len(at_close), 1), capital), at_close], axis=1)
    peaks = np.maximum.accumulate(path, axis=1)
    drawdown = (path / peaks - 1.0).min(axis=1)
    with np.errstate(all="ignore"):
        returns = np.diff(path, axis=1) / path[:, :-1]
        deviation = returns.std(axis=1, ddof=1) if returns.shape[1] > 1 else np.nan
        sharpe = returns.mean(axis=1) / deviation * np.sqrt(panel.sessions_per_year)
    # After a close without equity returns have no meaning.
    wiped_out = (at_close <= 0).any(axis=1)
    sharpe = np.where(wiped_out | ~np.isfinite(sharpe), np.nan, sharpe)
    return Figures(
        final_return=at_close[:, -1] / capital - 1.0,
        sharpe_ratio=sharpe,
        max_drawdown=drawdown,
        trades=_trades(accounts),
        daily_returns=returns,
    )


def equity(accounts: "Accounts") -> "Floats":
    """Return cash plus positions at the close of each traded row, shape (P, T)."""
    count, rows = len(accounts.points), accounts.rows
    # One column more takes what never comes.
    flows = np.zeros(count * (rows + 1))
    steps = [np.zeros(count * (rows + 1)) for _ in accounts.desks]
    for booking in accounts.bookings:
        desk, positions = accounts.desks[booking.symbol], booking.positions
        begin = positions.entries.point * (rows + 1)
        entry, left = begin + booking.entry_row, begin + booking.exit_row
        np.add.at(flows, entry, booking.entry_flow)
        np.add.at(flows, left, booking.exit_flow)
        shares = positions.shares * positions.entries.side[:, None]
        own, held = steps[booking.symbol], np.arange(len(begin))
        np.add.at(own, entry, shares[held, desk.epoch(booking.entry_row, "right")])
        np.add.at(own, left, -shares[held, desk.epoch(booking.exit_row, "right")])
        for split, row in enumerate(desk.split_rows.tolist()):
            np.add.at(flows, begin + row, booking.split_flows[:, split])
            change = shares[:, split + 1] - shares[:, split]
            inside = (booking.entry_row < row) & (row <= booking.exit_row)
            np.add.at(own, begin + row, np.where(inside, change, 0.0))
        if len(desk.pay_rows):
            paid = begin[:, None] + desk.pay_rows
            np.add.at(flows, paid.ravel(), desk.earned(booking).ravel())
    found = accounts.capital + np.cumsum(flows.reshape(count, -1)[:, :rows], axis=1)
    for desk, own in zip(accounts.desks, steps, strict=True):
        found += np.cumsum(own.reshape(count, -1)[:, :rows], axis=1) * desk.marks
    return found


def _trades(accounts: "Accounts") -> "NDArray[np.int64]":
    trades = np.zeros(len(accounts.points), dtype=np.int64)
    for booking in accounts.bookings:
        closed = (booking.exit_row < accounts.rows) & (booking.exit_flow != 0.0)
        trades[booking.positions.entries.point[closed]] += 1
    return trades
