"""The tables of a selftest, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from stratlab.selftest.figures import CONFIDENCE, Truth

if TYPE_CHECKING:
    from rich.table import Table

    from stratlab.selftest.comparison import Comparison
    from stratlab.selftest.figures import Rate, Row

_MEANING = {
    Truth.NOTHING: "false promotions",
    Truth.TRAP: "false promotions",
    Truth.ALPHA: "power",
}


def as_document(
    rows: "Sequence[Row]",
    comparisons: "Sequence[Comparison]",
    broken: Sequence[str],
    size: str,
    first_seed: int,
) -> dict[str, object]:
    """Return a selftest as values that JSON knows.

    Args:
        rows: Its table.
        comparisons: Of the critic with random mutation.
        broken: Promises that were not kept.
        size: How much was measured.
        first_seed: Of its worlds.
    """
    return {
        "ok": not broken,
        "size": size,
        "first_seed": first_seed,
        "confidence": CONFIDENCE,
        "broken_promises": list(broken),
        "rows": [
            {
                **asdict(row),
                "measures": _MEANING[row.truth].replace(" ", "_"),
                "promoted": _rate(row.promoted),
            }
            for row in rows
        ],
        "critic": [
            {**asdict(line), "won": _rate(line.won), "lost": _rate(line.lost)}
            for line in comparisons
        ],
    }


def as_table(rows: "Sequence[Row]") -> "Table":
    """Return the table for people."""
    from rich.table import Table  # noqa: PLC0415 - keeps start-up fast

    table = Table(box=None, pad_edge=False)
    for title in ("worlds", "oracle", "searched by", "measures", "promoted", f"{CONFIDENCE:.0%}"):
        table.add_column(title)
    for title in ("N", "screened", "oracle held", "finalist held", "regret", "seconds"):
        table.add_column(title, justify="right")
    table.add_column("what decided")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def as_comparison_table(comparisons: "Sequence[Comparison]") -> "Table":
    """Return the table of the critic against random mutation, for people."""
    from rich.table import Table  # noqa: PLC0415 - keeps start-up fast

    table = Table(box=None, pad_edge=False)
    for title in ("worlds", "oracle", "critic against"):
        table.add_column(title)
    for title in ("pairs", "oracle earned", "critic earned", "other earned", "difference"):
        table.add_column(title, justify="right")
    for title in (f"{CONFIDENCE:.0%}", "won", f"{CONFIDENCE:.0%}", "lost", f"{CONFIDENCE:.0%}"):
        table.add_column(title)
    for line in comparisons:
        table.add_row(*_comparison_cells(line))
    return table


def _comparison_cells(line: "Comparison") -> Iterator[str]:
    yield line.name
    yield "all" if line.sharpe is None else f"{line.sharpe:g}"
    yield line.rival.value
    yield f"{line.worlds}"
    yield f"{line.oracle_earned:.2f}"
    yield f"{line.critic_earned:.2f}"
    yield f"{line.rival_earned:.2f}"
    yield f"{line.difference:+.2f}"
    yield "" if line.low is None else f"{line.low:+.2f}..{line.high:+.2f}"
    for rate in (line.won, line.lost):
        yield f"{rate.count}/{rate.total}"
        yield _interval(rate)


def _rate(rate: "Rate") -> dict[str, float]:
    return asdict(rate) | {"value": rate.value}


def _cells(row: "Row") -> Iterator[str]:
    yield row.name
    yield "" if row.sharpe is None else f"{row.sharpe:g}"
    yield row.arm.value
    yield _MEANING[row.truth]
    yield f"{row.promoted.count}/{row.promoted.total} = {row.promoted.value:.3f}"
    yield _interval(row.promoted)
    yield f"{row.trials:.0f}"
    yield f"{row.screened:.0f}"
    yield f"{row.oracle_holdout:.2f}"
    yield "" if row.finalist_holdout is None else f"{row.finalist_holdout:.2f}"
    yield f"{row.regret:.2f}"
    yield f"{row.seconds:.1f}"
    yield ", ".join(f"{name} {count}" for name, count in row.failed_rules.items())


def _interval(rate: "Rate") -> str:
    return f"{rate.low:.3f}-{rate.high:.3f}"
