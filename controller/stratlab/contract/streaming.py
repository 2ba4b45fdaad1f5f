"""Canonical indicators as streaming objects; stdlib only, for the compiler copies them verbatim.

Every class takes its parameters by keyword, is fed once per bar, oldest first, and holds its
newest values in attributes that are NaN until they are defined. ``first`` is the number of bars
before the one at which all of them are. A window is summed afresh at every bar: its length is
bounded, and a running sum keeps the rounding errors of everything that ever passed through.

Source: TradingView, Pine Script v6 reference manual (``ta.*``); J. W. Wilder, New Concepts in
Technical Trading Systems, 1978.
"""

import math
from collections import deque
from typing import NamedTuple

from stratlab.contract.semantics import above

NAN = math.nan


class Bar(NamedTuple):
    """One bar: prices in account currency, volume in shares."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Sma:
    """Arithmetic mean of the last ``length`` values."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.value = NAN
        self._window = deque([NAN] * length, maxlen=length)

    def update(self, value: float) -> float:
        """Add a value and return the newest mean."""
        self._window.append(value)
        self.value = math.fsum(self._window) / len(self._window)
        return self.value


class Ema:
    """Exponential mean with factor 2 / (length + 1), seeded with the first simple mean."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.value = NAN
        self._factor = 2.0 / (length + 1.0)
        self._seed = Sma(length)

    def update(self, value: float) -> float:
        """Add a value and return the newest mean."""
        if math.isnan(self.value):
            self.value = self._seed.update(value)
        else:
            self.value += self._factor * (value - self.value)
        return self.value


class Rma(Ema):
    """Wilder's mean: exponential with factor 1 / length, seeded with the first simple mean."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._factor = 1.0 / length


class Wma:
    """Mean of the last ``length`` values with weights 1 (oldest) to ``length`` (newest)."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.value = NAN
        self._window = deque([NAN] * length, maxlen=length)

    def update(self, value: float) -> float:
        """Add a value and return the newest mean."""
        self._window.append(value)
        length = len(self._window)
        weighted = math.fsum(weight * item for weight, item in enumerate(self._window, start=1))
        self.value = weighted / (length * (length + 1) / 2)
        return self.value


class Stdev:
    """Population standard deviation of the last ``length`` values."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.value = NAN
        self._window = deque([NAN] * length, maxlen=length)

    def update(self, value: float) -> float:
        """Add a value and return the newest deviation."""
        self._window.append(value)
        length = len(self._window)
        mean = math.fsum(self._window) / length
        self.value = math.sqrt(math.fsum((item - mean) ** 2 for item in self._window) / length)
        return self.value


class Rsi:
    """Relative strength index, 0 to 100, by Wilder's means of rises and falls."""

    def __init__(self, length: int) -> None:
        self.first = length
        self.value = NAN
        self._previous = NAN
        self._rise = Rma(length)
        self._fall = Rma(length)

    def update(self, value: float) -> float:
        """Add a value and return the newest index."""
        change = value - self._previous
        self._previous = value
        if not math.isnan(change):
            rise = self._rise.update(max(change, 0.0))
            fall = self._fall.update(max(-change, 0.0))
            self.value = 100.0 if fall == 0.0 else 100.0 - 100.0 / (1.0 + rise / fall)
        return self.value


class TrueRange:
    """Range of a bar with the gap from the last close; high - low on the first bar."""

    def __init__(self) -> None:
        self.first = 0
        self.value = NAN
        self._close = NAN

    def update(self, bar: Bar) -> float:
        """Add a bar and return its true range."""
        self.value = bar.high - bar.low
        if not math.isnan(self._close):
            self.value = max(self.value, abs(bar.high - self._close), abs(bar.low - self._close))
        self._close = bar.close
        return self.value


