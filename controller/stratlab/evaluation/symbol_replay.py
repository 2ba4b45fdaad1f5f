"""Replays the orders of one symbol bar by bar, in zipline's order of events."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, final

import numpy as np

from stratlab.domain.trial import Cancel, Fill, Order, Phase
from stratlab.evaluation.ledger import Position, RoundTrips
from stratlab.evaluation.order_book import OrderBook
from stratlab.evaluation.working_order import Bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.market import PricePanel
    from stratlab.evaluation.fills_next_open import NextOpenFills
    from stratlab.evaluation.fills_zipline import ZiplineFills


_CHUNK = 64  # rows that are searched at once, at first


@final
@dataclass(frozen=True, slots=True)
class SymbolMarket:
    """One symbol inside a window; rows count from the first bar of the window.

    Attributes:
        bars: Open, high, low, close and volume of each row, shape (T, 5).
        lowest: What an order that waits for a lower price can see in each row, shape (T,);
            infinite where nothing trades.
        highest: The same for a higher price; minus infinity where nothing trades.
        marks: What a share is worth at each close, shape (T,).
        splits: Row -> ratios.
        dividends: Row of the ex date -> (row of the payment, amount a share).
        auto_close: Row at whose close positions are closed in cash; past the end for never.
    """

    bars: "NDArray[np.float64]"
    lowest: "NDArray[np.float64]"
    highest: "NDArray[np.float64]"
    marks: "NDArray[np.float64]"
    splits: Mapping[int, Sequence[float]]
    dividends: Mapping[int, Sequence[tuple[int, float]]]
    auto_close: int

    @classmethod
    def of(
        cls,
        prices: "PricePanel",
        column: int,
        rows: slice,
        row_of: Mapping[int, int],
        marks: "NDArray[np.float64]",
    ) -> Self:
        """Return one column of a panel.

        Args:
            prices: The panel.
            column: Which symbol.
            rows: The window.
            row_of: Label of each of its bars -> row.
            marks: Of the column inside the window, shape (T,).
        """
        symbol = prices.symbols[column]
        fields = (prices.open, prices.high, prices.low, prices.close, prices.volume)
        bars = np.stack([field[rows, column] for field in fields], axis=1)
        opening, high, low, close, volume = bars.T
        trades = (volume > 0) & ~np.isnan(close) & ~np.isnan(opening)
        splits: dict[int, list[float]] = defaultdict(list)
        for split in prices.splits:
            if split.symbol == symbol and split.bar in row_of:
                splits[row_of[split.bar]].append(split.ratio)
        dividends: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for item in prices.dividends:
            # What is paid on no session, or before it is earned, is never paid.
            known = item.ex_bar in row_of and item.pay_bar in row_of
            if item.symbol == symbol and known and item.pay_bar >= item.ex_bar:
                dividends[row_of[item.ex_bar]].append((row_of[item.pay_bar], item.amount))
        closed = prices.auto_close.get(symbol)
        return cls(
            bars=bars,
            # The close is among them for the model that fills at it.
            lowest=np.where(trades, np.fmin(np.fmin(opening, low), close), np.inf),
            highest=np.where(trades, np.fmax(np.fmax(opening, high), close), -np.inf),
            marks=marks,
            splits=splits,
            dividends=dividends,
            auto_close=len(bars)
            if closed is None
            else int(np.searchsorted(prices.bars[rows], closed)),
        )

    def first_touch(self, begin: int, end: int, below: float, above: float) -> int:
        """Return the first row from ``begin`` on whose prices reach a level, or ``end``.

        Args:
            begin: First row that is looked at.
            end: Row behind the last one.
            below: Reached by a price at or below it.
            above: Reached by a price at or above it.
        """
        length = _CHUNK
        while begin < end:
            stop = min(begin + length, end)
            reached = (self.lowest[begin:stop] <= below) | (self.highest[begin:stop] >= above)
            first = int(reached.argmax())
            if reached[first]:
                return begin + first
            begin, length = stop, 2 * length
        return end


@final
@dataclass(slots=True)
class SymbolReplay:
    """One symbol's account; :meth:`run` fills in what it did.

    Attributes:
        symbol: For the fills.
        market: Prices and corporate actions.
        entries: The symbol's log by row and phase.
        model: How orders fill.
        labels: UTC epoch seconds of each row.
        fills: Executions, by row.
        steps: Row -> signed shares held from its close on.
        flows: Row -> cash received, negative for cash paid.
        trips: Closed round trips.
    """

    symbol: str
    market: SymbolMarket
    entries: Mapping[tuple[int, Phase], Sequence[Order | Cancel]]
    model: "NextOpenFills | ZiplineFills"
    labels: Sequence[int]
    fills: list[Fill] = field(default_factory=list)
    steps: dict[int, int] = field(default_factory=dict)
    flows: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    trips: RoundTrips = field(default_factory=RoundTrips)
    _position: Position = field(default_factory=Position)
    _book: OrderBook = field(default_factory=OrderBook)

    def run(self, max_visits: int) -> int:
        """Visit every bar that can change something.

        Those are bars with a log entry or a corporate action, and those whose prices reach a
        level of an open order; while an order is open that needs no level, every bar.

        In a bar: orders placed before the open enter the book, dividends are earned by the
        shares held before it, splits change orders and shares, orders placed at the open enter
        the book, the book is executed, orders of the bar enter it for the next one, and a
        delisted symbol is closed in cash.

        Args:
            max_visits: Open orders to look at, summed over bars, before giving up.

        Returns:
            Open orders looked at; above ``max_visits`` when it gave up.

        Source: ``AlgorithmSimulator.transform`` of zipline-reloaded 3.2.1.
        """
        market = self.market
        planned = {row for row, _ in self.entries}
        agenda = sorted(planned | {*market.splits, *market.dividends, market.auto_close})
        row, end, visits = agenda[0], len(self.labels), 0
        while row < end:
            visits += len(self._book.orders)
            if visits > max_visits:
                break
            self._place(row, Phase.BEFORE_OPEN)
            self._act(row)
            self._place(row, Phase.AT_OPEN)
            self._trade(row)
            self._place(row, Phase.BAR)
            if row >= market.auto_close:
                self._close_in_cash(row)
            self.steps[row] = self._position.amount
            following = bisect_right(agenda, row)
            row = self._next(row + 1, agenda[following] if following < len(agenda) else end)
        return visits

    def _next(self, row: int, planned: int) -> int:
        if not self._book.orders:
            return planned
        reach = self.model.reach(self._book.orders.values())
        return (
            row
            if reach is None
            else self.market.first_touch(row, min(planned, len(self.labels)), *reach)
        )

    def _act(self, row: int) -> None:
        for pay_row, amount in self.market.dividends.get(row, ()):
            self.flows[pay_row] += self._position.amount * amount
        for ratio in self.market.splits.get(row, ()):
            self._book.split(ratio)
            if self._position.amount:
                self.flows[row] += self._position.split(ratio)
                self.trips.split(ratio, self._position.amount)

    def _place(self, row: int, phase: Phase) -> None:
        for entry in self.entries.get((row, phase), ()):
            if isinstance(entry, Order):
                self._book.place(entry)
            else:
                self._book.drop(entry.number)

    def _trade(self, row: int) -> None:
        if not self._book.orders:
            return
        bar = Bar(*self.market.bars[row].tolist())
        if not bar.trades:
            return
        costs = []
        for execution in self.model.executions(tuple(self._book.orders.values()), bar):
            order, amount, price = execution.order, execution.amount, execution.price
            cost = order.charge(amount, self.model.commission_per_share)
            order.filled += amount
            if order.open_amount == 0:
                self._book.fill(order)
            self._position.execute(amount, price)
            self.flows[row] -= price * amount + cost
            self.trips.fill(order.number, amount, price, cost)
            label = self.labels[row]
            self.fills.append(
                Fill(
                    order.number,
                    label,
                    self.symbol,
                    amount,
                    price,
                    cost,
                    ambiguous=execution.ambiguous,
                )
            )
            costs.append(cost)
        # Commissions enter the cost basis after all executions of a bar.
        for cost in costs:
            self._position.charge(cost)

    def _close_in_cash(self, row: int) -> None:
        self._book.clear()
        if self._position.amount:
            mark = float(self.market.marks[row])
            self.flows[row] += self._position.amount * mark
            self.trips.settle(mark)
            self._position.execute(-self._position.amount, mark)
