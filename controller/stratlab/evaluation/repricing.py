"""Rebuilds fills, cash, positions and equity of a trial from its order log."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind, PricePanel, Window
from stratlab.domain.trial import Cancel, Fill, Order, Phase
from stratlab.evaluation.fills_next_open import NextOpenFills
from stratlab.evaluation.fills_zipline import ZiplineFills
from stratlab.evaluation.ledger import Position, RoundTrips
from stratlab.evaluation.valuation import closing_prices
from stratlab.evaluation.working_order import LEGS, Bar, WorkingOrder

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_SECONDS = 86_400


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
    """

    bars: "NDArray[np.int64]"
    symbols: tuple[str, ...]
    amounts: "NDArray[np.float64]"
    cash: "NDArray[np.float64]"
    equity: "NDArray[np.float64]"
    leverage: "NDArray[np.float64]"
    fills: tuple[Fill, ...]
    profits: tuple[float, ...]


def window_rows(prices: PricePanel, window: Window) -> slice:
    """Return the rows of ``prices`` that lie in ``window``.

    Raises:
        InvalidSpecError: There are none.
    """
    first, last = (_epoch(day) for day in (window.start, window.end))
    rows = slice(
        int(np.searchsorted(prices.bars, first)),
        int(np.searchsorted(prices.bars, last + _DAY_SECONDS)),
    )
    if rows.start >= rows.stop:
        raise InvalidSpecError(f"no session between {window.start} and {window.end}")
    return rows


def reprice(
    log: Sequence[Order | Cancel],
    prices: PricePanel,
    window: Window,
    capital: float,
    costs: CostModel,
) -> Repricing:
    """Rebuild a trial.

    Symbols touch each other through cash alone, so that each is replayed by itself; only bars
    with an open order, a log entry or a corporate action are visited, and everything between
    them is array arithmetic.

    Args:
        log: A possible log (:func:`stratlab.evaluation.order_log.find_impossible`).
        prices: The host's prices, beginning before the window.
        window: The traded sessions.
        capital: Starting cash.
        costs: Fills and fees.

    Raises:
        InvalidSpecError: The window holds no session.
    """
    rows = window_rows(prices, window)
    bars = prices.bars[rows]
    row_of = {int(bar): row for row, bar in enumerate(bars)}
    marks = closing_prices(prices)[rows]
    amounts = np.zeros(marks.shape)
    flows = np.zeros(len(bars))
    fills: list[Fill] = []
    profits: list[float] = []
    for symbol, entries in _by_symbol(log).items():
        column = prices.symbols.index(symbol)
        replay = _SymbolReplay(
            symbol=symbol,
            market=_Market.of(prices, column, rows, marks, row_of),
            entries=_by_moment(entries, row_of),
            model=_fill_model(costs),
            bars=bars.tolist(),
        )
        replay.run()
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
        bars, prices.symbols, amounts, cash, equity, leverage, tuple(fills), tuple(profits)
    )


@final
@dataclass(frozen=True, slots=True)
class _Market:
    # One symbol inside the window, as Python numbers: scalar access to arrays is slow.
    bars: Sequence[tuple[float, float, float, float, float]]
    marks: Sequence[float]
    splits: Mapping[int, Sequence[float]]
    dividends: Mapping[int, Sequence[tuple[int, float]]]
    auto_close: int

    @classmethod
    def of(
        cls,
        prices: PricePanel,
        column: int,
        rows: slice,
        marks: "NDArray[np.float64]",
        row_of: Mapping[int, int],
    ) -> "_Market":
        symbol = prices.symbols[column]
        fields = (prices.open, prices.high, prices.low, prices.close, prices.volume)
        splits: dict[int, list[float]] = defaultdict(list)
        for split in prices.splits:
            if split.symbol == symbol and split.bar in row_of:
                splits[row_of[split.bar]].append(split.ratio)
        dividends: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for dividend in prices.dividends:
            # A dividend that is paid on no session, or before it is earned, is never paid.
            if (
                dividend.symbol == symbol
                and dividend.ex_bar in row_of
                and dividend.pay_bar in row_of
                and dividend.pay_bar >= dividend.ex_bar
            ):
                dividends[row_of[dividend.ex_bar]].append(
                    (row_of[dividend.pay_bar], dividend.amount)
                )
        closes = prices.auto_close.get(symbol)
        return cls(
            bars=list(zip(*(field[rows, column].tolist() for field in fields), strict=True)),
            marks=marks[:, column].tolist(),
            splits=splits,
            dividends=dividends,
            auto_close=len(row_of)
            if closes is None
            else int(np.searchsorted(prices.bars[rows], closes)),
        )


