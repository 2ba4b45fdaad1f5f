"""Numbers and tables as HTML text; everything that is not ours is escaped."""

from collections.abc import Sequence
from html import escape

from stratlab.domain.statistics import Inconclusive, SharpeBound

NOTHING = "-"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction in percent, a dash for None."""
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a fixed count of decimals, a dash for None."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def plain(value: float) -> str:
    """Return a number as short as it can be written."""
    return f"{value:g}"


def bound_text(bound: SharpeBound | Inconclusive | None) -> str:
    """Return a Sharpe ratio with its lower bound, or why there is none."""
    if bound is None:
        return NOTHING
    if isinstance(bound, Inconclusive):
        return bound.message
    return (
        f"{number(bound.annual)} (one-sided {percent(bound.confidence, 2)} bound "
        f"{number(bound.annual_lower)})"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, style: str = "") -> str:
    """Return a table, "" without rows.

    Args:
        head: Names of the columns, plain text.
        rows: Cells, plain text.
        style: CSS class.
    """
    if not rows:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    kind = f' class="{style}"' if style else ""
    return f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def section(title: str, *parts: str, note: str = "") -> str:
    """Return a section of the page, "" when it would be empty.

    Args:
        title: Plain text.
        parts: HTML; empty ones are left out.
        note: Plain text under the title.
    """
    content = "".join(parts)
    if not content:
        return ""
    told = f"<p class='note'>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{told}{content}</section>"


def subsection(title: str, content: str) -> str:
    """Return a part of a section under a title of its own, "" when it would be empty."""
    return f"<h3>{escape(title)}</h3>{content}" if content else ""
