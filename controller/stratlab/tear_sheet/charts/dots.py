"""Dot charts: one dot a trial, one of them marked, coloured by a value where there is one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import final

from stratlab.tear_sheet.charts.axes import Axis, Frame, padded
from stratlab.tear_sheet.charts.colours import colour

_SIZE = 4.0
_MARKED_SIZE = 8.0


@final
@dataclass(frozen=True, slots=True)
class Dot:
    """One dot.

    Attributes:
        x, y: Where.
        text: Shown when it is pointed at.
        is_marked: Whether it is the one that matters.
        shade: In [-1, 1] from bad to good; None for no colour of its own.
    """

    x: float
    y: float
    text: str
    is_marked: bool = False
    shade: float | None = None


def dot_chart(
    title: str,
    dots: Sequence[Dot],
    *,
    x_label: str,
    y_label: str,
    text: Callable[[float], str],
    has_diagonal: bool = False,
    height: int = 320,
) -> str:
    """Return a chart of dots as HTML; "" when there is none.

    Args:
        title: Said by screen readers.
        dots: The marked one is drawn last.
        x_label: What the horizontal axis is.
        y_label: What the vertical axis is.
        text: Renders a tick.
        has_diagonal: Whether to draw the line on which both values are the same.
        height: In pixels.
    """
    if not dots:
        return ""
    x_low, x_high = padded([dot.x for dot in dots])
    y_low, y_high = padded([dot.y for dot in dots])
    frame = Frame(Axis(x_low, x_high, text, x_label), Axis(y_low, y_high, text, y_label), height)
    body = _diagonal(frame) if has_diagonal else ""
    ordered = sorted(dots, key=lambda dot: dot.is_marked)
    body += "".join(_dot(frame, dot) for dot in ordered)
    return f"<figure>{frame.svg(title, body)}</figure>"


def _diagonal(frame: Frame) -> str:
    low, high = max(frame.x.low, frame.y.low), min(frame.x.high, frame.y.high)
    if low >= high:
        return ""
    return (
        f'<line x1="{frame.x(low):.1f}" y1="{frame.y(low):.1f}" x2="{frame.x(high):.1f}" '
        f'y2="{frame.y(high):.1f}" class="level"/>'
    )


def _dot(frame: Frame, dot: Dot) -> str:
    size = _MARKED_SIZE if dot.is_marked else _SIZE
    kind = "dot marked" if dot.is_marked else "dot own"
    fill = "" if dot.shade is None else f' style="fill:{colour(dot.shade)}"'
    return (
        f'<circle cx="{frame.x(dot.x):.1f}" cy="{frame.y(dot.y):.1f}" r="{size}" '
        f'class="{kind}"{fill}><title>{escape(dot.text)}</title></circle>'
    )
