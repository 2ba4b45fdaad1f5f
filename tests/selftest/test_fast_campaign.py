"""Campaigns in memory: the same rules as the lab, the same seed the same result."""

from dataclasses import replace

import empyrical
import numpy as np
import pytest

from stratlab.contract.document import load_contract
from stratlab.domain.errors import DataSetNotFoundError, InvalidSpecError
from stratlab.domain.gates import RuleStatus, VerdictKind
from stratlab.domain.market import MarketSet, Tier
from stratlab.evaluation.promotion import RULES, judge_promotion
from stratlab.evaluation.statistics.excess import joined
from stratlab.evaluation.trial_count import count_trials
from stratlab.evaluation.verdict import reach_verdict
from stratlab.selftest.arms import Arm, Budget, critic_of, generator_of, spec_of
from stratlab.selftest.fast.campaign import run_campaign
from stratlab.selftest.fast.examination import examine, finalist_returns
from stratlab.selftest.fast.market import NAME, WorldMarket
from stratlab.selftest.measuring import measure
from stratlab.selftest.worlds import Recipe, WorldKind, make_world
from stratlab.selftest.worlds.world import tier_rows

SMALL = Budget(4, 10)


def _campaign(recipe, arm=Arm.COUNTED, budget=SMALL, critic=None):
    world = make_world(recipe)
    market = WorldMarket(world)
    spec = spec_of(arm, budget, world.panel.symbols, recipe.seed)
    return run_campaign(spec, market, generator_of(arm, spec), critic or critic_of(arm)), market


@pytest.fixture(scope="module")
def counted():
    return _campaign(Recipe(WorldKind.REVERSAL, 1, 2.0))


def test_market_shows_nothing_after_a_tier():
    world = make_world(Recipe(WorldKind.GARCH, 1))
    market = WorldMarket(world)
    wanted = MarketSet(NAME, world.panel.symbols)
    for tier, rows in tier_rows().items():
        assert len(market.prices(wanted, tier).bars) == rows.stop
    with pytest.raises(DataSetNotFoundError):
        market.get("other")
    with pytest.raises(DataSetNotFoundError):
        market.prices(MarketSet(NAME, ("OTHER",)), Tier.TRAIN)
    with pytest.raises(InvalidSpecError):
        market.mount(NAME, Tier.TRAIN)


def test_every_point_that_was_run_is_counted(counted):
    found, _ = counted
    assert len(found.iterations) == SMALL.iterations
    counts = count_trials(found.points, found.iterations)
    assert counts.counted == SMALL.iterations * SMALL.points
    assert counts.screened_only == 0


def test_lab_counts_what_it_ran_and_reports_what_it_screened():
    found, _ = _campaign(Recipe(WorldKind.GARCH, 1), Arm.LAB, Budget(2, 10))
    counts = count_trials(found.points, found.iterations)
    assert counts.counted == 2
    assert counts.screened_only == 2 * 63


def test_metrics_of_a_trial_are_those_of_its_equity(counted):
    found, _ = counted
    for iteration in found.iterations:
        for result in iteration.results[:2]:
            points = found.trials.equity("", result.spec.trial_id)
            equity = np.array([found.campaign.spec.capital, *(point.value for point in points)])
            returns = np.diff(equity) / equity[:-1]
            metrics = result.metrics
            assert metrics.sharpe_ratio == pytest.approx(empyrical.sharpe_ratio(returns))
            assert metrics.max_drawdown == pytest.approx(empyrical.max_drawdown(returns))
            assert metrics.annual_return == pytest.approx(empyrical.annual_return(returns))
            assert metrics.annual_volatility == pytest.approx(empyrical.annual_volatility(returns))


def test_campaign_is_a_function_of_its_arguments(counted):
    found, _ = counted
    again, _ = _campaign(Recipe(WorldKind.REVERSAL, 1, 2.0))
    assert [i.candidate.hash for i in again.iterations] == [
        i.candidate.hash for i in found.iterations
    ]
    assert again.hall_of_fame == found.hall_of_fame


def test_validation_is_run_for_the_best_point_on_train_only(counted):
    found, _ = counted
    for iteration in found.iterations:
        late = [r for r in iteration.results if r.spec.window.tier is Tier.VALIDATION]
        assert [r.spec.parameters for r in late] == [iteration.evaluation.parameters]


def test_deflated_ratio_is_of_train_and_validation_in_excess_of_the_benchmark(counted):
    found, market = counted
    examination = examine(found, market)
    iteration = found.iteration(examination.subject.iteration)
    returns = joined(
        *(finalist_returns(found, iteration, tier) for tier in (Tier.TRAIN, Tier.VALIDATION))
    )
    deflated = examination.statistics.deflated.raw_count
    assert deflated.trials == SMALL.iterations * SMALL.points
    values = returns.values
    assert deflated.sharpe.value == pytest.approx(values.mean() / values.std(ddof=1))


def test_holdout_stays_shut_while_another_rule_fails():
    found, market = _campaign(Recipe(WorldKind.GARCH, 2), Arm.LAB, Budget(4, 10))
    examination = examine(found, market)
    if examination is None:
        pytest.fail("choose a seed with a finalist")
    assert examination.holdout is None
    statuses = {rule.name: rule.status for rule in judge_promotion(examination, ())}
    assert list(statuses) == list(RULES)
    assert RuleStatus.FAILED in statuses.values()
    assert statuses["holdout"] is RuleStatus.NOT_RUN


def test_random_search_looks_at_no_result():
    found, _ = _campaign(Recipe(WorldKind.GARCH, 1), Arm.RANDOM)
    other, _ = _campaign(Recipe(WorldKind.REVERSAL, 1, 2.0), Arm.RANDOM)
    drawn = [
        [(i.candidate.hash, i.candidate.parameter_points) for i in c.iterations]
        for c in (found, other)
    ]
    assert drawn[0] == drawn[1]
    assert len({candidate for candidate, _ in drawn[0]}) > 1


def test_oracle_of_the_measurement_is_traded_on_the_holdout():
    recipe = Recipe(WorldKind.REVERSAL, 1, 2.0)
    measured = measure(recipe, Arm.RANDOM, Budget(1, 5))
    world = make_world(recipe)
    assert measured.oracle_planted == world.oracle_sharpe
    assert load_contract(world.oracle.model_dump(mode="json")) == world.oracle
    assert measured.oracle_holdout > 0.5
    assert measured.regret == pytest.approx(
        measured.oracle_holdout - (measured.finalist_holdout if measured.is_promoted else 0.0)
    )


def test_strong_effect_is_promoted_by_the_rules_of_the_lab():
    recipe = Recipe(WorldKind.REVERSAL, 1, 4.0)
    found, market = _campaign(recipe, Arm.LAB, Budget(6, 10))
    examination = examine(found, market)
    assert all(rule.status is RuleStatus.PASSED for rule in judge_promotion(examination, ()))
    assert examination.holdout.opening.looks == 1
    # A candidate that read the future is not promoted, whatever its returns.
    leaking = replace(examination, causality=None)
    assert any(rule.status is not RuleStatus.PASSED for rule in judge_promotion(leaking, ()))
    verdict = reach_verdict(found.iterations, examination, found.stop_reason)
    assert verdict.kind is VerdictKind.PROMOTE_CANDIDATE
