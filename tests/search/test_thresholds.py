"""Tightened conditions hold less often, loosened ones more often, and exits change as they say."""

from random import Random

import numpy as np
import pytest
from tests.search.test_style import contract_of
from tests.vectorised.panels import LABELS

from stratlab.contract.document import load_contract
from stratlab.contract.vectorised import signals
from stratlab.domain.market import PricePanel
from stratlab.generation import load_templates
from stratlab.search.exits import add_exit, change_exit
from stratlab.search.factor_graph import structure_hash
from stratlab.search.thresholds import loosen_threshold, tighten_threshold

CONDITIONS = [
    "close > avg",
    "rsi < 40",
    "not rsi < 40",
    "rsi < 45 and close > 0.98 * avg",
    "close < bands.lower or rsi > 60",
    "100 * abs(change(close, 5)) / close > 2",
    "change(close, 5) < -1.5",
    "0.97 * range.upper > close",
    "close < 110 - rsi / 2",
    "-rsi > -45",
    "max(rsi, close / 3) > 50",
    "highest(high, 10) < 1.05 * lowest(low, 10)",
]


def walk(bars: int = 500) -> PricePanel:
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.015, (bars, 1)), axis=0))
    before = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(before, close) * 1.003, np.minimum(before, close) * 0.997
    return PricePanel(
        np.array(LABELS[:bars]), ("AAA",), before, high, low, close, np.full_like(close, 1e6)
    )


PANEL = walk()


def held(contract):
    return signals(contract, PANEL, "AAA", {}).holds["enter"]


@pytest.mark.parametrize("when", CONDITIONS)
def test_tightened_condition_holds_on_some_of_its_bars_and_loosened_on_more(when: str) -> None:
    contract = contract_of(when)
    before, lost, won = held(contract), 0, 0
    assert before.any()
    for seed in range(6):
        tighter = tighten_threshold(contract, Random(seed))
        looser = loosen_threshold(contract, Random(seed))
        assert tighter is not None
        assert looser is not None
        fewer, more = held(tighter), held(looser)
        assert not (fewer & ~before).any()
        assert not (before & ~more).any()
        lost += (before & ~fewer).sum()
        won += (more & ~before).sum()
    assert lost
    assert won


def test_threshold_that_is_a_parameter_moves_along_its_grid_only() -> None:
    template = load_templates()["rsi_mean_reversion"]
    for seed in range(30):
        tighter = tighten_threshold(template, Random(seed))
        assert tighter is not None
        if structure_hash(tighter) != structure_hash(template):
            continue
        (moved,) = (n for n, v in tighter.parameters.items() if v != template.parameters[n])
        direction = tighter.parameters[moved] - template.parameters[moved]
        # Bought lower, sold higher, held longer.
        assert (direction < 0) == (moved == "oversold")


def test_threshold_at_the_end_of_its_grid_or_frozen_stays() -> None:
    fields = contract_of("rsi < 40").model_dump(mode="json")
    fields["entry_rules"][0]["when"] = "rsi < $level"
    space = {"kind": "int", "min": 10, "max": 40, "step": 5, "value": 10}
    fields["optimization_space"] = {"level": space}
    lowest = load_contract(fields)
    assert tighten_threshold(lowest, Random(1)) is None
    assert loosen_threshold(lowest, Random(1)) is not None
    frozen = load_contract(
        fields | {"optimization_space": {"level": space | {"enabled": False, "value": 20}}}
    )
    assert tighten_threshold(frozen, Random(1)) is None
    assert loosen_threshold(frozen, Random(1)) is None


@pytest.mark.parametrize(
    "when", ["true", "dmi.plus > dmi.minus or false", "macd.line > macd.signal"]
)
def test_condition_whose_direction_cannot_be_told_is_left_alone(when: str) -> None:
    contract = contract_of(when)
    if "dmi" in when:
        # Both are never negative: a margin comes in.
        assert tighten_threshold(contract, Random(1)) is not None
        return
    assert tighten_threshold(contract, Random(1)) is None
    assert loosen_threshold(contract, Random(1)) is None


@pytest.mark.parametrize("seed", range(20))
def test_add_exit_adds_one_protection_or_one_exit_rule(seed: int) -> None:
    template = load_templates()["ema_cross_atr"]
    child = add_exit(template, Random(seed))
    assert child is not None
    protections = len(child.risk_model.distances) - len(template.risk_model.distances)
    rules = len(child.exit_rules) - len(template.exit_rules)
    assert (protections, rules) in {(1, 0), (0, 1)}
    assert child.entry_rules == template.entry_rules


@pytest.mark.parametrize("seed", range(20))
def test_change_exit_keeps_the_number_of_protections_and_a_way_out(seed: int) -> None:
    for template in load_templates().values():
        child = change_exit(template, Random(seed))
        assert child is not None
        assert len(child.risk_model.distances) == len(template.risk_model.distances)
        assert structure_hash(child) != structure_hash(template)
        assert (child.entry_rules, child.exit_rules) == (template.entry_rules, template.exit_rules)


def test_change_exit_keeps_the_stop_that_the_sizing_needs() -> None:
    template = load_templates()["donchian_breakout"]
    for seed in range(30):
        child = change_exit(template, Random(seed))
        assert child is not None
        assert child.risk_model.stop is not None


def test_change_exit_without_protections_is_not_applicable() -> None:
    fields = load_templates()["ema_cross_atr"].model_dump(mode="json")
    fields["risk_model"]["stop"] = None
    fields["indicators"] = [item for item in fields["indicators"] if item["id"] != "atr"]
    del fields["optimization_space"]["stop_mult"]
    assert change_exit(load_contract(fields), Random(1)) is None
