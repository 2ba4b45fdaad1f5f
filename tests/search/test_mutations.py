"""Mutations: seeded, applicable to every template, closed under validation."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import random_contract

from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.language import format_rule
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation import load_templates
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import signals_of, structure_hash
from stratlab.search.factors import ENTRY_FACTORS, EXIT_FACTORS, Factor
from stratlab.search.mutations import MUTATIONS


def _joined(text: str, signal, path: str) -> str:
    operator = "and" if path == "entry_rules" else "or"
    return f"({text}) {operator} {format_rule(signal)}"


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
    if mutant is None:
        return
    text = canonical_json(mutant)
    assert text != canonical_json(contract)
    assert canonical_json(load_contract(text)) == text
    compile(compile_to_zipline(mutant), "mutant", "exec")


@given(seed=st.integers(0, 10**6), operators=st.lists(st.sampled_from(sorted(MUTATIONS))))
def test_mutations_in_a_row_stay_valid(seed: int, operators: list[str]) -> None:
    random = Random(seed)
    contract = random.choice(list(load_templates().values()))
    for operator in operators:
        contract = MUTATIONS[operator](contract, random) or contract
    assert load_contract(canonical_json(contract)) == contract


@pytest.mark.parametrize("operator", sorted(MUTATIONS))
@pytest.mark.parametrize("name", load_templates())
def test_mutation_of_template_is_possible_and_seeded(operator: str, name: str) -> None:
    template = load_templates()[name]
    mutants = [MUTATIONS[operator](template, Random(seed)) for seed in range(20)]
    assert mutants == [MUTATIONS[operator](template, Random(seed)) for seed in range(20)]
    found = {canonical_json(mutant) for mutant in mutants if mutant is not None}
    assert len(found) >= (1 if operator == "remove_factor" else 5)


def _signals(contract) -> tuple[int, int]:
    entries = sum(len(signals_of(rule, "entry")) for rule in contract.entry_rules)
    return entries, sum(len(signals_of(rule, "exit")) for rule in contract.exit_rules)


@pytest.mark.parametrize("seed", range(12))
def test_add_and_remove_factor_change_one_signal(seed: int) -> None:
    template = load_templates()["rsi_mean_reversion"]
    added = MUTATIONS["add_factor"](template, Random(seed))
    removed = MUTATIONS["remove_factor"](template, Random(seed))
    assert added is not None
    assert removed is not None
    assert sum(_signals(added)) == sum(_signals(template)) + 1
    assert sum(_signals(removed)) == sum(_signals(template)) - 1


@pytest.mark.parametrize("seed", range(12))
def test_replace_factor_keeps_the_number_of_signals(seed: int) -> None:
    template = load_templates()["macd_trend"]
    replaced = MUTATIONS["replace_factor"](template, Random(seed))
    assert replaced is not None
    assert _signals(replaced) == _signals(template)
    assert structure_hash(replaced) != structure_hash(template)


@pytest.mark.parametrize("seed", range(12))
def test_perturb_parameter_moves_one_value_a_few_steps(seed: int) -> None:
    template = load_templates()["bollinger_reversion"]
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
    fields = load_templates()["ema_cross_atr"].model_dump(mode="json")
    fields["risk_model"]["stop"] = None
    fields["indicators"] = [item for item in fields["indicators"] if item["id"] != "atr"]
    del fields["optimization_space"]["stop_mult"]
    contract = load_contract(fields)
    assert all(MUTATIONS["remove_factor"](contract, Random(seed)) is None for seed in range(10))


def test_perturb_parameter_without_any_is_not_applicable() -> None:
    fields = load_templates()["ema_cross_atr"].model_dump(mode="json")
    for space in fields["optimization_space"].values():
        space["enabled"] = False
    contract = load_contract(fields)
    assert MUTATIONS["perturb_parameter"](contract, Random(1)) is None


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("factor", [*ENTRY_FACTORS, *EXIT_FACTORS], ids=lambda item: item.name)
def test_every_factor_fits_into_a_contract_twice(factor: Factor, side: str) -> None:
    path = "entry_rules" if factor in ENTRY_FACTORS else "exit_rules"
    draft = Draft(load_templates()["macd_trend"])
    rule = next(rule for rule in draft.fields[path] if rule["side"] == side)
    for _ in range(2):
        draft.instantiate(factor, side)
    rule["when"] = _joined(rule["when"], draft.instantiate(factor, side), path)
    contract = draft.finish()
    assert contract is not None
    # The two that no rule uses have fallen out again.
    assert len(contract.indicators) <= 3 + len(factor.indicators)
