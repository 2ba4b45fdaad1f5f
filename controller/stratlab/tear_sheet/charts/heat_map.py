"""Heat maps as HTML tables: a cell a value, coloured, the value written in it."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

from stratlab.tear_sheet.charts.colours import colour

_DARK = 0.65


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Mapping[tuple[str, str], float],
    *,
    text: Callable[[float], str],
    corner: str = "",
) -> str:
    """Return a heat map; colours are relative to the largest absolute value.

    Args:
        rows: Names, in order.
        columns: Names, in order.
        values: By row and column; a missing one leaves its cell empty.
        text: Renders a value.
        corner: What rows and columns are.
    """
    if not values:
        return ""
    largest = max(abs(value) for value in values.values()) or 1.0
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(row)}</th>"
        + "".join(_cell(values.get((row, column)), largest, text) for column in columns)
        + "</tr>"
        for row in rows
    )
    return f'<table class="heat"><tr><th>{escape(corner)}</th>{head}</tr>{body}</table>'


def _cell(value: float | None, largest: float, text: Callable[[float], str]) -> str:
    if value is None:
        return "<td></td>"
    shade = value / largest
    ink = "#fff" if abs(shade) > _DARK else "#222"
    return f'<td style="background:{colour(shade)};color:{ink}">{escape(text(value))}</td>'
