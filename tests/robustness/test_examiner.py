"""The examination of a finalist over time and under stress, on made-up prices."""

import asyncio
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from tests.robustness.scene import (
    DAYS,
    SYMBOLS,
    TRAIN,
    VALIDATION,
    WARM_UP,
    a_scene,
    contract_candidate,
    free_candidate,
    trade,
)

from stratlab.campaigns import evidence_trials
from stratlab.campaigns.robustness_ground import ground_of
from stratlab.domain.errors import UnavailableError
from stratlab.domain.market import CostModel, CostModelKind, Tier
from stratlab.domain.robustness import ParameterSource, Robustness, StressKind, WindowScheme
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.performance import performance, returns_of
from stratlab.store.encoding import decode, encode

FIRST, LAST = DAYS[WARM_UP], DAYS[WARM_UP + TRAIN + VALIDATION - 1]


@pytest.fixture(params=[contract_candidate, free_candidate], ids=["contract", "free"])
def scene(request, tmp_path):
    with a_scene(tmp_path, request.param()) as found:
        yield found


async def test_everything_is_found_on_train_and_validation_alone(scene):
    # The prices refuse to show the holdout.
    found = await scene.examine()
    assert {spec.window.tier for spec in scene.sandbox.specs} == {Tier.VALIDATION}
    assert min(spec.window.start for spec in scene.sandbox.specs) == FIRST
    assert max(spec.window.end for spec in scene.sandbox.specs) == LAST
    assert [walk.scheme for walk in found.walk_forwards] == list(WindowScheme)
    assert len(found.cross_validation.paths) == 5
    assert found.cross_validation.splits == 15
    assert [test.kind for test in found.stress] == list(StressKind)
    assert found.notes == ()


def test_symbol_is_left_out_of_what_ends_before_its_first_bar(scene):
    panel = scene.prices.panel
    born = WARM_UP + 100
    for name in ("open", "high", "low", "close"):
        getattr(panel, name)[:born, 1] = np.nan
    panel.volume[:born, 1] = 0
    ground = ground_of(scene.prices, scene.campaign.spec)
    assert ground.listed(0, range(100)).symbols == ("AAA",)
    assert ground.listed(0, range(101)).symbols == SYMBOLS
    assert ground.listed(0, range(200, 260)).symbols == SYMBOLS


async def test_steps_follow_one_another_behind_their_train_windows(scene):
    found = await scene.examine()
    for walk in found.walk_forwards:
        assert len(walk.steps) == 5
        for step in walk.steps:
            between = [day for day in DAYS if step.train.end < day < step.test.start]
            assert len(between) == walk.purge + walk.embargo == 9
        for earlier, later in pairwise(walk.steps):
            assert DAYS.index(later.test.start) == DAYS.index(earlier.test.end) + 1
        assert walk.steps[0].train.start == FIRST
        assert walk.steps[-1].test.end == LAST
        assert len(walk.equity) == len(walk.benchmark_equity) == 400 - 200 - 9


async def test_stitched_equity_is_that_of_the_trials_one_after_the_other(scene):
    found = await scene.examine()
    walk = found.walk_forwards[0]
    specs = {spec.trial_id: spec for spec in scene.sandbox.specs}
    value = scene.campaign.spec.capital
    for step in walk.steps:
        spec = specs[step.trial_id]
        assert spec.parameters == step.parameters
        assert (spec.window.start, spec.window.end) == (step.test.start, step.test.end)
        value *= 1.0 + step.out_of_sample.cum_returns_final
    assert walk.equity[-1].value == pytest.approx(value)
    assert walk.out_of_sample.cum_returns_final == pytest.approx(value / 100_000 - 1)


async def test_trials_are_registered_and_none_of_them_counts(scene):
    await scene.examine()
    counts = scene.repository.point_counts("scene")
    assert set(counts) == {TrialPurpose.WALK_FORWARD, TrialPurpose.STRESS}
    assert {spec.purpose for spec in scene.sandbox.specs} == set(counts)
    runs = Counter(
        (spec.purpose, str(spec.parameters), spec.window, spec.cost_model)
        for spec in scene.sandbox.specs
    )
    assert max(runs.values()) == 1
    assert len({spec.trial_id for spec in scene.sandbox.specs}) == len(scene.sandbox.specs)


async def test_same_examination_twice_is_the_same_and_can_be_stored(scene):
    first, second = await scene.examine(), await scene.examine()
    assert first == second
    assert decode(Robustness, encode(first)) == first


async def test_points_are_drawn_where_numpy_can_compute_them_and_recorded_where_not(scene):
    found = await scene.examine()
    walk = found.walk_forwards[0]
    drawn = bool(scene.iteration.candidate.contract)
    assert walk.source is (ParameterSource.SCREEN if drawn else ParameterSource.RECORDED)
    assert walk.points == (64 if drawn else 3)
    by_kind = {test.kind: test for test in found.stress}
    for kind in (StressKind.PARAMETER_JITTER, StressKind.BOOTSTRAPPED_PRICES):
        assert len(by_kind[kind].runs) == (24 if drawn else 0)
        assert bool(by_kind[kind].note) != drawn


