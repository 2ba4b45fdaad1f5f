"""The graph of a contract, and its hashes."""

from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import random_contract

from stratlab.contract.document import load_contract
from stratlab.contract.model import StrategyContract
from stratlab.contract.space import with_values
from stratlab.generation import load_templates
from stratlab.search.factor_graph import (
    RISK,
    EdgeKind,
    NodeKind,
    canonical_hash,
    check_graph,
    factor_graph,
    joined,
    signals_of,
    structure_hash,
)


def renamed(contract: StrategyContract) -> StrategyContract:
    """Return the contract with other names everywhere, its parts in another order."""
    fields = contract.model_dump(mode="json")
    names = {item["id"]: f"zz_{place}" for place, item in enumerate(fields["indicators"])}
    names |= {f"${name}": f"$qq_{n}" for n, name in enumerate(fields["optimization_space"])}

    def other(text: str) -> str:
        for old, new in sorted(names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(old, new)
        return text

    for item in fields["indicators"]:
        item["id"] = names[item["id"]]
        item["params"] = {
            key: names[value] if isinstance(value, str) else value
            for key, value in item["params"].items()
        }
    for path in ("entry_rules", "exit_rules"):
        for place, rule in enumerate(fields[path]):
            rule["when"] = other(rule["when"])
            rule["id"] = f"{path[:2]}_{len(fields[path]) - place}"
    for distance in _distances(fields["risk_model"]):
        for key, value in distance.items():
            if key != "kind" and isinstance(value, str):
                distance[key] = names[value]
    fields["optimization_space"] = {
        names[f"${name}"][1:]: space for name, space in fields["optimization_space"].items()
    }
    return load_contract(fields | {"strategy_id": "other", "thesis": "Other words."})


def _distances(risk: dict) -> list[dict]:
    holders = [risk["stop"], risk["take"]]
    holders += [(risk["breakeven"] or {}).get("trigger"), (risk["trailing"] or {}).get("distance")]
    return [distance for distance in holders if distance]


def test_graph_of_pilot_has_every_stage() -> None:
    graph = factor_graph(load_templates()["ema_cross_atr"])
    assert {kind for _, kind in graph.nodes(data="kind")} == set(NodeKind)
    kinds = {(source, target): kind for source, target, kind in graph.edges(data="kind")}
    assert kinds["data:close", "indicator:fast"] is EdgeKind.READ_BY
    assert kinds["indicator:fast", "signal:golden_cross.0"] is EdgeKind.FEEDS
    assert kinds["signal:golden_cross.0", "rule:golden_cross"] is EdgeKind.JOINS
    assert kinds["rule:golden_cross", "position:long"] is EdgeKind.OPENS
    assert kinds["rule:death_cross", "position:long"] is EdgeKind.CLOSES
    assert kinds["position:long", "risk:model"] is EdgeKind.HELD_UNDER
    assert kinds["indicator:atr", "risk:model"] is EdgeKind.MEASURES
    assert nx.ancestors(graph, "rule:golden_cross") == {
        "data:close",
        "indicator:fast",
        "indicator:slow",
        "signal:golden_cross.0",
    }


@given(st.integers(0, 10**6))
def test_graph_of_any_contract_is_well_typed(seed: int) -> None:
    graph = factor_graph(random_contract(seed))
    assert check_graph(graph) == []
    assert nx.ancestors(graph, RISK) | {RISK} == set(graph)


def test_check_graph_names_what_is_wrong() -> None:
    graph = factor_graph(load_templates()["ema_cross_atr"])
    graph.add_edge("risk:model", "rule:golden_cross", kind=EdgeKind.FEEDS)
    graph.add_node("data:volume", kind=NodeKind.DATA, label="volume", content="volume")
    assert check_graph(graph) == [
        "risk:model -> rule:golden_cross may not be feeds",
        "there is a cycle",
        "nothing uses data:volume",
    ]


@given(st.integers(0, 10**6))
def test_signals_joined_again_give_the_rule(seed: int) -> None:
    contract = random_contract(seed)
    for rule in contract.entry_rules:
        assert joined(signals_of(rule, "entry"), "entry") == rule.when
    for rule in contract.exit_rules:
        assert joined(signals_of(rule, "exit"), "exit") == rule.when


@pytest.mark.parametrize("name", load_templates())
def test_hashes_ignore_names_order_and_words(name: str) -> None:
    template = load_templates()[name]
    other = renamed(template)
    assert canonical_hash(other) == canonical_hash(template)
    assert structure_hash(other) == structure_hash(template)


def test_hashes_of_one_meaning_in_two_spellings_are_equal() -> None:
    fields = load_templates()["rsi_mean_reversion"].model_dump(mode="json")
    spelled = load_contract(fields)
    fields["entry_rules"][0]["when"] = "trend < close and $oversold > rsi"
    assert canonical_hash(load_contract(fields)) == canonical_hash(spelled)
    fields["entry_rules"][0]["when"] = "25 > rsi and close > trend"
    del fields["optimization_space"]["oversold"]
    assert canonical_hash(load_contract(fields)) == canonical_hash(spelled)


@given(st.integers(0, 10**6))
def test_structure_hash_ignores_values_and_canonical_hash_does_not(seed: int) -> None:
    contract = random_contract(seed)
    moved = {
        name: space.max if space.value != space.max else space.min
        for name, space in contract.optimization_space.items()
        if space.min != space.max
    }
    if not moved:
        return
    other = with_values(contract, moved)
    assert structure_hash(other) == structure_hash(contract)
    assert canonical_hash(other) != canonical_hash(contract)
    assert canonical_hash(contract, moved) == canonical_hash(other)


def test_hashes_see_every_part() -> None:
    pilot = load_templates()["macd_trend"]
    found = {structure_hash(contract) for contract in load_templates().values()}
    assert len(found) == len(load_templates())
    for path, value in (
        (("indicators", 2, "source"), "open"),
        (("indicators", 2, "name"), "ema"),
        (("risk_model", "trailing"), None),
        (("risk_model", "sizing", "kind"), "units"),
        (("entry_rules", 0, "when"), "macd.line > macd.signal and close > trend"),
    ):
        fields = pilot.model_dump(mode="json")
        part = fields
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        if value == "units":
            fields["risk_model"]["sizing"] = {"kind": "units", "units": 60}
        if path == ("risk_model", "trailing"):
            del fields["optimization_space"]["trail_mult"]
        assert structure_hash(load_contract(fields)) != structure_hash(pilot), path


def test_hash_does_not_depend_on_the_order_of_equal_rules() -> None:
    fields = load_templates()["rsi_mean_reversion"].model_dump(mode="json")
    rules = fields["exit_rules"]
    ids = [rule["id"] for rule in rules]
    hashes = set()
    for seed in range(4):
        Random(seed).shuffle(ids)
        for rule, name in zip(rules, ids, strict=True):
            rule["id"] = name
        hashes.add(canonical_hash(load_contract(fields)))
    assert len(hashes) == 1
