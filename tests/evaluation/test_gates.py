"""Gates: thresholds, their direction, and what an undefined metric does."""

from dataclasses import fields, replace

import pytest

from stratlab.domain.gates import Gates
from stratlab.domain.metrics import Metrics
from stratlab.evaluation import judge_gates

TRAIN = Metrics(0.5, 0.15, 0.2, 1.0, 1.2, -0.2, 0.75, 0.5, 40, 5.0)
VALIDATION = replace(TRAIN, sharpe_ratio=0.75, max_drawdown=-0.3)
OFF = Gates(**{field.name: None for field in fields(Gates)})


def judge(gates, train=TRAIN, validation=VALIDATION, worst=-0.3):
    return judge_gates(gates, train, validation, worst)


@pytest.mark.parametrize(
    ("gate", "bound", "passed", "value"),
    [
        ("max_drawdown", 0.3, True, 0.3),
        ("max_drawdown", 0.29, False, 0.3),
        ("min_sharpe_ratio", 1.0, True, 1.0),
        ("min_sharpe_ratio", 1.01, False, 1.0),
        ("min_validation_sharpe_ratio", 0.75, True, 0.75),
        ("min_validation_sharpe_ratio", 0.76, False, 0.75),
        ("max_oos_degradation", 0.25, True, 0.25),
        ("max_oos_degradation", 0.24, False, 0.25),
        ("min_total_trades", 40, True, 40),
        ("min_total_trades", 41, False, 40),
        ("max_turnover", 5.0, True, 5.0),
        ("max_turnover", 4.9, False, 5.0),
    ],
)
def test_gate_compares_with_its_bound(gate, bound, passed, value):
    (result,) = judge(replace(OFF, **{gate: bound}))
    assert (result.gate, result.passed, result.value) == (gate, passed, pytest.approx(value))
    assert result.bound == bound


def test_gates_that_are_off_are_not_judged():
    assert judge(OFF) == ()


def test_every_gate_that_is_on_is_judged_in_order():
    assert [result.gate for result in judge(Gates())] == [field.name for field in fields(Gates)]


def test_nothing_passes_without_metrics():
    results = judge(Gates(), None, None, None)
    assert len(results) == len(fields(Gates))
    assert not any(result.passed for result in results)
    assert all(result.value is None for result in results)


def test_degradation_without_a_validation_sharpe_is_undefined():
    gates = replace(OFF, max_oos_degradation=100.0)
    (result,) = judge(gates, validation=replace(VALIDATION, sharpe_ratio=None))
    assert (result.passed, result.value) == (False, None)


def test_zero_is_a_value_and_not_missing():
    gates = replace(OFF, max_drawdown=0.0, min_total_trades=0, max_turnover=0.0)
    results = judge(gates, replace(TRAIN, total_trades=0, turnover=0.0), worst=0.0)
    assert [(result.passed, result.value) for result in results] == [(True, 0.0)] * 3
