"""Strategies that look ahead are caught, honest ones never are: many trials in one container.

At full size the budget is the default, and every honest strategy is tested with five seeds.
"""

import pytest
from tests.causality.attacks import ATTACKS, CLOSING, DYING, Attack
from tests.causality.examined import BUDGET, Examiner
from tests.causality.honest import honest_strategies
from tests.conftest import FULL_SIZE

from stratlab.domain.causality import CausalityBudget
from stratlab.domain.trial import Outcome

pytestmark = pytest.mark.docker

SEEDS = range(5) if FULL_SIZE else range(1)
LEAST_ORDERS = 20
LEAST_STRATEGIES = 40
IN_CI = (
    "template/ema_cross_atr",
    "template/rsi_mean_reversion",
    "own/momentum weekly 20",
    "own/brackets 10",
    "own/limits 0.99",
    "own/seeded chance 0.1",
    "zipline/buyapple",
    "zipline/momentum_pipeline",
)


@pytest.mark.parametrize("attack", [*ATTACKS, DYING, CLOSING], ids=lambda attack: attack.name)
async def test_attack_is_caught_with_its_outcome(examiner: Examiner, attack: Attack) -> None:
    result, orders = await examiner.backtest(attack.source, attack.costs)
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    assert orders > 0
    # With a look at one week of fifty, or at the end of one asset of six, all cuts are needed.
    budget = CausalityBudget() if attack.is_rare else BUDGET
    evidence = await examiner.examine(attack.source, result, budget=budget)
    assert evidence.outcome == attack.outcome, evidence.reason
    assert "in bar" in evidence.reason


async def test_honest_strategies_raise_no_alarm(examiner: Examiner) -> None:
    strategies = honest_strategies()
    tested = 0
    for name in strategies if FULL_SIZE else IN_CI:
        source, costs = strategies[name]
        result, orders = await examiner.backtest(source, costs)
        assert result.outcome is Outcome.SUCCEEDED, f"{name}: {result.reason}"
        if name not in IN_CI and name.startswith(("compat/", "zipline/")) and orders < LEAST_ORDERS:
            continue  # made to call, not to trade
        assert orders >= LEAST_ORDERS, name
        for seed in SEEDS:
            evidence = await examiner.examine(source, result, seed)
            assert evidence.is_clean, f"{name}: {evidence.reason}"
            assert sum(cut.compared_orders for cut in evidence.cuts) >= LEAST_ORDERS, name
        tested += 1
    assert tested >= (LEAST_STRATEGIES if FULL_SIZE else len(IN_CI))