@final
@dataclass(slots=True)
class _SymbolReplay:
    symbol: str
    market: _Market
    entries: Mapping[tuple[int, Phase], Sequence[Order | Cancel]]
    model: NextOpenFills | ZiplineFills
    bars: Sequence[int]
    position: Position = field(default_factory=Position)
    trips: RoundTrips = field(default_factory=RoundTrips)
    book: list[WorkingOrder] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    steps: dict[int, int] = field(default_factory=dict)
    flows: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def run(self) -> None:
        market = self.market
        agenda = sorted(
            {row for row, _ in self.entries}
            | market.splits.keys()
            | market.dividends.keys()
            | {market.auto_close}
        )
        row, end = agenda[0], len(self.bars)
        while row < end:
            self._corporate_actions(row)
            self._place(row, Phase.BEFORE_OPEN)
            self._trade(row)
            self._place(row, Phase.BAR)
            if row >= market.auto_close:
                self._auto_close(row)
            self.steps[row] = self.position.amount
            if self.book:
                row += 1
            else:
                later = bisect_right(agenda, row)
                row = agenda[later] if later < len(agenda) else end

    def _corporate_actions(self, row: int) -> None:
        position = self.position
        for pay_row, amount in self.market.dividends.get(row, ()):
            self.flows[pay_row] += position.amount * amount
        for ratio in self.market.splits.get(row, ()):
            for order in self.book:
                order.split(ratio)
            self._drop({order.number for order in self.book if order.open_amount == 0})
            if position.amount:
                self.flows[row] += position.split(ratio)
                self.trips.split(ratio, position.amount)

    def _place(self, row: int, phase: Phase) -> None:
        for entry in self.entries.get((row, phase), ()):
            if isinstance(entry, Order):
                self.book.append(WorkingOrder.place(entry))
            else:
                self._drop({entry.number})

    def _drop(self, numbers: set[int]) -> None:
        # The legs of an entry that never filled go with it; those of a filled one stay.
        numbers &= {order.number for order in self.book}
        if numbers:
            self.book = [
                order
                for order in self.book
                if order.number not in numbers and order.parent not in numbers
            ]

    def _trade(self, row: int) -> None:
        bar = Bar(*self.market.bars[row])
        if not self.book or not bar.trades:
            return
        costs, done = [], set()
        for execution in self.model.executions(tuple(self.book), bar):
            order, amount, price = execution.order, execution.amount, execution.price
            cost = order.charge(amount, self.model.commission_per_share)
            order.filled += amount
            self.position.execute(amount, price)
            self.flows[row] -= price * amount + cost
            self.trips.fill(order.number, amount, price, cost)
            costs.append(cost)
            self.fills.append(Fill(order.number, self.bars[row], self.symbol, amount, price, cost))
            if order.open_amount == 0:
                done.add(order.number)
                if order.kind in LEGS:
                    done |= {leg.number for leg in self.book if leg.parent == order.parent}
        # Commissions enter the cost basis after all executions of a bar.
        for cost in costs:
            self.position.charge(cost)
        self.book = [order for order in self.book if order.number not in done]

    def _auto_close(self, row: int) -> None:
        self.book.clear()
        if self.position.amount:
            mark = self.market.marks[row]
            self.flows[row] += self.position.amount * mark
            self.trips.settle(mark)
            self.position.execute(-self.position.amount, mark)


def _held(steps: Mapping[int, int], rows: int) -> "NDArray[np.int64]":
    # Shares at each close: every step holds until the next one.
    return np.repeat([0, *steps.values()], np.diff([0, *steps, rows]))


def _fill_model(costs: CostModel) -> NextOpenFills | ZiplineFills:
    return NextOpenFills.of(costs) if costs.kind is CostModelKind.NEXT_OPEN else ZiplineFills()


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
