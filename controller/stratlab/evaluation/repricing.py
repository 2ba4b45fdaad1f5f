"""Rebuilds fills, cash, positions and equity of a trial from its order log."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.domain.errors import InvalidSpecError, LimitExceededError
from stratlab.domain.market import CostModel, CostModelKind, PricePanel, Window
from stratlab.domain.trial import Cancel, Fill, Order, Phase
from stratlab.domain.valuation import closing_prices
from stratlab.evaluation.fills_next_open import NextOpenFills
from stratlab.evaluation.fills_zipline import COMMISSION_PER_SHARE, SLIPPAGE_BPS, ZiplineFills
from stratlab.evaluation.symbol_replay import SymbolMarket, SymbolReplay

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_VISITS = 10_000_000
"""Open orders looked at, summed over the bars that are visited: up to ten seconds of work for one
hostile log."""


@final
@dataclass(frozen=True, slots=True)
class Repricing:
    """What a trial did, by the host's own arithmetic.

    Attributes:
        bars: UTC epoch seconds of the window's bars, shape (T,).
        symbols: Column order.
        amounts: Signed whole shares at the close, shape (T, N).
        cash: Account currency at the close, shape (T,).
        equity: Cash plus positions at the close, shape (T,).
        leverage: Gross exposure over equity at the close, shape (T,); infinite where equity is
            zero, and negative where it is, as zipline computes it.
        fills: Executions of orders, by bar and number.
        profits: One per closed round trip, in account currency.
        ends: Row of each session's last bar, shape (S,); all rows where bars are daily.
        sessions_per_year: What daily returns are annualised with.
    """

    bars: "NDArray[np.int64]"
    symbols: tuple[str, ...]
    amounts: "NDArray[np.float64]"
    cash: "NDArray[np.float64]"
    equity: "NDArray[np.float64]"
    leverage: "NDArray[np.float64]"
    fills: tuple[Fill, ...]
    profits: tuple[float, ...]
    ends: "NDArray[np.intp]"
    sessions_per_year: int


def window_rows(prices: PricePanel, window: Window) -> slice:
    """Return the rows of ``prices`` that lie in ``window``.

    Raises:
        InvalidSpecError: There are none.
    """
    first, last = (_epoch(day) for day in (window.start, window.end))
    rows = slice(
        int(np.searchsorted(prices.sessions, first)),
        int(np.searchsorted(prices.sessions, last, side="right")),
    )
    if rows.start >= rows.stop:
        raise InvalidSpecError(f"no session between {window.start} and {window.end}")
    return rows


def session_ends(prices: PricePanel, rows: slice) -> "NDArray[np.intp]":
    """Return the row of each session's last bar in a window, counted from the window's start."""
    sessions = prices.sessions[rows]
    return np.append(np.flatnonzero(np.diff(sessions)), len(sessions) - 1)


def reprice(
    log: Sequence[Order | Cancel],
    prices: PricePanel,
    window: Window,
    capital: float,
    costs: CostModel,
    *,
    cost_multiple: float = 1.0,
) -> Repricing:
    """Rebuild a trial.

    Symbols touch each other through cash alone, so that each is replayed by itself; only bars
    that can change something are visited (:meth:`SymbolReplay.run`), and everything between them
    is array arithmetic.

    Args:
        log: A possible log (:func:`stratlab.evaluation.order_log.find_impossible`).
        prices: The host's prices, beginning before the window.
        window: The traded sessions.
        capital: Starting cash.
        costs: Fills and fees.
        cost_multiple: What slippage and commission are multiplied with.

    Raises:
        InvalidSpecError: The window holds no session.
        LimitExceededError: The log keeps more orders open than a container can have.
    """
    rows = window_rows(prices, window)
    bars = prices.bars[rows]
    labels = bars.tolist()
    row_of = dict(zip(labels, range(len(labels)), strict=True))
    marks = closing_prices(prices)[rows]
    amounts = np.zeros(marks.shape)
    flows = np.zeros(len(bars))
    fills: list[Fill] = []
    profits: list[float] = []
    visits = 0
    for symbol, entries in _by_symbol(log).items():
        column = prices.symbols.index(symbol)
        replay = SymbolReplay(
            symbol=symbol,
            market=SymbolMarket.of(prices, column, rows, row_of, marks[:, column]),
            entries=_by_moment(entries, row_of),
            model=_fill_model(costs, cost_multiple),
            labels=labels,
        )
        visits += replay.run(MAX_VISITS - visits)
        if visits > MAX_VISITS:
            raise LimitExceededError(f"open orders were looked at {MAX_VISITS} times")
        amounts[:, column] = _held(replay.steps, len(bars))
        for row, flow in replay.flows.items():
            flows[row] += flow
        fills += replay.fills
        profits += replay.trips.profits.values()
    cash = capital + np.cumsum(flows)
    exposure = np.where(amounts != 0, amounts * marks, 0.0)
    equity = cash + exposure.sum(axis=1)
    leverage = np.full(len(bars), np.inf)
    np.divide(np.abs(exposure).sum(axis=1), equity, out=leverage, where=equity != 0)
    fills.sort(key=lambda fill: (fill.bar, fill.number))
    return Repricing(
        bars=bars,
        symbols=prices.symbols,
        amounts=amounts,
        cash=cash,
        equity=equity,
        leverage=leverage,
        fills=tuple(fills),
        profits=tuple(profits),
        ends=session_ends(prices, rows),
        sessions_per_year=prices.sessions_per_year,
    )


def _held(steps: Mapping[int, int], rows: int) -> "NDArray[np.int64]":
    # Shares at each close: every step holds until the next one.
    return np.repeat([0, *steps.values()], np.diff([0, *steps, rows]))


def _fill_model(costs: CostModel, multiple: float) -> NextOpenFills | ZiplineFills:
    if costs.kind is CostModelKind.NEXT_OPEN:
        return NextOpenFills.of(costs, multiple)
    return ZiplineFills(SLIPPAGE_BPS * multiple, COMMISSION_PER_SHARE * multiple)


def _by_symbol(log: Sequence[Order | Cancel]) -> Mapping[str, Sequence[Order | Cancel]]:
    symbol_of = {entry.number: entry.symbol for entry in log if isinstance(entry, Order)}
    grouped: dict[str, list[Order | Cancel]] = defaultdict(list)
    for entry in log:
        grouped[symbol_of[entry.number]].append(entry)
    return grouped


def _by_moment(
    entries: Sequence[Order | Cancel], row_of: Mapping[int, int]
) -> Mapping[tuple[int, Phase], Sequence[Order | Cancel]]:
    grouped: dict[tuple[int, Phase], list[Order | Cancel]] = defaultdict(list)
    for entry in entries:
        grouped[row_of[entry.bar], entry.phase].append(entry)
    return grouped


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
