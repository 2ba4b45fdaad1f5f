"""Parameter grids: axes, points and values outside of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.contract.model import OptParam
from stratlab.contract.space import Axis, Grid, point_key, with_values
from stratlab.domain.errors import InvalidParametersError
from stratlab.generation import load_templates


@given(
    low=st.integers(-50, 50), steps=st.integers(0, 40), step=st.sampled_from([0.05, 0.25, 1.0, 3.0])
)
def test_axis_holds_min_to_max_on_its_steps(low: int, steps: int, step: float) -> None:
    high = low + steps * step
    space = OptParam(min=low, max=high, step=step, value=high, kind="float")
    axis = Axis(space)
    values = [axis.value(place) for place in range(axis.count)]
    assert values[0] == low
    assert values[-1] == pytest.approx(high)
    assert len(values) == steps + 1
    assert [axis.nearest(value) for value in values] == list(range(axis.count))


def test_axis_of_disabled_parameter_is_its_value() -> None:
    axis = Axis(OptParam(enabled=False, min=1, max=9, step=1, value=4, kind="int"))
    assert (axis.count, axis.value(0)) == (1, 4)


def test_axis_with_uneven_step_stays_below_max() -> None:
    axis = Axis(OptParam(min=1, max=10, step=4, value=2, kind="int"))
    assert [axis.value(place) for place in range(axis.count)] == [1, 5, 9]


def test_grid_points_are_distinct_and_counted() -> None:
    grid = Grid(load_templates()["ema_cross_atr"])
    assert grid.size == 36 * 22 * 10
    assert len({point_key(grid.point(number)) for number in range(grid.size)}) == grid.size


def test_grid_untried_yields_every_other_point_once() -> None:
    grid = Grid(load_templates()["ema_cross_atr"])
    tried = {point_key(grid.point(number)) for number in range(0, grid.size, 2)}
    found = [point_key(point) for point in grid.untried(Random(3), tried)]
    assert len(found) == len(set(found)) == grid.size // 2
    assert not set(found) & tried


def test_grid_of_enormous_space_costs_nothing() -> None:
    contract = load_templates()["ema_cross_atr"]
    huge = OptParam(min=1.0, max=90.0, step=1e-9, value=3.0, kind="float")
    space = contract.optimization_space | {"stop_mult": huge}
    grid = Grid(contract.model_copy(update={"optimization_space": space}))
    assert grid.size > 10**12
    assert next(iter(grid.untried(Random(1), ()))).keys() == contract.parameters.keys()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"foo": 1}, "unknown parameter 'foo'; known: fast_length, slow_length, stop_mult"),
        ({"fast_length": 900}, "min <= value <= max does not hold"),
        ({"fast_length": 5.5}, "whole numbers only"),
        ({"stop_mult": float("nan")}, "numbers"),
    ],
)
def test_with_values_outside_the_space_refused(values: dict, message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        with_values(load_templates()["ema_cross_atr"], values)