class Atr:
    """Average true range: Wilder's mean of the true range."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.value = NAN
        self._range = TrueRange()
        self._mean = Rma(length)

    def update(self, bar: Bar) -> float:
        """Add a bar and return the newest average."""
        self.value = self._mean.update(self._range.update(bar))
        return self.value


class Macd:
    """Difference of two exponential means, its own exponential mean, and their difference."""

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.first = max(fast, slow) + signal - 2
        self.line = NAN
        self.signal = NAN
        self.hist = NAN
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._signal = Ema(signal)

    def update(self, value: float) -> None:
        """Add a value."""
        self.line = self._fast.update(value) - self._slow.update(value)
        if not math.isnan(self.line):
            self.signal = self._signal.update(self.line)
            self.hist = self.line - self.signal


class Bbands:
    """Bollinger bands: a simple mean and ``mult`` population deviations around it."""

    def __init__(self, length: int, mult: float) -> None:
        self.first = length - 1
        self.mid = NAN
        self.upper = NAN
        self.lower = NAN
        self._mult = mult
        self._mean = Sma(length)
        self._deviation = Stdev(length)

    def update(self, value: float) -> None:
        """Add a value."""
        width = self._mult * self._deviation.update(value)
        self.mid = self._mean.update(value)
        self.upper = self.mid + width
        self.lower = self.mid - width


class Donchian:
    """Highest high and lowest low of the last ``length`` bars, this one included."""

    def __init__(self, length: int) -> None:
        self.first = length - 1
        self.upper = NAN
        self.lower = NAN
        self._length = length
        self._highs: deque[float] = deque(maxlen=length)
        self._lows: deque[float] = deque(maxlen=length)

    def update(self, bar: Bar) -> None:
        """Add a bar."""
        self._highs.append(bar.high)
        self._lows.append(bar.low)
        if len(self._highs) == self._length:
            self.upper = max(self._highs)
            self.lower = min(self._lows)


class Stoch:
    """Stochastic oscillator, 0 to 100; NaN while a window without any range is averaged in."""

    def __init__(self, length: int, smooth_k: int, smooth_d: int) -> None:
        self.first = length + smooth_k + smooth_d - 3
        self.k = NAN
        self.d = NAN
        self._channel = Donchian(length)
        self._k = Sma(smooth_k)
        self._d = Sma(smooth_d)

    def update(self, bar: Bar) -> None:
        """Add a bar."""
        self._channel.update(bar)
        height = self._channel.upper - self._channel.lower
        position = NAN if height == 0.0 else 100.0 * (bar.close - self._channel.lower) / height
        self.k = self._k.update(position)
        self.d = self._d.update(self.k)


class Adx:
    """Wilder's directional indicators and their average index, 0 to 100."""

    def __init__(self, length: int, smoothing: int) -> None:
        self.first = length + smoothing - 1
        self.plus = NAN
        self.minus = NAN
        self.adx = NAN
        self._high = NAN
        self._low = NAN
        self._range = Atr(length)
        self._up = Rma(length)
        self._down = Rma(length)
        self._mean = Rma(smoothing)

    def update(self, bar: Bar) -> None:
        """Add a bar."""
        mean_range = self._range.update(bar)
        up, down = bar.high - self._high, self._low - bar.low
        self._high, self._low = bar.high, bar.low
        if math.isnan(up):
            return
        # Prices of whole cents tie often, and then rounding errors must not choose a side.
        mean_up = self._up.update(up if above(up, max(down, 0.0)) else 0.0)
        mean_down = self._down.update(down if above(down, max(up, 0.0)) else 0.0)
        if math.isnan(mean_up):
            return
        # A market that has never moved has no direction.
        scale = 100.0 / mean_range if mean_range > 0.0 else 0.0
        self.plus, self.minus = scale * mean_up, scale * mean_down
        total = self.plus + self.minus
        index = abs(self.plus - self.minus) / total if total > 0.0 else 0.0
        self.adx = 100.0 * self._mean.update(index)
