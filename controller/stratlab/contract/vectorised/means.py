"""Recursive indicators over many parameters at once: one column for each, one step for each bar.

Everything is computed in the order of :mod:`stratlab.contract.streaming`, so that every number is
the one that a compiled strategy computes; the bases of a symbol are rows.
"""

from typing import TYPE_CHECKING, Protocol, final

import numpy as np

from stratlab.contract.semantics import EPSILON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.frames import Stretches


class Recursion(Protocol):
    """An indicator whose newest values depend on those of the bar before."""

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """Add a bar and return the newest outputs, each of shape (bases, C), NaN if undefined.

        Args:
            bar: Number of the bar.
            bases: Which bases still matter; their number only ever shrinks.
        """
        ...


def ema_factors(lengths: "Numbers") -> "Floats":
    """Return the weight of a new value in exponential means."""
    return 2.0 / (lengths.astype(np.float64) + 1.0)


def rma_factors(lengths: "Numbers") -> "Floats":
    """Return the weight of a new value in Wilder's means."""
    return 1.0 / lengths.astype(np.float64)


@final
class Means:
    """Exponential means, each seeded with the simple mean of its first values.

    Args:
        bases: Number of rows.
        lengths: Of each column, shape (C,).
        factors: Weight of a new value, shape (C,).
        starts: Bar of each column's first value, shape (C,).
    """

    def __init__(
        self, bases: int, lengths: "Numbers", factors: "Floats", starts: "Numbers"
    ) -> None:
        shape = (bases, len(lengths))
        self._value = np.full(shape, np.nan)
        self._step = np.empty(shape)
        self._total, self._error = np.zeros(shape), np.zeros(shape)
        self._factors, self._lengths, self._starts = factors, lengths, starts
        self._seeds = starts + lengths - 1
        self._last_seed = int(self._seeds.max())

    def update(self, bar: int, bases: slice, values: "Floats") -> "Floats":
        """Add a value to each column, shape (bases, C) or (bases, 1), and return the means."""
        value, step = self._value[bases], self._step[bases]
        np.subtract(values, value, out=step)
        step *= self._factors
        value += step
        if bar <= self._last_seed:
            self._seed(bar, values, bases)
        return value

    def _seed(self, bar: int, values: "Floats", bases: slice) -> None:
        # Summed with its rounding errors, as fsum does.
        begun = bar >= self._starts
        total, error = self._total[bases], self._error[bases]
        add_exactly(total, error, np.where(begun, values, 0.0))
        due = np.equal(bar, self._seeds)
        if due.any():
            self._value[bases][:, due] = ((total + error) / self._lengths)[:, due]


def add_exactly(total: "Floats", error: "Floats", item: "Floats") -> None:
    """Add to sums in place; what rounding loses is collected in ``error``.

    Source: D. E. Knuth, The Art of Computer Programming, vol. 2, 4.2.2 (TwoSum).
    """
    summed = total + item
    part = summed - total
    error += (total - (summed - part)) + (item - part)
    total[...] = summed


@final
class Ema:
    """Exponential means of one price: ``ema`` and, with other factors, ``rma``."""

    def __init__(
        self, prices: "Floats", lengths: "Numbers", factors: "Floats", starts: "Numbers"
    ) -> None:
        self._prices = prices.T[:, :, None]
        self._means = Means(len(prices), lengths, factors, starts)

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """See :class:`Recursion`."""
        return (self._means.update(bar, bases, self._prices[bar, bases]),)


@final
class Rsi:
    """Wilder's means of rises and falls; the index is made of them afterwards."""

    def __init__(self, prices: "Floats", lengths: "Numbers", starts: "Numbers") -> None:
        change = np.diff(prices, axis=1, prepend=np.nan).T[:, :, None]
        self._rises, self._falls = np.maximum(change, 0.0), np.maximum(-change, 0.0)
        self._rise, self._fall = (
            Means(len(prices), lengths, rma_factors(lengths), starts + 1) for _ in range(2)
        )

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """See :class:`Recursion`."""
        return (
            self._rise.update(bar, bases, self._rises[bar, bases]),
            self._fall.update(bar, bases, self._falls[bar, bases]),
        )

    @staticmethod
    def finish(rise: "Floats", fall: "Floats") -> "Floats":
        """Return the index."""
        return np.where(fall == 0.0, 100.0, 100.0 - 100.0 / (1.0 + rise / fall))