async def test_recorded_point_is_the_best_on_the_train_window_and_no_other(tmp_path):
    with a_scene(tmp_path, free_candidate()) as scene:
        found = await scene.examine()
        runs = {
            str(spec.parameters): spec for spec in scene.sandbox.specs if "points" in spec.trial_id
        }
        whole = {}
        for name, spec in runs.items():
            panel = scene.prices.prices(spec.market, Tier.VALIDATION)
            result = HostEvaluator().settle(spec, trade(scene.prices, spec), panel)
            whole[name] = [
                returns_of(points, spec.capital)
                for points in (result.equity, result.benchmark_equity)
            ]
        for step in found.walk_forwards[1].steps:
            first, last = (DAYS.index(day) - WARM_UP for day in (step.train.start, step.train.end))
            sharpes = {
                name: performance(own[first : last + 1], held[first : last + 1], 252).excess_sharpe
                for name, (own, held) in whole.items()
            }
            assert str(step.parameters) == max(sharpes, key=sharpes.get)
            assert step.in_sample.excess_sharpe == pytest.approx(max(sharpes.values()))


async def test_ladders_and_delay_come_from_the_orders_of_the_baseline(scene):
    found = await scene.examine()
    by_kind = {test.kind: test.runs for test in found.stress}
    (baseline,), (doubled,) = by_kind[StressKind.BASELINE], by_kind[StressKind.DOUBLED_COSTS]
    rungs = {rung.level: rung for rung in found.costs.rungs}
    assert rungs[1.0].performance == baseline
    assert rungs[2.0].performance == doubled
    assert doubled.cum_returns_final < baseline.cum_returns_final
    assert by_kind[StressKind.ONE_BAR_DELAY][0].outcome is Outcome.SUCCEEDED
    capacity = found.capacity.rungs
    assert [rung.level for rung in capacity] == pytest.approx([0.1, 0.01, 0.001, 1e-4, 1e-5])
    assert capacity[0].performance == baseline
    # 200 of a million shares a bar: they fit into the third rung, and no more into the fourth.
    assert [rung.fills > 0 for rung in capacity] == [True, True, True, False, False]


async def test_baseline_that_fails_ends_the_stress_with_a_note(scene):
    scene.sandbox.script = lambda spec: (
        Outcome.TIMEOUT_CPU if spec.purpose is TrialPurpose.STRESS else None
    )
    found = await scene.examine()
    assert [test.kind for test in found.stress] == [StressKind.BASELINE]
    assert found.stress[0].runs[0].outcome is Outcome.TIMEOUT_CPU
    assert found.costs is None
    assert found.capacity is None
    assert "TIMEOUT_CPU" in found.notes[0]
    assert found.walk_forwards[0].out_of_sample.outcome is Outcome.SUCCEEDED


async def test_test_window_that_fails_leaves_no_stitched_equity(scene):
    scene.sandbox.script = lambda spec: (
        Outcome.STRATEGY_ERROR
        if spec.purpose is TrialPurpose.WALK_FORWARD
        and "points" not in spec.trial_id
        and spec.window.end == LAST
        else None
    )
    found = await scene.examine()
    for walk in found.walk_forwards:
        assert walk.equity == ()
        assert walk.efficiency is None
        assert walk.degradation.value is None
        assert walk.out_of_sample.outcome is Outcome.STRATEGY_ERROR
        assert [step.out_of_sample.outcome for step in walk.steps[:-1]] == [Outcome.SUCCEEDED] * 4


async def test_trial_that_was_lost_is_run_again_and_at_last_given_up(scene, monkeypatch):
    monkeypatch.setattr(evidence_trials, "INFRASTRUCTURE_BACKOFF_SECONDS", (0.0,))
    seen = Counter()

    def once(spec):
        seen[spec.trial_id] += 1
        return Outcome.LOST if seen[spec.trial_id] == 1 else None

    scene.sandbox.script = once
    found = await scene.examine()
    assert found.notes == ()
    assert set(seen.values()) == {2}
    scene.sandbox.script = lambda spec: Outcome.INFRASTRUCTURE
    with pytest.raises(UnavailableError):
        await scene.examine()


async def test_trials_are_fanned_out_and_stopped_together(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence_trials, "BATCH", 4)
    with a_scene(tmp_path, contract_candidate()) as scene:
        running, stopped, both = set(), [], asyncio.Event()

        async def run(batch, on_progress, judge_first=None):
            running.add(batch.trials[0].trial_id)
            if len(running) > 1:
                both.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                stopped.append(batch.trials[0].trial_id)
                raise

        scene.sandbox.run = run
        examination = asyncio.ensure_future(scene.examine())
        await asyncio.wait_for(both.wait(), 60)
        examination.cancel()
        with pytest.raises(asyncio.CancelledError):
            await examination
        assert set(stopped) == running


async def test_costs_of_zipline_leave_out_what_cannot_be_done(tmp_path):
    costs = CostModel(CostModelKind.ZIPLINE)
    with a_scene(tmp_path, contract_candidate(), cost_model=costs) as scene:
        found = await scene.examine()
    assert found.walk_forwards[0].source is ParameterSource.FIXED
    assert found.capacity is None
    assert "zipline" in found.notes[0]
    assert found.costs.rungs[2].performance == found.stress[0].runs[0]


async def test_several_markets_are_traded_apart_and_put_together(tmp_path):
    with a_scene(tmp_path, contract_candidate(), markets=(("AAA",), ("BBB",))) as scene:
        found = await scene.examine()
        assert {spec.market.symbols for spec in scene.sandbox.specs} == {("AAA",), ("BBB",)}
    assert found.walk_forwards[0].out_of_sample.outcome is Outcome.SUCCEEDED
    assert np.isfinite(found.costs.rungs[0].performance.cum_returns_final)
