"""The graph of a contract, and its hash without values and names."""

from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import random_contract

from stratlab.contract.document import load_contract
from stratlab.contract.model import StrategyContract
from stratlab.contract.space import with_values
from stratlab.generation import load_templates
from stratlab.search.factor_graph import (
    NodeKind,
    factor_graph,
    joined,
    signals_of,
    structure_hash,
)

_ORDER = list(NodeKind)


def _renamed(contract: StrategyContract, old: str, new: str) -> StrategyContract:
    fields = contract.model_dump(mode="json")
    for item in fields["indicators"]:
        item["id"] = new if item["id"] == old else item["id"]
    for rule in (*fields["entry_rules"], *fields["exit_rules"]):
        rule["when"] = rule["when"].replace(old, new)
    return load_contract(fields)


def test_graph_of_pilot_has_every_stage() -> None:
    graph = factor_graph(load_templates()["ema_cross_atr"])
    assert {node.kind for node in graph.nodes.values()} == set(NodeKind)
    assert ("data:close", "indicator:fast") in graph.edges
    assert ("indicator:fast", "signal:golden_cross.0") in graph.edges
    assert ("signal:golden_cross.0", "rule:golden_cross") in graph.edges
    assert ("rule:golden_cross", "position:long") in graph.edges
    assert ("position:long", "risk:model") in graph.edges
    assert ("indicator:atr", "risk:model") in graph.edges
    assert graph.feeding("rule:golden_cross") == {
        "data:close",
        "indicator:fast",
        "indicator:slow",
        "signal:golden_cross.0",
    }


@given(st.integers(0, 10**6))
def test_graph_edges_lead_to_later_stages(seed: int) -> None:
    graph = factor_graph(random_contract(seed))
    for source, target in graph.edges:
        assert _ORDER.index(graph.nodes[source].kind) < _ORDER.index(graph.nodes[target].kind)


@given(st.integers(0, 10**6))
def test_signals_joined_again_give_the_rule(seed: int) -> None:
    contract = random_contract(seed)
    for rule in contract.entry_rules:
        assert joined(signals_of(rule, "entry"), "entry") == rule.when
    for rule in contract.exit_rules:
        assert joined(signals_of(rule, "exit"), "exit") == rule.when


def test_structure_hash_ignores_values_and_names_only() -> None:
    pilot = load_templates()["ema_cross_atr"]
    assert structure_hash(with_values(pilot, {"fast_length": 9})) == structure_hash(pilot)
    assert structure_hash(_renamed(pilot, "fast", "quick")) == structure_hash(pilot)
    fields = pilot.model_dump(mode="json")
    fields["indicators"][1]["name"] = "sma"
    assert structure_hash(load_contract(fields)) != structure_hash(pilot)
    hashes = {structure_hash(contract) for contract in load_templates().values()}
    assert len(hashes) == len(load_templates())
