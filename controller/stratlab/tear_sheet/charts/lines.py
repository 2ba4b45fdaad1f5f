"""Line charts over time or over a ladder of levels, with shaded spans and a legend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import final

from stratlab.tear_sheet.charts.axes import HEIGHT, Axis, Frame, padded, year_of

_MOST_POINTS = 1500


@final
@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        name: In the legend.
        style: CSS class: ``own``, ``other``, ``third``, ``fourth`` or ``fifth``.
        xs, ys: Its points, as many of the one as of the other.
        is_marked: Whether each point gets a dot.
        is_filled: Whether the area between the line and zero is filled.
    """

    name: str
    style: str
    xs: Sequence[float]
    ys: Sequence[float]
    is_marked: bool = False
    is_filled: bool = False


@final
@dataclass(frozen=True, slots=True)
class Span:
    """A shaded part of the horizontal axis."""

    name: str
    start: float
    end: float


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str = "",
    y_label: str = "",
    y_text: Callable[[float], str],
    x_text: Callable[[float], str] | None = None,
    spans: Sequence[Span] = (),
    levels: Sequence[float] = (),
    is_logarithmic: bool = False,
    height: int = HEIGHT,
) -> str:
    """Return a chart of lines with its legend, as HTML; "" when no line has two points.

    Args:
        title: Said by screen readers.
        lines: What is drawn, the first one on top.
        x_label: What the horizontal axis is, with its unit.
        y_label: What the vertical axis is, with its unit.
        y_text: Renders a value of the vertical axis.
        x_text: Renders one of the horizontal axis; None for time (UTC epoch seconds).
        spans: Shaded in turn, with their names.
        levels: Values that get a horizontal line.
        is_logarithmic: Of the horizontal axis.
        height: In pixels.
    """
    shown = [line for line in lines if len(line.xs) > 1]
    if not shown:
        return ""
    xs = [x for line in shown for x in line.xs]
    x = Axis(min(xs), max(xs), x_text or year_of, x_label, is_logarithmic, is_time=x_text is None)
    low, high = padded([y for line in shown for y in line.ys], *levels)
    frame = Frame(x, Axis(low, high, y_text, y_label), height)
    body = "".join(_span(frame, span, index) for index, span in enumerate(spans))
    body += "".join(_level(frame, level) for level in levels)
    body += "".join(_line(frame, line, y_text) for line in reversed(shown))
    return f"<figure>{frame.svg(title, body)}{legend(shown)}</figure>"


def legend(lines: Sequence[Line]) -> str:
    """Return the names of lines with their colours, "" for one line without a name."""
    items = "".join(
        f'<span><i class="{line.style}"></i>{escape(line.name)}</span>'
        for line in lines
        if line.name
    )
    return f'<figcaption class="legend">{items}</figcaption>' if items else ""


def _span(frame: Frame, span: Span, index: int) -> str:
    start, end = frame.x(span.start), frame.x(span.end)
    return (
        f'<rect x="{start:.1f}" y="{frame.top}" width="{end - start:.1f}" '
        f'height="{frame.bottom - frame.top}" class="span{index % 2}"/>'
        f'<text x="{start + 4:.1f}" y="{frame.top + 12}" class="tick">{escape(span.name)}</text>'
    )


def _level(frame: Frame, level: float) -> str:
    y = frame.y(level)
    return (
        f'<line x1="{frame.x.start}" x2="{frame.x.end}" y1="{y:.1f}" y2="{y:.1f}" class="level"/>'
    )


def _line(frame: Frame, line: Line, text: Callable[[float], str]) -> str:
    # More points than pixels only make the file larger.
    step = max(1, len(line.xs) // _MOST_POINTS)
    kept = sorted({*range(0, len(line.xs), step), len(line.xs) - 1})
    points = [(frame.x(line.xs[index]), frame.y(line.ys[index])) for index in kept]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline points="{path}" class="line {line.style}"/>']
    if line.is_filled:
        zero = frame.y(min(max(0.0, frame.y.low), frame.y.high))
        ends = f"{points[0][0]:.1f},{zero:.1f} {path} {points[-1][0]:.1f},{zero:.1f}"
        parts.insert(0, f'<polygon points="{ends}" class="area {line.style}"/>')
    if line.is_marked:
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="dot {line.style}">'
            f"<title>{escape(text(line.ys[index]))}</title></circle>"
            for index, (x, y) in zip(kept, points, strict=True)
        ]
    return "".join(parts)
