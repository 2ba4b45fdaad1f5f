"""What the words of a rule mean where values are undefined or nearly equal."""

import math

import pytest

from stratlab.contract import semantics

NAN, INF = math.nan, math.inf


def _series(*newest_first: float):
    series = semantics.buffer(len(newest_first))
    for value in reversed(newest_first):
        series.appendleft(value)
    return series


def test_above_ignores_rounding_errors() -> None:
    assert not semantics.above(0.1 + 0.2, 0.3)
    assert not semantics.above(1.0, 1.0 - 0.9e-10)
    assert semantics.above(1.0, 1.0 - 2e-10)


@pytest.mark.parametrize(
    ("dividend", "divisor"), [(1, 0), (0, 0), (1, -0.0), (NAN, 1), (1, NAN), (1, INF), (INF, 2)]
)
def test_ratio_without_value_is_undefined(dividend: float, divisor: float) -> None:
    assert math.isnan(semantics.ratio(dividend, divisor))


def test_extremes_with_undefined_part_are_undefined() -> None:
    for values in ((NAN, 1.0), (1.0, NAN), (INF, 1.0), (1.0, -INF)):
        assert math.isnan(semantics.largest(*values))
        assert math.isnan(semantics.smallest(*values))
    assert math.isnan(semantics.magnitude(-INF))
    assert semantics.magnitude(-2.0) == 2.0
    assert math.isnan(semantics.highest(_series(1, 2, NAN), 3))
    assert semantics.highest(_series(1, 2, NAN), 2) == 2
    assert semantics.lowest(_series(1, 2, 0), 2) == 1


def test_buffer_starts_undefined_and_forgets_the_oldest() -> None:
    series = semantics.buffer(2)
    assert not semantics.finite(*series)
    for value in (1.0, 2.0, 3.0):
        series.appendleft(value)
    assert list(series) == [3.0, 2.0]
    assert semantics.change(series, 1) == 1.0


def test_rising_needs_every_step() -> None:
    assert semantics.rising(_series(3, 2, 1), 2)
    assert not semantics.rising(_series(3, 3, 1), 2)
    assert semantics.falling(_series(1, 2, 3), 2)
    assert not semantics.falling(_series(1, 2, 2 + 1e-11), 2)


def test_to_tick_rounds_half_up() -> None:
    assert semantics.to_tick(1.005 + 1e-9) == pytest.approx(1.01)
    assert semantics.to_tick(1.0049) == pytest.approx(1.0)
    assert semantics.to_tick(-1.005) == pytest.approx(-1.0)
