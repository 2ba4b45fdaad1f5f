"""Proposals stay on the grid, come once each, and are the same for the same seed."""

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parameters.contracts import Peak, contract_of, real, spaces, whole

from stratlab.contract.space import Grid, point_key
from stratlab.domain.search import Sampler
from stratlab.domain.trial import Parameters
from stratlab.search.parameters import BATCH, ScoredPoint, best_points, search_points

WIDE = contract_of(
    {"fast": whole(1, 400, 1, 200), "slow": whole(1, 400, 1, 30), "level": real(0, 9, 0.01, 1)}
)
TARGET = {"fast": 61, "slow": 350, "level": 7.5}


def on_grid(contract, point: Parameters) -> bool:
    grid = Grid(contract)
    return point == contract.parameters or (
        point.keys() == grid.axes.keys()
        and all(
            value == axis.value(axis.nearest(value))
            for value, axis in ((point[name], grid.axes[name]) for name in point)
        )
    )


@settings(max_examples=40, deadline=None)
@given(spaces(), st.sampled_from(Sampler), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_points_are_distinct_on_the_grid_and_of_the_right_kind(
    space: dict[str, dict[str, object]], sampler: Sampler, count: int, seed: int
) -> None:
    contract = contract_of(space)
    peak = Peak(dict(contract.parameters))
    found = search_points(contract, peak.objective, sampler=sampler, count=count, seed=seed)
    keys = [point_key(point.parameters) for point in found]
    size = Grid(contract).size
    assert len(set(keys)) == len(keys) == min(count, size)
    for point in found:
        assert on_grid(contract, point.parameters)
        for name, value in point.parameters.items():
            bounds = contract.optimization_space[name]
            assert bounds.min <= value <= bounds.max
            assert isinstance(value, int) or bounds.kind == "float"
            assert bounds.enabled or value == bounds.value
        assert point.score == peak.score(point.parameters)
    # What was judged is what was returned: nothing twice, nothing besides.
    judged = [point_key(point) for call in peak.calls for point in call]
    assert sorted(judged, key=str) == sorted(keys, key=str)


@settings(max_examples=15, deadline=None)
@given(spaces(), st.sampled_from(Sampler), st.integers(1, 30), st.data())
def test_points_that_were_tried_are_not_judged_again(
    space: dict[str, dict[str, object]], sampler: Sampler, count: int, data: st.DataObject
) -> None:
    contract = contract_of(space)
    grid, peak = Grid(contract), Peak(dict(contract.parameters))
    numbers = data.draw(st.sets(st.integers(0, grid.size - 1), max_size=60))
    tried = {point_key(grid.point(number)) for number in numbers}
    found = search_points(
        contract, peak.objective, sampler=sampler, count=count, seed=1, tried=tried
    )
    keys = {point_key(point.parameters) for point in found}
    assert not keys & tried
    assert len(keys) == len(found) == min(count, grid.size - len(tried))


@pytest.mark.parametrize("sampler", Sampler)
def test_equal_arguments_give_equal_points_and_another_seed_others(sampler: Sampler) -> None:
    def search(seed: int) -> Sequence[ScoredPoint]:
        return search_points(WIDE, Peak(TARGET).objective, sampler=sampler, count=60, seed=seed)

    assert search(5) == search(5)
    if sampler is not Sampler.GRID:
        assert search(5) != search(6)


def test_another_process_proposes_the_same_points() -> None:
    # Texts are hashed with another seed in each process; no order may come from that.
    program = (
        "from tests.parameters.test_search import *\n"
        "for sampler in Sampler:\n"
        "    peak = Peak(TARGET)\n"
        "    print(search_points(WIDE, peak.objective, sampler=sampler, count=70, seed=5))\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert printed[0].count("ScoredPoint") == 70 * len(Sampler)


@pytest.mark.parametrize("sampler", [Sampler.TPE, Sampler.CMAES])
def test_sampler_that_learns_beats_independent_draws(sampler: Sampler) -> None:
    def best(chosen: Sampler, seed: int) -> float:
        peak = Peak(TARGET)
        found = search_points(WIDE, peak.objective, sampler=chosen, count=160, seed=seed)
        return max(point.score or 0.0 for point in found)

    wins = sum(best(sampler, seed) > best(Sampler.RANDOM, seed) for seed in range(5))
    assert wins >= 4


def test_authors_own_values_come_first() -> None:
    for sampler in Sampler:
        peak = Peak(TARGET)
        found = search_points(WIDE, peak.objective, sampler=sampler, count=3, seed=0)
        assert found[0].parameters == WIDE.parameters
        assert len(found) == 3


def test_small_grid_is_searched_whole_in_one_call_by_every_sampler() -> None:
    contract = contract_of({"a": whole(1, 4, 1, 2), "b": whole(1, 5, 1, 2)})
    for sampler in Sampler:
        peak = Peak({"a": 1, "b": 1})
        found = search_points(contract, peak.objective, sampler=sampler, count=500, seed=0)
        assert len(found) == 20
        assert [len(call) for call in peak.calls] == [20]


def test_grid_sampler_spans_every_axis_evenly() -> None:
    peak = Peak(TARGET)
    found = search_points(WIDE, peak.objective, sampler=Sampler.GRID, count=65, seed=0)
    # Three by three by seven values; the rest is drawn at random.
    thinned = [point.parameters for point in found[1:64]]
    assert sorted({point["fast"] for point in thinned}) == [1, 201, 400]
    assert sorted({point["slow"] for point in thinned}) == [1, 201, 400]
    assert sorted({point["level"] for point in thinned}) == [0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0]
    assert len(found) == 65


def test_learning_samplers_judge_in_batches() -> None:
    peak = Peak(TARGET)
    search_points(WIDE, peak.objective, sampler=Sampler.TPE, count=100, seed=0)
    assert max(len(call) for call in peak.calls) <= BATCH
    assert len(peak.calls) < 20


@pytest.mark.parametrize("sampler", Sampler)
def test_undefined_figures_end_nothing_and_rank_last(sampler: Sampler) -> None:
    def objective(points: Sequence[Parameters]) -> list[float | None]:
        return [None if point["fast"] > 100 else -point["fast"] / 10 for point in points]

    found = search_points(WIDE, objective, sampler=sampler, count=80, seed=3)
    assert len(found) == 80
    ranked = best_points(found, 80)
    assert len(ranked) == 80
    different = len({point["fast"] for point in ranked if point["fast"] <= 100})
    # One of each figure, one of the undefined, and only then what repeats them.
    defined = [point["fast"] <= 100 for point in ranked[: different + 1]]
    assert defined == [True] * different + [False]
    assert different > 1


def test_best_of_equals_is_the_one_proposed_first_and_its_twins_come_last() -> None:
    points = [
        ScoredPoint({"n": number}, score)
        for number, score in enumerate([None, 0.5, -1.0, 0.5, 0.0])
    ]
    assert [point["n"] for point in best_points(points, 9)] == [1, 4, 2, 0, 3]
    assert [point["n"] for point in best_points(points, 2)] == [1, 4]


def test_search_says_nothing_and_warns_of_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    one = contract_of({"a": whole(1, 5000, 1, 2)})  # where CMA-ES has to give up
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        for sampler in Sampler:
            for contract in (one, WIDE):
                peak = Peak(dict(contract.parameters))
                search_points(contract, peak.objective, sampler=sampler, count=40, seed=0)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("optuna")]
