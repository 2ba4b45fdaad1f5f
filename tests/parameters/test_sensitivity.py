"""Points around a point: inside the bounds, each once, and one number for all of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parameters.contracts import Peak, contract_of, metrics_of, real, spaces, whole
from tests.suites.small_lab import SYMBOLS, PanelData

from stratlab.contract.space import point_key
from stratlab.domain.campaign import CampaignSpec
from stratlab.domain.errors import InvalidParametersError
from stratlab.search.parameters_objective import train_worlds
from stratlab.search.parameters_sensitivity import MAX_PAIRED, measure_sensitivity, moves

WORLDS = train_worlds(PanelData(), CampaignSpec("", "small", (SYMBOLS,)))


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (whole(1, 90, 1, 50), 50, (45, 49, 50, 51, 55)),
        (whole(1, 90, 5, 50), 50, (45, 50, 55)),
        (whole(1, 90, 1, 5), 5, (4, 5, 6)),
        (whole(4, 5, 1, 5), 5, (4, 5)),
        (real(0, 9, 0.1, 2), 2.0, (1.8, 1.9, 2.0, 2.1, 2.2)),
        (real(0, 9, 0.5, 0), 0.0, (0.0, 0.5)),
        (real(-3, 9, 0.5, -2), -2.0, (-2.5, -2.2, -2.0, -1.8, -1.5)),
        (real(3, 3, 0.5, 3), 3.0, (3.0,)),
    ],
)
def test_moves_are_a_step_and_a_tenth_either_way(space, value, expected) -> None:
    (bounds,) = contract_of({"a": space}).optimization_space.values()
    assert moves(bounds, value) == expected


def test_two_parameters_give_one_map_of_five_by_five_with_the_centre_inside() -> None:
    contract = contract_of({"a": whole(1, 90, 1, 50), "b": real(0, 9, 0.1, 2)})
    peak = Peak({"a": 50, "b": 2.0})
    found = measure_sensitivity(contract, WORLDS, judge=peak)
    (heat_map,) = found.maps
    assert (heat_map.row, heat_map.column) == ("a", "b")
    assert heat_map.row_values == (45, 49, 50, 51, 55)
    assert heat_map.sharpe_ratios[2][2] == found.sharpe_ratio == 2.0
    assert heat_map.sharpe_ratios[0][4] == pytest.approx(peak.score({"a": 45, "b": 2.2}))
    assert len(found.points) == 25
    around = [point.score - 2.0 for point in found.points[1:]]
    assert found.mean_change == pytest.approx(sum(around) / 24)
    assert found.worst_change == pytest.approx(peak.score({"a": 45, "b": 1.8}) - 2.0)


@settings(max_examples=40, deadline=None)
@given(spaces(), st.data())
def test_points_stay_inside_the_bounds_and_come_once_each(space, data) -> None:
    contract = contract_of(space)
    peak = Peak(contract.parameters)
    found = measure_sensitivity(contract, WORLDS, judge=peak)
    judged = [point for call in peak.calls for point in call]
    assert len({point_key(point) for point in judged}) == len(judged) == len(found.points)
    for point in judged:
        moved = [name for name in point if point[name] != contract.parameters[name]]
        assert len(moved) <= 2
        for name in moved:
            bounds = contract.optimization_space[name]
            assert bounds.enabled
            assert bounds.min <= point[name] <= bounds.max
            assert bounds.kind == "float" or isinstance(point[name], int)
    movable = {m.row for m in found.maps} | {m.column for m in found.maps} - {""}
    expected = len(movable) * (len(movable) - 1) // 2 if len(movable) > 1 else len(movable)
    assert len(found.maps) == expected
    if len(judged) > 1:
        # The contract stands on the peak, so everything around it is worse.
        assert found.mean_change < 0
        assert found.worst_change <= found.mean_change


def test_centre_may_be_another_point() -> None:
    contract = contract_of({"a": whole(1, 90, 1, 50)})
    found = measure_sensitivity(contract, WORLDS, {"a": 20}, Peak({"a": 50}))
    assert found.parameters == {"a": 20}
    (heat_map,) = found.maps
    assert (heat_map.row_values, heat_map.column) == ((18, 19, 20, 21, 22), "")
    assert found.mean_change == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(InvalidParametersError, match="parameters"):
        measure_sensitivity(contract, WORLDS, {"b": 20}, Peak({"a": 50}))


def test_many_parameters_are_moved_alone() -> None:
    few, many = (
        contract_of({f"p{number}": whole(1, 90, 1, 50) for number in range(count)})
        for count in (MAX_PAIRED, MAX_PAIRED + 1)
    )
    peak = Peak({"p0": 50})
    pairs = measure_sensitivity(few, WORLDS, judge=peak)
    assert len(pairs.maps) == MAX_PAIRED * (MAX_PAIRED - 1) // 2
    alone = measure_sensitivity(many, WORLDS, judge=peak)
    assert [heat_map.column for heat_map in alone.maps] == [""] * (MAX_PAIRED + 1)
    assert len(alone.points) == 4 * (MAX_PAIRED + 1) + 1


def test_nothing_to_move_is_no_number() -> None:
    contract = contract_of({"a": whole(1, 90, 1, 50, enabled=False)})
    found = measure_sensitivity(contract, WORLDS, judge=Peak({"a": 50}))
    assert (found.mean_change, found.worst_change, found.maps) == (None, None, ())
    assert len(found.points) == 1


def test_undefined_neighbours_are_shown_and_left_out_of_the_number() -> None:
    contract = contract_of({"a": whole(1, 90, 1, 50)})

    def judge(contract, world, points):
        return [metrics_of(None if point["a"] > 50 else point["a"] / 50) for point in points]

    found = measure_sensitivity(contract, WORLDS, judge=judge)
    assert found.maps[0].sharpe_ratios[-1] == (None,)
    assert found.mean_change == pytest.approx((45 / 50 + 49 / 50) / 2 - 1)
