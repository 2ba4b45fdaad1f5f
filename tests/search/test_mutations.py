"""Operators: seeded, applicable to every template, closed under validation."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import random_contract
from tests.search.histories import summary_of

from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.language import format_rule
from stratlab.contract.model import StrategyContract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation import load_templates
from stratlab.search.crossover import crossover
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import check_graph, factor_graph, signals_of, structure_hash
from stratlab.search.factors import EXIT_FACTORS, FILTERS, TRIGGERS, Factor
from stratlab.search.operators import CROSSOVER, MUTATIONS, OPERATORS, least_used

TEMPLATES = load_templates()


def _joined(text: str, signal, path: str) -> str:
    operator = "and" if path == "entry_rules" else "or"
    return f"({text}) {operator} {format_rule(signal)}"


def assert_valid(child: StrategyContract, *parents: StrategyContract) -> None:
    text = canonical_json(child)
    assert text not in {canonical_json(parent) for parent in parents}
    assert canonical_json(load_contract(text)) == text
    assert check_graph(factor_graph(child)) == []
    compile(compile_to_zipline(child), "child", "exec")


@given(
    seed=st.integers(0, 10**6),
    choice=st.integers(0, 10**6),
    operator=st.sampled_from(sorted(MUTATIONS)),
)
def test_mutation_of_valid_contract_is_valid_and_differs(
    seed: int, choice: int, operator: str
) -> None:
    contract = random_contract(seed)
    mutant = MUTATIONS[operator](contract, Random(choice))
    if mutant is not None:
        assert_valid(mutant, contract)


@given(seeds=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), choice=st.integers(0, 10**6))
def test_crossover_of_valid_contracts_is_valid_and_differs_from_both(
    seeds: tuple[int, int], choice: int
) -> None:
    first, second = map(random_contract, seeds)
    child = crossover(first, second, Random(choice))
    if child is not None:
        assert_valid(child, first, second)


@given(seed=st.integers(0, 10**6), operators=st.lists(st.sampled_from(OPERATORS), max_size=12))
def test_operators_in_a_row_stay_valid(seed: int, operators: list[str]) -> None:
    random = Random(seed)
    contract = random.choice(list(TEMPLATES.values()))
    for operator in operators:
        other = random.choice(list(TEMPLATES.values()))
        child = (
            crossover(contract, other, random)
            if operator == CROSSOVER
            else MUTATIONS[operator](contract, random)
        )
        contract = child or contract
    assert load_contract(canonical_json(contract)) == contract
    compile(compile_to_zipline(contract), "child", "exec")


@pytest.mark.parametrize("operator", sorted(MUTATIONS))
@pytest.mark.parametrize("name", TEMPLATES)
def test_mutation_of_template_is_possible_and_seeded(operator: str, name: str) -> None:
    template = TEMPLATES[name]
    mutants = [MUTATIONS[operator](template, Random(seed)) for seed in range(20)]
    assert mutants == [MUTATIONS[operator](template, Random(seed)) for seed in range(20)]
    found = {canonical_json(mutant) for mutant in mutants if mutant is not None}
    assert len(found) >= 2


@pytest.mark.parametrize("first", TEMPLATES)
@pytest.mark.parametrize("second", TEMPLATES)
def test_crossover_of_two_templates_is_possible_and_seeded(first: str, second: str) -> None:
    parents = TEMPLATES[first], TEMPLATES[second]
    children = [crossover(*parents, Random(seed)) for seed in range(12)]
    assert children == [crossover(*parents, Random(seed)) for seed in range(12)]
    found = {canonical_json(child) for child in children if child is not None}
    assert len(found) >= (0 if first == second else 3)


def test_crossover_takes_whole_parts_and_keeps_the_identity_of_the_first() -> None:
    first, second = TEMPLATES["donchian_breakout"], TEMPLATES["macd_trend"]
    for seed in range(12):
        child = crossover(first, second, Random(seed))
        assert child is not None
        assert child.strategy_id == first.strategy_id
        ids = {rule.id for rule in child.entry_rules}
        assert ids in ({"new_high"}, {"turn_up", "turn_down"})
        # A side that can be opened can be closed.
        sides = {rule.side for rule in child.entry_rules}
        risk = child.risk_model
        closed = {rule.side for rule in child.exit_rules}
        assert risk.stop or risk.trailing or sides <= closed


def test_crossover_of_relatives_shares_what_they_have_in_common() -> None:
    first = TEMPLATES["rsi_mean_reversion"]
    second = MUTATIONS["add_exit"](first, Random(0))
    assert second is not None
    children = [crossover(first, second, Random(seed)) for seed in range(20)]
    for child in children:
        if child is not None:
            assert len(child.indicators) <= len(second.indicators)
            assert set(child.optimization_space) <= set(second.optimization_space)


def _signals(contract: StrategyContract) -> tuple[int, int]:
    entries = sum(len(signals_of(rule, "entry")) for rule in contract.entry_rules)
    return entries, sum(len(signals_of(rule, "exit")) for rule in contract.exit_rules)


@pytest.mark.parametrize("seed", range(12))
def test_add_factor_adds_one_entry_condition(seed: int) -> None:
    template = TEMPLATES["rsi_mean_reversion"]
    added = MUTATIONS["add_factor"](template, Random(seed))
    assert added is not None
    entries, exits = _signals(template)
    assert _signals(added) == (entries + 1, exits)


@pytest.mark.parametrize("seed", range(12))
def test_remove_factor_removes_one_condition_or_one_protection(seed: int) -> None:
    template = TEMPLATES["rsi_mean_reversion"]
    removed = MUTATIONS["remove_factor"](template, Random(seed))
    assert removed is not None
    lost = sum(_signals(template)) - sum(_signals(removed))
    unprotected = len(template.risk_model.distances) - len(removed.risk_model.distances)
    assert (lost, unprotected) in {(1, 0), (0, 1)}


@pytest.mark.parametrize("seed", range(12))
def test_replace_factor_keeps_the_number_of_signals(seed: int) -> None:
    template = TEMPLATES["macd_trend"]
    replaced = MUTATIONS["replace_factor"](template, Random(seed))
    assert replaced is not None
    assert _signals(replaced) == _signals(template)
    assert structure_hash(replaced) != structure_hash(template)


@pytest.mark.parametrize("seed", range(12))
def test_swap_rule_puts_one_new_rule_in_the_place_of_one(seed: int) -> None:
    template = TEMPLATES["macd_trend"]
    swapped = MUTATIONS["swap_rule"](template, Random(seed))
    assert swapped is not None
    before = {rule.id: rule.side for rule in (*template.entry_rules, *template.exit_rules)}
    after = {rule.id: rule.side for rule in (*swapped.entry_rules, *swapped.exit_rules)}
    assert len(after) == len(before)
    ((gone, side),) = before.items() - after.items()
    ((_, new_side),) = after.items() - before.items()
    assert gone not in after
    assert side == new_side


@pytest.mark.parametrize("seed", range(12))
def test_perturb_parameter_moves_one_value_a_few_steps(seed: int) -> None:
    template = TEMPLATES["bollinger_reversion"]
    perturbed = MUTATIONS["perturb_parameter"](template, Random(seed))
    assert perturbed is not None
    assert structure_hash(perturbed) == structure_hash(template)
    changed = {
        name: abs(value - template.parameters[name]) / template.optimization_space[name].step
        for name, value in perturbed.parameters.items()
        if value != template.parameters[name]
    }
    assert len(changed) == 1
    assert 1 <= min(changed.values()) <= 3


def test_remove_factor_keeps_a_way_out() -> None:
    fields = TEMPLATES["ema_cross_atr"].model_dump(mode="json")
    fields["risk_model"]["stop"] = None
    fields["indicators"] = [item for item in fields["indicators"] if item["id"] != "atr"]
    del fields["optimization_space"]["stop_mult"]
    contract = load_contract(fields)
    assert all(MUTATIONS["remove_factor"](contract, Random(seed)) is None for seed in range(10))


def test_perturb_parameter_without_any_is_not_applicable() -> None:
    fields = TEMPLATES["ema_cross_atr"].model_dump(mode="json")
    for space in fields["optimization_space"].values():
        space["enabled"] = False
    contract = load_contract(fields)
    assert MUTATIONS["perturb_parameter"](contract, Random(1)) is None


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("factor", [*FILTERS, *TRIGGERS, *EXIT_FACTORS], ids=lambda item: item.name)
def test_every_factor_fits_into_a_contract_twice(factor: Factor, side: str) -> None:
    path = "exit_rules" if factor in EXIT_FACTORS else "entry_rules"
    draft = Draft(TEMPLATES["macd_trend"])
    rule = next(rule for rule in draft.fields[path] if rule["side"] == side)
    for _ in range(2):
        draft.instantiate(factor, side)
    rule["when"] = _joined(rule["when"], draft.instantiate(factor, side), path)
    contract = draft.finish()
    assert contract is not None
    # The two that no rule uses have fallen out again.
    assert len(contract.indicators) <= 3 + len(factor.indicators)


def test_least_used_operators_have_their_turn_first() -> None:
    history = [
        summary_of(number, operator=operator)
        for number, operator in enumerate(["add_exit", "swap_rule", "add_exit"], start=1)
    ]
    assert least_used(("add_exit", "swap_rule", "crossover"), history) == [
        "crossover",
        "swap_rule",
        "add_exit",
    ]
    orders = {tuple(least_used(OPERATORS, (), Random(seed))) for seed in range(5)}
    assert len(orders) == 5