@final
class Atr:
    """Wilder's means of the true range, whose first bar has no gap."""

    def __init__(self, bars: "Mapping[str, Floats]", lengths: "Numbers", starts: "Numbers") -> None:
        high, low = bars["high"], bars["low"]
        before = np.concatenate([np.full((len(high), 1), np.nan), bars["close"][:, :-1]], axis=1)
        first = high - low
        gaps = np.fmax(np.abs(high - before), np.abs(low - before))
        self._first, self._ranges = first.T[:, :, None], np.fmax(first, gaps).T[:, :, None]
        self._starts, self._start_bars = starts, frozenset(starts.tolist())
        self._means = Means(len(high), lengths, rma_factors(lengths), starts)

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """See :class:`Recursion`."""
        ranges = self._ranges[bar, bases]
        if bar in self._start_bars:
            ranges = np.where(bar == self._starts, self._first[bar, bases], ranges)
        return (self._means.update(bar, bases, ranges),)


@final
class Macd:
    """Differences of two exponential means and the exponential mean of that."""

    def __init__(
        self,
        prices: "Floats",
        fast: "Numbers",
        slow: "Numbers",
        signal: "Numbers",
        starts: "Numbers",
    ) -> None:
        count = len(prices)
        self._prices = prices.T[:, :, None]
        self._fast = Means(count, fast, ema_factors(fast), starts)
        self._slow = Means(count, slow, ema_factors(slow), starts)
        defined = starts + np.maximum(fast, slow) - 1
        self._signal = Means(count, signal, ema_factors(signal), defined)

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """See :class:`Recursion`."""
        price = self._prices[bar, bases]
        line = self._fast.update(bar, bases, price) - self._slow.update(bar, bases, price)
        return (line, self._signal.update(bar, bases, line))


@final
class Adx:
    """Wilder's directional indicators and the mean of their index."""

    def __init__(
        self,
        bars: "Mapping[str, Floats]",
        lengths: "Numbers",
        smoothings: "Numbers",
        starts: "Numbers",
    ) -> None:
        up = np.diff(bars["high"], axis=1, prepend=np.nan)
        down = -np.diff(bars["low"], axis=1, prepend=np.nan)
        self._ups = np.where(up - np.maximum(down, 0.0) > EPSILON, up, 0.0).T[:, :, None]
        self._downs = np.where(down - np.maximum(up, 0.0) > EPSILON, down, 0.0).T[:, :, None]
        count = len(up)
        self._range = Atr(bars, lengths, starts)
        self._up, self._down = (
            Means(count, lengths, rma_factors(lengths), starts + 1) for _ in range(2)
        )
        self._index = Means(count, smoothings, rma_factors(smoothings), starts + lengths)

    def update(self, bar: int, bases: slice) -> "Sequence[Floats]":
        """See :class:`Recursion`."""
        (mean_range,) = self._range.update(bar, bases)
        scale = np.where(mean_range > 0.0, 100.0 / mean_range, 0.0)
        plus = scale * self._up.update(bar, bases, self._ups[bar, bases])
        minus = scale * self._down.update(bar, bases, self._downs[bar, bases])
        total = plus + minus
        index = np.where(total > 0.0, np.abs(plus - minus) / total, 0.0)
        return (plus, minus, self._index.update(bar, bases, index))


def run(
    recursions: "Sequence[Recursion]", stretches: "Stretches", first: int
) -> list[list["Floats"]]:
    """Return the outputs of all recursions at every place of the stretches.

    Args:
        recursions: All over the same bars.
        stretches: Of the bars.
        first: Number of the first bar that any of them reads.

    Returns:
        For each recursion its outputs, each of shape (C, M).
    """
    begins, ends = stretches.begins.tolist(), stretches.ends.tolist()
    origins, count, places = stretches.origins.tolist(), len(stretches.begins), len(stretches)
    oldest = newest = 0
    found: list[list[Floats]] = [[] for _ in recursions]
    with np.errstate(all="ignore"):
        # At least one step, which tells the shape of the outputs.
        for bar in range(first, max(ends[-1], first + 1)):
            while oldest + 1 < count and bar >= ends[oldest]:
                oldest += 1
            while newest < count and bar >= begins[newest]:
                newest += 1
            bases = slice(oldest, count)
            kept = range(oldest, newest if bar < ends[-1] else 0)
            for recursion, outputs in zip(recursions, found, strict=True):
                values = recursion.update(bar, bases)
                if not outputs:
                    outputs += [np.full((places, value.shape[1]), np.nan) for value in values]
                for basis in kept:
                    for output, value in zip(outputs, values, strict=True):
                        output[origins[basis] + bar] = value[basis - oldest]
    return [[np.ascontiguousarray(output.T) for output in outputs] for outputs in found]
