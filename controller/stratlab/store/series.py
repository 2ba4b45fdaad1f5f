"""Equity series and fills as Parquet: the same figures always give the same bytes."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stratlab.domain.errors import IntegrityError
from stratlab.domain.trial import EquityPoint, Fill

if TYPE_CHECKING:
    import pyarrow as pa


def equity_to_parquet(points: Sequence[EquityPoint], benchmark: Sequence[EquityPoint]) -> bytes:
    """Return a Parquet file with the columns ``bar``, ``value``, ``benchmark``.

    Args:
        points: Portfolio value in account currency by bar (UTC epoch seconds).
        benchmark: The same of the benchmark; null where it has no point at a bar.

    Raises:
        ValueError: A bar occurs twice in one series.
    """
    # keeps start-up fast: Arrow costs 0.1 s
    import pyarrow as pa  # noqa: PLC0415

    own, other = _by_bar(points), _by_bar(benchmark)
    bars = sorted(own.keys() | other.keys())
    return _to_bytes(
        pa.table(
            {
                "bar": pa.array(bars, pa.int64()),
                "value": pa.array([own.get(bar) for bar in bars], pa.float64()),
                "benchmark": pa.array([other.get(bar) for bar in bars], pa.float64()),
            }
        )
    )


def equity_from_parquet(
    content: bytes,
) -> tuple[tuple[EquityPoint, ...], tuple[EquityPoint, ...]]:
    """Return the equity and the benchmark that :func:`equity_to_parquet` wrote.

    Raises:
        IntegrityError: The bytes are no such file.
    """
    columns = _from_bytes(content, ("bar", "value", "benchmark"))
    bars, values, benchmark = columns
    return (
        tuple(EquityPoint(b, v) for b, v in zip(bars, values, strict=True) if v is not None),
        tuple(EquityPoint(b, v) for b, v in zip(bars, benchmark, strict=True) if v is not None),
    )


def fills_to_parquet(fills: Sequence[Fill]) -> bytes:
    """Return a Parquet file with one row a fill and a column for each field, in their order."""
    # keeps start-up fast: Arrow costs 0.1 s
    import pyarrow as pa  # noqa: PLC0415

    return _to_bytes(
        pa.table(
            {
                "number": pa.array([fill.number for fill in fills], pa.int64()),
                "bar": pa.array([fill.bar for fill in fills], pa.int64()),
                "symbol": pa.array([fill.symbol for fill in fills], pa.string()),
                "amount": pa.array([float(fill.amount) for fill in fills], pa.float64()),
                "price": pa.array([fill.price for fill in fills], pa.float64()),
                "commission": pa.array([fill.commission for fill in fills], pa.float64()),
                "ambiguous": pa.array([fill.ambiguous for fill in fills], pa.bool_()),
            }
        )
    )


def fills_from_parquet(content: bytes) -> tuple[Fill, ...]:
    """Return the fills that :func:`fills_to_parquet` wrote.

    Raises:
        IntegrityError: The bytes are no such file.
    """
    columns = _from_bytes(content, tuple(Fill.__dataclass_fields__))
    return tuple(Fill(*row) for row in zip(*columns, strict=True))


def _by_bar(points: Sequence[EquityPoint]) -> dict[int, float]:
    by_bar = {point.bar: point.value for point in points}
    if len(by_bar) != len(points):
        raise ValueError("a bar occurs twice in one equity series")
    return by_bar


def _to_bytes(table: "pa.Table") -> bytes:
    # keeps start-up fast: Arrow costs 0.1 s
    import pyarrow.parquet as pq  # noqa: PLC0415

    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd", compression_level=3)
    return file.getvalue()


def _from_bytes(content: bytes, names: tuple[str, ...]) -> list[list[Any]]:
    # keeps start-up fast: Arrow costs 0.1 s
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(io.BytesIO(content), use_threads=False)
        return [table.column(name).to_pylist() for name in names]
    except (pa.ArrowException, KeyError, OSError) as error:
        raise IntegrityError(f"this is not a series that stratlab wrote: {error}") from error
