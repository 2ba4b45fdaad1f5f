"""From an entry to its end: fills, legs, moved stops and exits of many positions at once.

The ``next_open`` cost model, as ``NextOpenSlippage`` of the runner and the host's own fills have
it. What becomes of a position depends on its own symbol and shares alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.semantics import EPSILON, TICK

if TYPE_CHECKING:
    from stratlab.contract.model import RiskModel
    from stratlab.contract.vectorised.arrays import Floats, Numbers, Truths
    from stratlab.contract.vectorised.bars import SymbolBars
    from stratlab.contract.vectorised.rules import Signals
    from stratlab.domain.market import CostModel


_FIRST_BARS, _MOST_BARS = 16, 256


@final
@dataclass(frozen=True, slots=True)
class Entries:
    """Orders that open positions; one point has at most one of them. All arrays have shape (n,).

    Attributes:
        point: Number of the point.
        bar: Traded bar at whose close it was placed.
        side: 1 long, -1 short.
        shares: Above zero, whole.
        stop, take, trigger, trail: Price distances, NaN for none.
    """

    point: "Numbers"
    bar: "Numbers"
    side: "Numbers"
    shares: "Floats"
    stop: "Floats"
    take: "Floats"
    trigger: "Floats"
    trail: "Floats"


@final
@dataclass(frozen=True, slots=True)
class Positions:
    """What became of entries. All arrays have shape (n,) but ``shares``.

    Attributes:
        entries: The orders.
        entry_bar: Traded bar of the fill; the number of traded bars when it never came.
        entry_price: Slippage included.
        exit_bar: Traded bar of the closing fill; the number of traded bars when it never came.
        exit_price: Slippage included; NaN without an exit.
        shares: Held in each epoch (before the first split, between splits, ...), shape (n, J + 1).
    """

    entries: Entries
    entry_bar: "Numbers"
    entry_price: "Floats"
    exit_bar: "Numbers"
    exit_price: "Floats"
    shares: "Floats"


class Brackets:
    """Trades one symbol.

    Args:
        bars: Of the symbol.
        signals: Its rules.
        risk: How positions are protected.
        costs: Fills and fees.
    """

    def __init__(
        self, bars: "SymbolBars", signals: "Signals", risk: "RiskModel", costs: "CostModel"
    ) -> None:
        raw = {name: values[bars.first :] for name, values in bars.raw.items()}
        self.rows = bars.rows[bars.first :]
        self.count = len(self.rows)
        self.close = raw["close"]
        self.split_rows, self.split_ratios = bars.split_rows, bars.split_ratios
        self.epochs = np.searchsorted(self.split_rows, self.rows, side="right")
        self._signals, self._risk = signals, risk
        self._slippage = costs.slippage_bps / 1e4
        self._capacity = costs.volume_limit * raw["volume"]
        self._least = float(self._capacity.min(initial=np.inf))
        self._open, self._high, self._low = raw["open"], raw["high"], raw["low"]
        low, high = np.minimum(self._low, self._open), np.maximum(self._high, self._open)
        # Prices times the sign of a position: row 0 for long, row 1 for short ones.
        self._worst, self._best = np.stack([low, -high]), np.stack([high, -low])

    def trade(self, entries: Entries) -> Positions:
        """Return what becomes of entries."""
        shares = self._shares(entries)
        entry_bar = self._fill_bar(entries.bar + 1, shares)
        opened = entry_bar < self.count
        entry_price = np.full(len(entry_bar), np.nan)
        exit_bar = np.full(len(entry_bar), self.count)
        exit_price = np.full(len(entry_bar), np.nan)
        (held,) = opened.nonzero()
        if len(held):
            state = _Held.of(self, entries, shares, held, entry_bar[held])
            entry_price[held] = state.price
            exit_bar[held], exit_price[held] = self._hold(state)
        return Positions(entries, entry_bar, entry_price, exit_bar, exit_price, shares)

    def market_price(self, bar: "Numbers", side: "Numbers") -> "Floats":
        """Return the price of market orders, ``side`` 1 for buying."""
        return self._open[bar] * (1 + side * self._slippage)

    def _shares(self, entries: Entries) -> "Floats":
        # Whole shares are left by a split, before the fill as well as after it.
        epochs = len(self.split_rows) + 1
        shares = np.repeat(entries.shares[:, None], epochs, axis=1)
        placed = self.epochs[entries.bar]
        for epoch in range(1, epochs):
            after = np.trunc(shares[:, epoch - 1] / self.split_ratios[epoch - 1])
            shares[:, epoch] = np.where(epoch > placed, after, shares[:, epoch])
        return shares

    def _fill_bar(self, bar: "Numbers", shares: "Floats") -> "Numbers":
        # The first bar from the given ones on that has the capacity; orders wait whole.
        bar = bar.copy()
        if shares.max(initial=0.0) <= self._least:
            return np.minimum(bar, self.count)
        (waiting,) = (bar < self.count).nonzero()
        while len(waiting):
            at = bar[waiting]
            waiting = waiting[shares[waiting, self.epochs[at]] > self._capacity[at]]
            bar[waiting] += 1
            waiting = waiting[bar[waiting] < self.count]
        return np.minimum(bar, self.count)

    def _hold(self, state: "_Held") -> tuple["Numbers", "Floats"]:
        count = len(state.bar)
        exit_bar, exit_price = np.full(count, self.count), np.full(count, np.nan)
        # Where a rule that knows no position leaves; a leg may be faster, even on that bar.
        leave = np.empty(count, dtype=np.intp)
        for side in (1, -1):
            (own,) = (state.side == side).nonzero()
            leave[own] = self._signals.exits[side].following(state.point[own], state.bar[own])
        alive, width = np.arange(count), _FIRST_BARS
        while len(alive):
            begin = state.bar[alive]
            state.split(self, alive, begin)
            epoch_end = np.searchsorted(self.epochs, self.epochs[begin], side="right")
            end = np.minimum(leave[alive] + 1, np.minimum(epoch_end, self.count))
            bars = begin[:, None] + np.arange(width)
            inside = bars < end[:, None]
            np.minimum(bars, self.count - 1, out=bars)
            stops = self._stops(state, alive, bars)
            hit = _first(inside & self._touched(state, alive, bars, stops))
            leaves = (bars == leave[alive][:, None]) | self._watched(state, alive, bars)
            left = _first(inside & leaves)
            empty = state.shares[alive, self.epochs[begin]] == 0
            by_leg, by_rule = (hit < width) & (hit <= left), left < hit
            (ended,) = (by_leg & ~empty).nonzero()
            at, bar = alive[ended], begin[ended] + hit[ended]
            exit_bar[at] = bar
            stop = stops[ended, np.minimum(hit[ended], stops.shape[1] - 1)]
            exit_price[at] = self._leg_price(state, at, bar, stop)
            (ended,) = (by_rule & ~empty).nonzero()
            at, bar = alive[ended], begin[ended] + left[ended]
            exit_bar[at] = self._fill_bar(bar + 1, state.shares[at])
            # A split may leave no whole share of a small position.
            exit_bar[alive[empty]], exit_price[alive[empty]] = begin[empty], 0.0
            following = np.minimum(begin + width, end)
            state.bar[alive] = following
            state.remember(alive, stops, following - begin)
            alive = alive[~(by_leg | by_rule | empty) & (following < self.count)]
            width = min(2 * width, _MOST_BARS)
        (filled,) = (np.isnan(exit_price) & (exit_bar < self.count)).nonzero()
        exit_price[filled] = self.market_price(exit_bar[filled], -state.side[filled])
        return exit_bar, exit_price

    def _touched(
        self, state: "_Held", alive: "Numbers", bars: "Numbers", stops: "Floats"
    ) -> "Truths":
        place = bars + np.where(state.side[alive] > 0, 0, self.count)[:, None]
        touched = np.zeros(bars.shape, dtype=bool)
        if state.has_stop:
            touched |= self._worst.ravel()[place] <= stops[:, : bars.shape[1]]
        if state.has_take:
            touched |= self._best.ravel()[place] >= state.take[alive][:, None]
        shares = state.shares[alive, self.epochs[bars[:, 0]]]
        if shares.max(initial=0.0) > self._least:
            touched &= self._capacity[bars] >= shares[:, None]
        return touched

    def _stops(self, state: "_Held", alive: "Numbers", bars: "Numbers") -> "Floats":
        # The level at each bar, times the sign; one column where it never moves.
        stop = state.stop[alive][:, None]
        if not state.moves:
            return stop
        side, close = state.side[alive][:, None], self.close[bars]
        levels = np.full(bars.shape, -np.inf)
        if self._risk.breakeven is not None:
            entry = state.price[alive][:, None]
            reached = ~(state.trigger[alive][:, None] - side * (close - entry) > EPSILON)
            level = to_tick(entry + side * self._risk.breakeven.offset_ticks * TICK)
            levels = np.where(reached & (level > 0), side * level, levels)
        if self._risk.trailing is not None:
            level = to_tick(close - side * state.trail[alive][:, None])
            levels = np.maximum(levels, np.where(level > 0, side * level, -np.inf))
        # Levels of a close are live from the next bar on; the last column is for the next block.
        return np.maximum.accumulate(np.concatenate([stop, levels], axis=1), axis=1)

    def _watched(self, state: "_Held", alive: "Numbers", bars: "Numbers") -> "Truths":
        leaves = np.zeros(bars.shape, dtype=bool)
        for side in (1, -1):
            (own,) = (state.side[alive] == side).nonzero()
            if len(own) and self._signals.watches(side):
                at = alive[own]
                leaves[own] = self._signals.leaves(
                    side,
                    state.point[at],
                    bars[own],
                    (bars[own] - state.entry_bar[at][:, None]).astype(np.float64),
                    state.price[at][:, None],
                )
        return leaves

    def _leg_price(self, state: "_Held", at: "Numbers", bar: "Numbers", stop: "Floats") -> "Floats":
        side, take = state.side[at], state.take[at]
        opened, high, low = self._open[bar], self._high[bar], self._low[bar]
        high_first = high - opened < opened - low
        price = np.full(len(at), np.nan)
        # Along the path; the stop first where one price reaches both.
        for point in (opened, np.where(high_first, high, low), np.where(high_first, low, high)):
            reached = side * point
            stopped = np.isnan(price) & (reached <= stop)
            level = np.where(point == opened, opened, side * stop)
            price[stopped] = (level * (1 - side * self._slippage))[stopped]
            taken = np.isnan(price) & (reached >= take)
            level = np.where(point == opened, opened, side * take)
            price[taken] = level[taken]
        return price


@final
@dataclass(slots=True)
class _Held:
    # Open positions while time goes by; levels are times the sign, infinite where there is none.
    point: "Numbers"
    side: "Numbers"
    entry_bar: "Numbers"
    bar: "Numbers"
    epoch: "Numbers"
    shares: "Floats"
    price: "Floats"
    stop: "Floats"
    take: "Floats"
    trigger: "Floats"
    trail: "Floats"
    has_stop: bool
    has_take: bool
    moves: bool

    @classmethod
    def of(
        cls,
        trader: Brackets,
        entries: Entries,
        shares: "Floats",
        held: "Numbers",
        entry_bar: "Numbers",
    ) -> "_Held":
        side = entries.side[held]
        price = trader.market_price(entry_bar, side)
        placed, epoch = trader.epochs[entries.bar[held]], trader.epochs[entry_bar]
        ratio = np.ones(len(held))
        for number, split in enumerate(trader.split_ratios, start=1):
            ratio *= np.where((number > placed) & (number <= epoch), split, 1.0)
        grown = entries.shares[held] / shares[held, epoch]
        stop, take = entries.stop[held] * ratio, entries.take[held] * ratio
        moves = bool(np.isfinite([*entries.trigger, *entries.trail]).any())
        has_stop = bool(np.isfinite(stop).any())
        return cls(
            point=entries.point[held],
            side=side,
            entry_bar=entry_bar,
            bar=entry_bar.copy(),
            epoch=epoch,
            shares=shares[held],
            price=price,
            stop=np.where(np.isnan(stop), -np.inf, side * to_tick(price - side * stop)),
            take=np.where(np.isnan(take), np.inf, side * to_tick(price + side * take)),
            trigger=entries.trigger[held] * grown,
            trail=entries.trail[held] * grown,
            has_stop=has_stop or moves,
            has_take=bool(np.isfinite(take).any()),
            moves=moves,
        )

    def split(self, trader: Brackets, alive: "Numbers", bar: "Numbers") -> None:
        """Apply the splits up to a bar to levels and distances."""
        now = trader.epochs[bar]
        for number, ratio in enumerate(trader.split_ratios.tolist(), start=1):
            due = alive[(self.epoch[alive] < number) & (number <= now)]
            if len(due):
                for distances in (self.price, self.trigger, self.trail):
                    distances[due] *= ratio
                for levels in (self.stop, self.take):
                    levels[due] = to_cents(levels[due] * ratio)
        self.epoch[alive] = now

    def remember(self, alive: "Numbers", stops: "Floats", bars: "Numbers") -> None:
        """Keep the stops that the closes of so many bars have moved."""
        if self.moves:
            self.stop[alive] = stops[np.arange(len(alive)), bars]


def to_tick(price: "Floats") -> "Floats":
    """Return prices rounded to the tick as every target rounds them."""
    return np.floor(price / TICK + 0.5) * TICK


def to_cents(amounts: "Floats") -> "Floats":
    """Return amounts rounded as Python rounds them, which numpy does not."""
    return np.array([round(amount, 2) for amount in amounts.tolist()])


def _first(truths: "Truths") -> "Numbers":
    # The first true column of each row, the number of columns for none.
    found = truths.argmax(axis=1)
    first: Numbers = np.where(truths[np.arange(len(truths)), found], found, truths.shape[1])
    return first
