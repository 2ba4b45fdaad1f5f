"""The frame of a chart: scales, ticks, grid lines and labels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import final

WIDTH = 760
HEIGHT = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 10, 34
_WANTED_TICKS = 5
_WANTED_YEARS = 9
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """Maps a range of values onto a range of pixels.

    Attributes:
        low, high: Values; ``low`` is below ``high``.
        start, end: Pixels of the two.
        is_logarithmic: Whether equal ratios take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.is_logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """What one axis shows.

    Attributes:
        low, high: Range of values.
        text: Renders a tick.
        label: What the values are, with their unit.
        is_logarithmic: See :class:`Scale`.
        is_time: Whether values are UTC epoch seconds; ticks are then first days of years.
    """

    low: float
    high: float
    text: Callable[[float], str]
    label: str = ""
    is_logarithmic: bool = False
    is_time: bool = False

    def ticks(self) -> list[float]:
        """Return the values at which there is a grid line."""
        if self.is_time:
            return _years(self.low, self.high)
        if self.is_logarithmic:
            exponents = range(
                math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1
            )
            return [10.0**exponent for exponent in exponents]
        return _round_values(self.low, self.high)


@final
class Frame:
    """A chart's area with its axes.

    Args:
        x, y: The axes.
        height: Of the whole, in pixels.
    """

    def __init__(self, x: Axis, y: Axis, height: int = HEIGHT) -> None:
        self._x_axis, self._y_axis, self._height = x, y, height
        bottom = height - _BOTTOM
        self.x = Scale(x.low, x.high, _LEFT, WIDTH - _RIGHT, x.is_logarithmic)
        self.y = Scale(y.low, y.high, bottom, _TOP, y.is_logarithmic)

    @property
    def top(self) -> float:
        """Pixel of the upper edge of the area."""
        return self.y.end

    @property
    def bottom(self) -> float:
        """Pixel of its lower edge."""
        return self.y.start

    def svg(self, title: str, body: str) -> str:
        """Return the whole chart.

        Args:
            title: Said by screen readers.
            body: What is drawn over the grid, as SVG.
        """
        middle = (self.top + self.bottom) / 2
        labels = (
            f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2:.0f}" y="{self._height - 4}" '
            f'class="label">{escape(self._x_axis.label)}</text>'
            f'<text x="12" y="{middle:.0f}" class="label" '
            f'transform="rotate(-90 12 {middle:.0f})">{escape(self._y_axis.label)}</text>'
        )
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{self._grid()}{body}{labels}</svg>"
        )

    def _grid(self) -> str:
        parts = []
        for value in self._y_axis.ticks():
            y = self.y(value)
            parts.append(
                f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="tick end">'
                f"{escape(self._y_axis.text(value))}</text>"
            )
        for value in self._x_axis.ticks():
            x = self.x(value)
            # A long number in the middle of the right edge would be cut off.
            anchor = "end" if x > WIDTH - 2 * _RIGHT else "middle"
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.top}" y2="{self.bottom}" '
                f'class="grid"/><text x="{x:.1f}" y="{self.bottom + 15:.0f}" class="tick {anchor}">'
                f"{escape(self._x_axis.text(value))}</text>"
            )
        return "".join(parts)


def padded(values: Sequence[float], *also: float, share: float = 0.06) -> tuple[float, float]:
    """Return a range that holds all values with some room at both ends.

    Args:
        values: Finite.
        also: Further values that it must hold.
        share: Of the range, added at each end.
    """
    every = [*values, *also]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    room = (high - low) * share or max(abs(high), 1.0) * share
    return low - room, high + room


def year_of(seconds: float) -> str:
    """Return the year of a moment in UTC epoch seconds."""
    return str(datetime.fromtimestamp(seconds, UTC).year)


def _years(low: float, high: float) -> list[float]:
    first, last = int(year_of(low)) + 1, int(year_of(high))
    step = max(1, math.ceil((last - first + 1) / _WANTED_YEARS))
    return [datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in range(first, last + 1, step)]


def _round_values(low: float, high: float) -> list[float]:
    rough = (high - low) / _WANTED_TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in _STEPS if factor * magnitude >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, last + 1)]
