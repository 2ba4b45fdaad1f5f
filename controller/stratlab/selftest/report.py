"""The table of a selftest, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from stratlab.selftest.figures import CONFIDENCE, Truth

if TYPE_CHECKING:
    from rich.table import Table

    from stratlab.selftest.figures import Rate, Row

_MEANING = {
    Truth.NOTHING: "false promotions",
    Truth.TRAP: "false promotions",
    Truth.ALPHA: "power",
}


def as_document(
    rows: "Sequence[Row]", broken: Sequence[str], size: str, first_seed: int
) -> dict[str, object]:
    """Return a selftest as values that JSON knows.

    Args:
        rows: Its table.
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
                "promoted": asdict(row.promoted) | {"value": row.promoted.value},
            }
            for row in rows
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
