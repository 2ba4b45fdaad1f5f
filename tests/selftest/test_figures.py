"""Rates with their Clopper-Pearson intervals, and what a run of worlds has to hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import binom, ttest_rel

from stratlab.domain.gates import VerdictKind
from stratlab.generation import load_templates
from stratlab.selftest.arms import RIVALS, Arm
from stratlab.selftest.comparison import compare, comparisons_of
from stratlab.selftest.figures import Truth, clopper_pearson, summarise
from stratlab.selftest.measuring import Measurement
from stratlab.selftest.plan import (
    EFFECTS,
    NOISE,
    STRONG,
    Size,
    critic_groups_of,
    groups_of,
)
from stratlab.selftest.promises import broken_promises
from stratlab.selftest.report import as_comparison_table, as_document
from stratlab.selftest.running import table_of
from stratlab.selftest.worlds import Recipe, WorldKind


def _measured(promoted, total, arm=Arm.LAB):
    one = Measurement(
        recipe=Recipe(WorldKind.GARCH, 0),
        arm=arm,
        verdict=VerdictKind.ITERATE,
        failed_rule="deflated_sharpe_ratio",
        trials=24,
        screened=100,
        oracle_planted=None,
        oracle_holdout=0.0,
        finalist_holdout=-0.5,
        seconds=1.0,
    )
    good = replace(one, verdict=VerdictKind.PROMOTE_CANDIDATE, failed_rule="")
    return [good] * promoted + [one] * (total - promoted)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (0, 40, 0.0, 0.0881),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (5, 400, 0.0041, 0.0289),
    ],
)
def test_interval_is_that_of_the_tables(count, total, low, high):
    rate = clopper_pearson(count, total)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 300), st.data())
def test_ends_of_the_interval_leave_a_fortieth_on_each_side(total, data):
    count = data.draw(st.integers(0, total))
    rate = clopper_pearson(count, total)
    assert rate.low <= rate.value <= rate.high
    if count:
        assert binom.sf(count - 1, total, rate.low) == pytest.approx(0.025, abs=1e-6)
    if count < total:
        assert binom.cdf(count, total, rate.high) == pytest.approx(0.025, abs=1e-6)


def test_row_tells_rates_regret_and_what_decided():
    row = summarise(NOISE, Truth.NOTHING, None, _measured(1, 4))
    assert (row.promoted.count, row.promoted.total) == (1, 4)
    assert row.failed_rules == {"deflated_sharpe_ratio": 3}
    # Whoever promotes what loses half a ratio regrets that; the others hold the benchmark.
    assert row.regret == pytest.approx(0.5 / 4)


@pytest.mark.parametrize(
    ("size", "name", "truth", "sharpe", "promoted", "total", "broken"),
    [
        (Size.CI, NOISE, Truth.NOTHING, None, 0, 40, ""),
        (Size.CI, NOISE, Truth.NOTHING, None, 1, 40, "1 of 40"),
        (Size.CI, "survivors", Truth.TRAP, None, 1, 1, "1 of 1"),
        (Size.CI, "momentum", Truth.ALPHA, STRONG, 0, 1, ""),
        (Size.FULL, NOISE, Truth.NOTHING, None, 5, 400, ""),
        (Size.FULL, NOISE, Truth.NOTHING, None, 6, 400, "up to"),
        (Size.FULL, NOISE, Truth.NOTHING, None, 40, 400, "at least"),
        (Size.FULL, "survivors", Truth.TRAP, None, 2, 20, ""),
        (Size.FULL, "survivors", Truth.TRAP, None, 6, 20, "at least"),
        (Size.FULL, EFFECTS, Truth.ALPHA, STRONG, 30, 60, ""),
        (Size.FULL, EFFECTS, Truth.ALPHA, STRONG, 29, 60, "power"),
        (Size.FULL, EFFECTS, Truth.ALPHA, 0.5, 0, 60, ""),
    ],
)
def test_promises_are_kept_or_named(size, name, truth, sharpe, promoted, total, broken):
    row = summarise(name, truth, sharpe, _measured(promoted, total))
    found = broken_promises([row], size)
    assert bool(found) == bool(broken)
    assert all(broken in sentence for sentence in found)


def test_full_size_has_the_worlds_that_the_promises_are_about():
    groups = groups_of(Size.FULL)
    noise = [g for g in groups if g.name == NOISE and g.arm is Arm.LAB]
    assert sum(len(set(g.recipes)) for g in noise) >= 400
    assert all(g.budget.iterations * g.budget.points <= 500 for g in groups)
    arms = {(g.sharpe, g.arm) for g in groups if g.truth is Truth.ALPHA}
    assert {(s, a) for s in (0.5, 1.0, 2.0) for a in (Arm.LAB, Arm.RANDOM)} <= arms
    assert {g.name for g in groups} == {NOISE, *WorldKind} - {WorldKind.GARCH, WorldKind.BOOTSTRAP}


def test_other_seeds_make_other_worlds():
    first, second = (
        {r for g in groups_of(Size.FULL, seed) for r in g.recipes} for seed in (0, 1000)
    )
    assert not first & second


def test_table_has_a_line_for_each_group_and_for_all_effects_together():
    groups = groups_of(Size.CI)
    rows = table_of(groups, [_measured(0, len(g.recipes)) for g in groups])
    assert len(rows) == len(groups) + 1
    assert rows[-1].name == EFFECTS
    document = as_document(rows, (), ["a"], "ci", 0)
    assert document["ok"] is False
    assert document["rows"][0]["promoted"]["value"] == 0.0


def _earning(*holdouts, arm=Arm.LAB):
    (one,) = _measured(0, 1, arm)
    return [replace(one, finalist_holdout=earned, oracle_holdout=2.0) for earned in holdouts]


CRITIC, RANDOM = (0.2, None, 1.1, -0.3, 0.7), (0.9, 0.4, 1.1, 0.5, 0.6)


def test_difference_is_that_of_a_paired_test_and_may_be_negative():
    pairs = list(zip(_earning(*CRITIC), _earning(*RANDOM, arm=Arm.MUTATION), strict=True))
    line = compare("momentum", STRONG, Arm.MUTATION, pairs)
    # Whoever ends with nothing holds the benchmark.
    expected = ttest_rel([earned or 0.0 for earned in CRITIC], RANDOM).confidence_interval(0.95)
    assert line.difference == pytest.approx(-1.8 / 5)
    assert (line.low, line.high) == pytest.approx((expected.low, expected.high))
    assert (line.critic_earned, line.rival_earned) == pytest.approx((1.7 / 5, 3.5 / 5))
    assert (line.won.count, line.lost.count, line.worlds) == (1, 3, 5)
    assert line.won == clopper_pearson(1, 5)


def test_one_pair_has_no_interval():
    pairs = [(*_earning(0.5), *_earning(0.1, arm=Arm.MUTATION))]
    line = compare("momentum", STRONG, Arm.MUTATION, pairs)
    assert line.difference == pytest.approx(0.4)
    assert line.low is line.high is None


def test_critic_and_rivals_have_the_same_worlds_and_budget():
    for size in Size:
        groups = critic_groups_of(size)
        asked = {(g.name, g.sharpe): (g.recipes, g.budget) for g in groups}
        assert all(asked[g.name, g.sharpe] == (g.recipes, g.budget) for g in groups)
        arms = {(g.name, g.sharpe, g.arm) for g in groups}
        assert len(arms) == len(groups) == len(asked) * (1 + len(RIVALS))
        # Until every template had its turn, critics have no say.
        assert all(g.budget.iterations > len(load_templates()) for g in groups)
    assert {sharpe for _, sharpe, _ in arms} >= {1.0, 2.0}


def test_report_tells_what_the_critic_is_worth_also_when_it_does_harm():
    groups = critic_groups_of(Size.FULL)
    better = {Arm.LAB: 0.5, Arm.EVOLUTION: 0.5, Arm.MUTATION: 1.5}
    measured = [_earning(*[better[g.arm]] * len(g.recipes), arm=g.arm) for g in groups]
    lines = comparisons_of(groups, measured)
    harm = [line for line in lines if line.rival is Arm.MUTATION]
    assert {line.difference for line in harm} == {-1.0}
    assert [(line.name, line.sharpe) for line in harm[-3:]] == [
        (EFFECTS, 1.0),
        (EFFECTS, STRONG),
        (EFFECTS, None),
    ]
    assert harm[-1].worlds == sum(len(g.recipes) for g in groups if g.arm is Arm.LAB)
    assert all(line.won.count == line.lost.count == 0 for line in lines if line not in harm)
    document = as_document((), lines, (), "full", 0)["critic"]
    assert [entry["difference"] for entry in document] == [line.difference for line in lines]
    assert document[-1]["lost"]["value"] == 1.0
    console = Console(width=200)
    with console.capture() as printed:
        console.print(as_comparison_table(lines))
    assert "-1.00..-1.00" in printed.get()
