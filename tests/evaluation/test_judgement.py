"""Judging an iteration: the best point, several markets, levels, score and gates."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState
from stratlab.domain.gates import Level
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.metrics import Metrics
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.evaluation import HostEvaluator, train_score
from stratlab.evaluation.judgement import aggregate

GOOD = Metrics(0.5, 0.15, 0.2, 1.0, 1.2, -0.2, 0.75, 0.5, 40, 5.0)
BETTER = replace(GOOD, annual_return=0.3, sharpe_ratio=1.5)
BENCHMARK = Metrics(0.3, 0.1, 0.2, 0.5, 0.6, -0.5, 0.2, None, 0, 0.1)
NOW = datetime(2020, 1, 1, tzinfo=UTC)


def campaign(markets=(("AAA",),)):
    spec = CampaignSpec("test", "hand-made", markets)
    return Campaign("c-1", spec, "0" * 64, CampaignState.CAMPAIGN_RUNNING, NOW, NOW)


def trial(metrics, tier=Tier.TRAIN, *, index=0, symbols=("AAA",), outcome=None, **parameters):
    spec = TrialSpec(
        f"t-{index}",
        index,
        TrialPurpose.SEARCH,
        MarketSet("hand-made", symbols),
        Window(tier, date(2001, 1, 1), date(2002, 1, 1)),
        parameters,
        100_000.0,
        CostModel(),
    )
    if metrics is None:
        return TrialResult(spec, outcome or Outcome.STRATEGY_ERROR)
    return TrialResult(spec, Outcome.SUCCEEDED, metrics=metrics, benchmark_metrics=BENCHMARK)


def judge(*results, markets=(("AAA",),)):
    return HostEvaluator().evaluate(campaign(markets), results)


def test_profitable_iteration_has_metrics_score_and_gates():
    evaluation = judge(trial(GOOD, n=1), trial(GOOD, Tier.VALIDATION, n=1))
    assert evaluation.level is Level.PROFITABLE
    assert (evaluation.train, evaluation.validation) == (GOOD, GOOD)
    assert evaluation.benchmark_train == evaluation.benchmark_validation == BENCHMARK
    assert evaluation.parameters == {"n": 1}
    assert 0 < evaluation.score < 1
    assert len(evaluation.score_parts) == 4
    assert evaluation.passed_gates
    assert evaluation.trials == 2


def test_best_point_is_chosen_by_train_figures_only():
    evaluation = judge(
        trial(GOOD, n=1),
        trial(BETTER, n=2),
        trial(BETTER, Tier.VALIDATION, n=1),
        trial(GOOD, Tier.VALIDATION, n=2),
    )
    assert evaluation.parameters == {"n": 2}
    assert (evaluation.train, evaluation.validation) == (BETTER, GOOD)


def test_best_point_is_the_same_before_and_after_validation():
    train = [trial(GOOD, n=1), trial(BETTER, n=2), trial(None, n=3)]
    before = judge(*train)
    after = judge(*train, trial(GOOD, Tier.VALIDATION, n=2))
    assert before.parameters == after.parameters == {"n": 2}
    assert before.level is Level.RAN
    assert before.score is None


def test_equal_points_leave_the_first_one():
    assert judge(trial(GOOD, n=5), trial(GOOD, n=2)).parameters == {"n": 5}


def test_point_that_failed_loses_to_one_that_ran():
    assert judge(trial(None, n=1), trial(GOOD, n=2)).parameters == {"n": 2}


def test_point_without_a_score_is_ranked_by_what_it_has():
    undefined = replace(GOOD, sharpe_ratio=None)
    assert judge(trial(undefined, n=1), trial(GOOD, n=2)).parameters == {"n": 2}


@pytest.mark.parametrize("results", [(), (trial(None, n=1),), (trial(None), trial(None, n=1))])
def test_no_success_is_level_failed_and_passes_no_gate(results):
    evaluation = judge(*results)
    assert evaluation.level is Level.FAILED
    assert evaluation.gates
    assert not any(gate.passed for gate in evaluation.gates)
    assert not evaluation.passed_gates


def test_failed_validation_is_level_ran():
    evaluation = judge(trial(GOOD), trial(None, Tier.VALIDATION))
    assert evaluation.level is Level.RAN
    assert evaluation.train == GOOD
    assert evaluation.validation is None


def test_undefined_sharpe_is_level_ran():
    evaluation = judge(trial(GOOD), trial(replace(GOOD, sharpe_ratio=None), Tier.VALIDATION))
    assert evaluation.level is Level.RAN


@pytest.mark.parametrize("tier", [Tier.TRAIN, Tier.VALIDATION])
@pytest.mark.parametrize("final", [0.3, 0.2, -0.1])
def test_return_not_above_the_benchmarks_is_level_valid_metrics(tier, final):
    weak = replace(GOOD, cum_returns_final=final)
    results = [
        trial(weak if each is tier else GOOD, each) for each in (Tier.TRAIN, Tier.VALIDATION)
    ]
    assert judge(*results).level is Level.VALID_METRICS


def test_loss_smaller_than_the_benchmarks_is_not_profitable():
    loss = replace(GOOD, cum_returns_final=-0.01)
    worse = replace(BENCHMARK, cum_returns_final=-0.5)
    results = [
        replace(trial(loss, tier), benchmark_metrics=worse)
        for tier in (Tier.TRAIN, Tier.VALIDATION)
    ]
    assert judge(*results).level is Level.VALID_METRICS


def test_drawdown_gate_looks_at_every_trial_of_the_point():
    deep = replace(GOOD, max_drawdown=-0.6)
    evaluation = judge(trial(GOOD, n=1), trial(deep, Tier.VALIDATION, n=1))
    assert [gate.gate for gate in evaluation.gates if not gate.passed] == ["max_drawdown"]
    assert evaluation.gates[0].value == 0.6
    other_point = judge(trial(BETTER, n=1), trial(deep, n=2), trial(BETTER, Tier.VALIDATION, n=1))
    assert other_point.passed_gates


def test_only_search_trials_are_judged():
    smoke = trial(BETTER, n=2)
    smoke = replace(smoke, spec=replace(smoke.spec, purpose=TrialPurpose.SMOKE))
    evaluation = judge(smoke, trial(GOOD, n=1))
    assert evaluation.parameters == {"n": 1}
    assert evaluation.trials == 1


def test_integer_and_float_parameters_are_one_point():
    evaluation = judge(trial(GOOD, n=1), trial(GOOD, Tier.VALIDATION, n=1.0))
    assert evaluation.level is Level.PROFITABLE


def test_several_market_sets_are_aggregated():
    markets = (("AAA",), ("BBB",))
    other = replace(GOOD, annual_return=0.05, max_drawdown=-0.4, win_rate=0.8, total_trades=10)
    results = [
        trial(metrics, tier, symbols=symbols)
        for tier in (Tier.TRAIN, Tier.VALIDATION)
        for metrics, symbols in ((GOOD, ("AAA",)), (other, ("BBB",)))
    ]
    train = judge(*results, markets=markets).train
    assert train.annual_return == pytest.approx(0.1)
    assert train.max_drawdown == -0.4
    assert train.calmar_ratio == pytest.approx(0.25)
    assert train.total_trades == 50
    assert train.win_rate == pytest.approx((20 + 8) / 50)
    assert train.sharpe_ratio == 1.0


def test_point_that_failed_on_one_market_set_has_no_metrics():
    evaluation = judge(trial(GOOD), trial(None, symbols=("BBB",)), markets=(("AAA",), ("BBB",)))
    assert evaluation.train is None
    assert evaluation.level is Level.RAN


def test_aggregate_of_an_undefined_figure_is_undefined():
    combined = aggregate([GOOD, replace(GOOD, sharpe_ratio=None, max_drawdown=None)])
    assert combined.sharpe_ratio is combined.max_drawdown is combined.calmar_ratio is None
    assert combined.annual_return == 0.15
    idle = aggregate([GOOD, replace(GOOD, win_rate=None, total_trades=0)])
    assert (idle.win_rate, idle.total_trades) == (0.5, 40)
    assert aggregate([]) is None
    assert aggregate([GOOD]) is GOOD


def test_train_score_orders_points_as_the_selection_does():
    assert train_score(BETTER, BENCHMARK) > train_score(GOOD, BENCHMARK)
