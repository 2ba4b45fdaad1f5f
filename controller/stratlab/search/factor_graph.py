"""A contract as a typed graph: data -> indicator -> signal -> rule -> position -> risk."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, final

from stratlab.contract import nodes
from stratlab.contract.indicators import BAR
from stratlab.contract.language import format_rule, parse_rule

if TYPE_CHECKING:
    import networkx as nx

    from stratlab.contract.model import Rule, StrategyContract
    from stratlab.domain.trial import Parameters


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
class EdgeKind(StrEnum):
    """What one part is for another."""

    READ_BY = "read_by"
    FEEDS = "feeds"
    JOINS = "joins"
    OPENS = "opens"
    CLOSES = "closes"
    HELD_UNDER = "held_under"
    MEASURES = "measures"


EDGES: Mapping[EdgeKind, frozenset[tuple[NodeKind, NodeKind]]] = {
    EdgeKind.READ_BY: frozenset(
        {(NodeKind.DATA, NodeKind.INDICATOR), (NodeKind.DATA, NodeKind.SIGNAL)}
    ),
    EdgeKind.FEEDS: frozenset({(NodeKind.INDICATOR, NodeKind.SIGNAL)}),
    EdgeKind.JOINS: frozenset({(NodeKind.SIGNAL, NodeKind.RULE)}),
    EdgeKind.OPENS: frozenset({(NodeKind.RULE, NodeKind.POSITION)}),
    EdgeKind.CLOSES: frozenset({(NodeKind.RULE, NodeKind.POSITION)}),
    EdgeKind.HELD_UNDER: frozenset({(NodeKind.POSITION, NodeKind.RISK)}),
    EdgeKind.MEASURES: frozenset({(NodeKind.INDICATOR, NodeKind.RISK)}),
}
"""The stages that each kind of edge may join."""

RISK = "risk:model"
"""Name of the one node that everything leads to."""

STAGES = {"entry_rules": "entry", "exit_rules": "exit"}
"""Field of a contract that holds rules -> their stage."""

_ANY = nodes.Parameter("")


def factor_graph(contract: "StrategyContract", point: "Parameters | None" = None) -> "nx.DiGraph":
    """Return the graph of a valid contract.

    Nodes are named ``kind:id`` and carry ``kind``, ``label`` (for people) and ``content`` (what
    they do, without any name that the author chose); signals also carry ``expression``, ``side``
    and ``stage``. Edges carry ``kind``.

    Args:
        contract: The contract.
        point: Values that stand for the parameters in ``content``; None leaves every number out
            of it, parameters and literals alike.
    """
    import networkx as nx  # noqa: PLC0415 - keeps start-up fast

    graph = nx.DiGraph()
    series: dict[str, str] = {}
    for item in contract.indicators:
        values = ", ".join(_value(value, point) for _, value in sorted(item.params.items()))
        frame = f"@{item.timeframe}" if item.timeframe else ""
        series[item.id] = f"{item.name}({item.source}, {values}){frame}"
        shown = ", ".join(f"{name}={value}" for name, value in sorted(item.params.items()))
        _add(graph, NodeKind.INDICATOR, item.id, f"{item.name}({shown}){frame}", series[item.id])
        for source in ("high", "low", "close") if item.source == BAR else (item.source,):
            _read(graph, source, f"indicator:{item.id}")
    for side in sorted({rule.side for rule in contract.entry_rules}):
        _add(graph, NodeKind.POSITION, side, side, side)
    for path, stage in STAGES.items():
        for rule in getattr(contract, path):
            _add_rule(graph, rule, stage, series, point)
    risk = contract.risk_model
    parts = sorted({path.split(".")[0] for path in risk.distances})
    content = [*_risk_parts(contract, series, point), contract.execution.model_dump_json()]
    _add(graph, NodeKind.RISK, "model", ", ".join([*parts, risk.sizing.kind]), "\n".join(content))
    for node, kind in list(graph.nodes(data="kind")):
        if kind is NodeKind.POSITION:
            graph.add_edge(node, RISK, kind=EdgeKind.HELD_UNDER)
    for distance in risk.distances.values():
        if distance.kind == "atr":
            graph.add_edge(f"indicator:{distance.indicator}", RISK, kind=EdgeKind.MEASURES)
    return graph


def check_graph(graph: "nx.DiGraph") -> list[str]:
    """Return what is wrong with a graph, one sentence each; the graph of a contract is right.

    Every edge joins stages that its kind may join, there is no cycle, and a path leads from every
    node to the risk model.
    """
    import networkx as nx  # noqa: PLC0415 - keeps start-up fast

    kinds = dict(graph.nodes(data="kind"))
    problems = [
        f"{source} -> {target} may not be {kind}"
        for source, target, kind in graph.edges(data="kind")
        if (kinds[source], kinds[target]) not in EDGES[kind]
    ]
    if not nx.is_directed_acyclic_graph(graph):
        problems.append("there is a cycle")
    reached = {RISK} | (nx.ancestors(graph, RISK) if RISK in graph else set())
    return [*problems, *(f"nothing uses {node}" for node in sorted(set(graph) - reached))]


def canonical_hash(contract: "StrategyContract", point: "Parameters | None" = None) -> str:
    """Return a hash (hex) of what a strategy does at a point of its space.

    Equal for strategies that trade alike whatever their parts are called and in whatever order
    they are written. ``execution`` belongs to it; thesis, gates, markets and timeframes, which a
    campaign sets for all its candidates, do not.

    Args:
        contract: The contract.
        point: Values of parameters; the others have their defaults.
    """
    return digests(factor_graph(contract, {**contract.parameters, **(point or {})}))[RISK]


def structure_hash(contract: "StrategyContract") -> str:
    """Return a hash (hex) that values, names of parts and free text do not change.

    Two contracts with the same hash are variants of one strategy at different points.
    """
    return digests(factor_graph(contract))[RISK]


def digests(graph: "nx.DiGraph") -> dict[str, str]:
    """Return a hash (hex) for every node, over its content and over all that leads to it."""
    import networkx as nx  # noqa: PLC0415 - keeps start-up fast

    found: dict[str, str] = {}
    for name in nx.topological_sort(graph):
        node = graph.nodes[name]
        feeding = sorted(
            (graph.edges[edge]["kind"], found[edge[0]]) for edge in graph.in_edges(name)
        )
        text = repr((str(node["kind"]), node["content"], [(str(kind), d) for kind, d in feeding]))
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


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


def _add(graph: "nx.DiGraph", kind: NodeKind, name: str, label: str, content: str) -> None:
    graph.add_node(f"{kind}:{name}", kind=kind, label=label, content=content)


def _read(graph: "nx.DiGraph", source: str, reader: str) -> None:
    _add(graph, NodeKind.DATA, source, source, source)
    graph.add_edge(f"data:{source}", reader, kind=EdgeKind.READ_BY)


def _add_rule(
    graph: "nx.DiGraph",
    rule: "Rule",
    stage: str,
    series: Mapping[str, str],
    point: "Parameters | None",
) -> None:
    name = f"rule:{rule.id}"
    _add(graph, NodeKind.RULE, rule.id, f"{stage} {rule.side}", f"{stage} {rule.side}")
    kind = EdgeKind.OPENS if stage == "entry" else EdgeKind.CLOSES
    graph.add_edge(name, f"position:{rule.side}", kind=kind)
    for number, signal in enumerate(signals_of(rule, stage)):
        part = f"{rule.id}.{number}"
        content = format_rule(_canonical(signal, series, point))
        _add(graph, NodeKind.SIGNAL, part, format_rule(signal), content)
        graph.nodes[f"signal:{part}"].update(expression=signal, side=rule.side, stage=stage)
        graph.add_edge(f"signal:{part}", name, kind=EdgeKind.JOINS)
        for source in _references(signal):
            if source in series:
                graph.add_edge(f"indicator:{source}", f"signal:{part}", kind=EdgeKind.FEEDS)
            else:
                _read(graph, source, f"signal:{part}")


def _references(signal: nodes.Expression) -> Iterator[str]:
    for node in nodes.walk(signal):
        if isinstance(node, nodes.Reference) and node.name not in nodes.POSITION:
            yield node.name


def _risk_parts(
    contract: "StrategyContract", series: Mapping[str, str], point: "Parameters | None"
) -> Iterable[str]:
    risk = contract.risk_model
    for path, distance in sorted(risk.distances.items()):
        if distance.kind == "atr":
            yield f"{path}: {series[distance.indicator]} * {_value(distance.mult, point)}"
        else:
            yield f"{path}: {distance.kind} {_value(distance.value, point)}"
    if risk.breakeven is not None:
        yield f"breakeven.offset_ticks: {_value(risk.breakeven.offset_ticks, point)}"
    sizing = risk.sizing.model_dump()
    values = ", ".join(
        _value(value, point) for name, value in sorted(sizing.items()) if name != "kind"
    )
    yield f"sizing: {sizing['kind']} {values}"


def _canonical(  # noqa: PLR0911 - one case per node
    node: nodes.Expression, series: Mapping[str, str], point: "Parameters | None"
) -> nodes.Expression:
    # Names become what they stand for; what may be written in two ways is written in one.
    match node:
        case nodes.Reference(name=name):
            return replace(node, name=series.get(name, name))
        case nodes.Number() | nodes.Parameter() if point is None:
            return _ANY
        case nodes.Parameter(name=name) if point is not None:
            return nodes.Number(float(point[name]))
    parts = tuple(_canonical(part, series, point) for part in nodes.children(node))
    match node:
        case nodes.Comparison(operator="<" | "<=" as operator):
            return nodes.Comparison(operator.replace("<", ">"), parts[1], parts[0])
        case nodes.Call(function="crosses_below"):
            return nodes.Call("crosses_above", (parts[1], parts[0]))
        case nodes.Junction():
            return nodes.Junction(node.operator, tuple(sorted(parts, key=format_rule)))
    return nodes.with_children(node, parts)


def _value(value: float | str, point: "Parameters | None") -> str:
    if point is None:
        return "$"
    return repr(float(point[value[1:]] if isinstance(value, str) else value))
