"""A contract as a typed graph: data -> indicator -> signal -> rule -> position -> risk."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, final

from stratlab.contract import nodes
from stratlab.contract.indicators import BAR
from stratlab.contract.language import format_rule, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratlab.contract.model import Rule, StrategyContract


@final
class NodeKind(StrEnum):
    """Stage of a strategy; edges lead from a stage to a later one."""

    DATA = "data"
    INDICATOR = "indicator"
    SIGNAL = "signal"
    RULE = "rule"
    POSITION = "position"
    RISK = "risk"


@final
@dataclass(frozen=True, slots=True)
class Node:
    """One part of a strategy.

    Attributes:
        kind: Stage.
        label: What it does, without parameter values.
    """

    kind: NodeKind
    label: str


@final
@dataclass(frozen=True, slots=True)
class FactorGraph:
    """The parts of a strategy and what feeds what.

    Attributes:
        nodes: By name; names are ``kind:id``.
        edges: (from, to) pairs of names.
    """

    nodes: Mapping[str, Node]
    edges: frozenset[tuple[str, str]]

    def feeding(self, name: str) -> frozenset[str]:
        """Return every node from which a path leads to the named one."""
        found: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop()
            sources = {source for source, target in self.edges if target == current} - found
            found |= sources
            pending.extend(sources)
        return frozenset(found)


def factor_graph(contract: "StrategyContract") -> FactorGraph:
    """Return the graph of a valid contract; parameter values are not in it."""
    found: dict[str, Node] = {}
    edges: set[tuple[str, str]] = set()
    for item in contract.indicators:
        params = ", ".join(f"{name}={value}" for name, value in sorted(item.params.items()))
        found[f"indicator:{item.id}"] = Node(NodeKind.INDICATOR, f"{item.name}({params})")
        sources = ("high", "low", "close") if item.source == BAR else (item.source,)
        edges |= {(f"data:{source}", f"indicator:{item.id}") for source in sources}
    for stage, rules in (("entry", contract.entry_rules), ("exit", contract.exit_rules)):
        for rule in rules:
            name = f"rule:{rule.id}"
            found[name] = Node(NodeKind.RULE, f"{stage} {rule.side}")
            edges.add((name, f"position:{rule.side}"))
            for number, signal in enumerate(signals_of(rule, stage)):
                part = f"signal:{rule.id}.{number}"
                found[part] = Node(NodeKind.SIGNAL, format_rule(signal))
                edges.add((part, name))
                edges |= {(source, part) for source in _sources(signal, found)}
    for side in {rule.side for rule in contract.entry_rules}:
        found[f"position:{side}"] = Node(NodeKind.POSITION, side)
        edges.add((f"position:{side}", "risk:model"))
    risk = contract.risk_model
    parts = sorted({path.split(".")[0] for path in risk.distances})
    found["risk:model"] = Node(NodeKind.RISK, ", ".join([*parts, risk.sizing.kind]))
    edges |= {
        (f"indicator:{distance.indicator}", "risk:model")
        for distance in risk.distances.values()
        if distance.kind == "atr"
    }
    for source, _ in sorted(edges):
        if source.startswith("data:"):
            found[source] = Node(NodeKind.DATA, source.removeprefix("data:"))
    return FactorGraph(nodes=found, edges=frozenset(edges))


def structure_hash(contract: "StrategyContract") -> str:
    """Return a hash (hex) that parameter values, names of parts and free text do not change.

    Two contracts with the same hash are variants of one strategy at different points.
    """
    labels = {
        item.id: f"{item.name}({item.source}, {', '.join(map(_anonymous, item.params.values()))})"
        for item in contract.indicators
    }
    rules = sorted(
        [stage, rule.side, *sorted(_label(signal, labels) for signal in signals_of(rule, stage))]
        for stage, rules in (("entry", contract.entry_rules), ("exit", contract.exit_rules))
        for rule in rules
    )
    distances = {
        path: [distance.kind, labels[distance.indicator], _anonymous(distance.mult)]
        if distance.kind == "atr"
        else [distance.kind, _anonymous(distance.value)]
        for path, distance in contract.risk_model.distances.items()
    }
    sizing = contract.risk_model.sizing.model_dump()
    text = json.dumps([rules, distances, sizing], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def signals_of(rule: "Rule", stage: str) -> tuple[nodes.Expression, ...]:
    """Return the signals of a rule: what an entry demands together, or an exit one of.

    Args:
        rule: The rule.
        stage: ``entry`` or ``exit``.
    """
    expression = parse_rule(rule.when)
    operator = "and" if stage == "entry" else "or"
    if isinstance(expression, nodes.Junction) and expression.operator == operator:
        return expression.operands
    return (expression,)


def joined(signals: tuple[nodes.Expression, ...], stage: str) -> str:
    """Return the text of a rule made of signals; the inverse of :func:`signals_of`."""
    if len(signals) == 1:
        return format_rule(signals[0])
    return format_rule(nodes.Junction("and" if stage == "entry" else "or", signals))


def _sources(signal: nodes.Expression, found: Mapping[str, Node]) -> "Iterator[str]":
    for node in nodes.walk(signal):
        if isinstance(node, nodes.Reference) and node.name not in nodes.POSITION:
            indicator = f"indicator:{node.name}"
            yield indicator if indicator in found else f"data:{node.name}"


def _label(node: nodes.Expression, labels: Mapping[str, str]) -> str:
    return format_rule(_relabelled(node, labels))


def _relabelled(node: nodes.Expression, labels: Mapping[str, str]) -> nodes.Expression:
    match node:
        case nodes.Reference(name=name):
            return replace(node, name=labels.get(name, name))
        case nodes.Parameter():
            return nodes.Parameter("")
    parts = tuple(_relabelled(part, labels) for part in nodes.children(node))
    return nodes.with_children(node, parts)


def _anonymous(value: float | str) -> str:
    return "$" if isinstance(value, str) else repr(value)
