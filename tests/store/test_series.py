"""Series return bit for bit, and equal series have equal bytes."""

import io

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.errors import IntegrityError
from stratlab.domain.trial import EquityPoint, Fill
from stratlab.store.series import (
    equity_from_parquet,
    equity_to_parquet,
    fills_from_parquet,
    fills_to_parquet,
)

BARS = st.integers(0, 2**40)
MONEY = st.floats(allow_nan=False, allow_infinity=False)
EQUITY = st.dictionaries(BARS, MONEY, max_size=20).map(
    lambda values: tuple(EquityPoint(bar, value) for bar, value in sorted(values.items()))
)
FILLS = st.lists(
    st.builds(
        Fill,
        number=st.integers(1, 2**31),
        bar=BARS,
        symbol=st.text(max_size=8),
        amount=st.integers(-(2**53), 2**53) | st.integers(-999, 999).map(lambda n: n / 10),
        price=MONEY,
        commission=MONEY,
        ambiguous=st.booleans(),
    ),
    max_size=20,
).map(tuple)


@given(points=EQUITY, benchmark=EQUITY)
def test_equity_returns_bit_for_bit_also_where_the_benchmark_differs_in_bars(points, benchmark):
    content = equity_to_parquet(points, benchmark)
    assert equity_from_parquet(content) == (points, benchmark)
    assert equity_to_parquet(points, benchmark) == content


@given(fills=FILLS)
def test_fills_return_bit_for_bit(fills):
    content = fills_to_parquet(fills)
    restored = fills_from_parquet(content)
    assert restored == fills
    assert [fill.ambiguous for fill in restored] == [fill.ambiguous for fill in fills]
    assert fills_to_parquet(fills) == content


def test_equity_file_has_the_documented_columns():
    content = equity_to_parquet([EquityPoint(86_400, 1.5)], [EquityPoint(86_400, 2.5)])
    table = pq.read_table(io.BytesIO(content))
    assert table.to_pydict() == {"bar": [86_400], "value": [1.5], "benchmark": [2.5]}
    assert [str(field.type) for field in table.schema] == ["int64", "double", "double"]


def test_equity_with_a_bar_twice_is_refused():
    twice = [EquityPoint(1, 1.0), EquityPoint(1, 2.0)]
    with pytest.raises(ValueError, match="twice"):
        equity_to_parquet(twice, [])


@pytest.mark.parametrize("content", [b"", b"PAR1", fills_to_parquet([])], ids=len)
def test_bytes_that_are_no_equity_are_an_integrity_error(content):
    with pytest.raises(IntegrityError):
        equity_from_parquet(content)
