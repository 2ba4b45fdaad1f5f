"""Checks that the parts of a contract fit together; the model calls it on every document."""

import keyword
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from stratlab.contract import nodes
from stratlab.contract.checker import ParameterRange, Scope, check_rule
from stratlab.contract.indicators import REGISTRY, ParameterKind
from stratlab.contract.language import RuleError, parse_rule
from stratlab.contract.timeframes import longer_problem
from stratlab.domain.market import TIMEFRAMES

if TYPE_CHECKING:
    from stratlab.contract.model import Indicator, Rule, StrategyContract

RESERVED = frozenset(
    (*nodes.PRICES, *nodes.POSITION, *nodes.FUNCTIONS, *nodes.KEYWORDS, *keyword.kwlist)
)
"""Names that an indicator may not take: words of the rule language and of Python."""

_MAX_MULTIPLE = 100.0
_MAX_TICKS = 1e6


def find_problems(contract: "StrategyContract") -> list[str]:
    """Return one sentence per problem, each beginning with the path of the part.

    A contract without problems compiles.
    """
    problems = [
        *_duplicates("indicators", [item.id for item in contract.indicators]),
        *_duplicates("rules", [rule.id for rule in (*contract.entry_rules, *contract.exit_rules)]),
        *(problem for item in contract.indicators for problem in _indicator(item, contract)),
    ]
    # Each step needs what the one before has checked, or every error would repeat itself.
    problems = problems or [
        *_execution(contract),
        *_outputs(contract),
        *_rules("entry_rules", contract.entry_rules, contract),
        *_rules("exit_rules", contract.exit_rules, contract),
        *_risk(contract),
    ]
    return problems or list(_unused(contract))


def scope_of(contract: "StrategyContract", *, position: bool) -> Scope:
    """Return the names that rules of a contract may use.

    Args:
        contract: Its indicators are known to the registry.
        position: True for exit rules.
    """
    series: dict[str, tuple[str, ...]] = dict.fromkeys(nodes.PRICES, ())
    series |= {item.id: REGISTRY[item.name].outputs for item in contract.indicators}
    parameters = {
        name: ParameterRange(whole=space.kind == "int", min=space.min, max=space.max)
        for name, space in contract.optimization_space.items()
    }
    return Scope(
        series=series,
        parameters=parameters,
        position=position,
        timeframes=contract.timeframes,
        longer={item.id: item.timeframe for item in contract.indicators if item.timeframe},
    )


def _duplicates(path: str, names: Sequence[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{path}: the id {name!r} is used more than once"


def _indicator(item: "Indicator", contract: "StrategyContract") -> Iterator[str]:
    path = f"indicators.{item.id}"
    if item.id in RESERVED:
        yield f"{path}: {item.id!r} is a reserved word, choose another id"
    if item.timeframe is not None:
        problem = longer_problem(item.timeframe, contract.timeframes)
        if problem:
            yield f"{path}.timeframe: {problem}"
    kind = REGISTRY.get(item.name)
    if kind is None:
        yield f"{path}.name: unknown indicator {item.name!r}; known: {', '.join(sorted(REGISTRY))}"
        return
    if item.source not in kind.sources:
        allowed = ", ".join(kind.sources)
        yield f"{path}.source: {item.name} cannot read {item.source!r}; allowed: {allowed}"
    if set(item.params) != set(kind.parameters):
        wanted = ", ".join(kind.parameters)
        found = ", ".join(sorted(item.params)) or "none"
        yield f"{path}.params: {item.name} takes exactly: {wanted}; found: {found}"
        return
    for name, limits in kind.parameters.items():
        yield from _value(f"{path}.params.{name}", item.params[name], limits, contract)


def _value(
    path: str, value: float | str, limits: ParameterKind, contract: "StrategyContract"
) -> Iterator[str]:
    span = f"{'whole numbers' if limits.whole else 'numbers'} from {limits.min:g} to {limits.max:g}"
    if isinstance(value, str):
        space = contract.optimization_space.get(value[1:])
        if space is None:
            known = ", ".join(f"${name}" for name in sorted(contract.optimization_space)) or "none"
            yield f"{path}: unknown parameter {value!r}; known: {known}"
        elif limits.whole and space.kind != "int":
            yield f"{path}: {value} must be of kind int"
        elif not limits.min <= space.min <= space.max <= limits.max:
            yield f"{path}: the bounds of {value} leave the {span} allowed here"
    elif (limits.whole and not isinstance(value, int)) or not limits.min <= value <= limits.max:
        yield f"{path}: {value!r} is not among the {span}"


def _execution(contract: "StrategyContract") -> Iterator[str]:
    if contract.execution.intrabar != "tv_path":
        yield "execution.intrabar: brackets fill along tv_path only; stop_first is not implemented"
    if not set(contract.timeframes) & set(TIMEFRAMES):
        known = ", ".join(TIMEFRAMES)
        yield f"timeframes: no data set has bars of these lengths; name at least one of {known}"


def _outputs(contract: "StrategyContract") -> Iterator[str]:
    # Emitters flatten macd.line to macd_line; that name must be free.
    names = {item.id for item in contract.indicators}
    for item in contract.indicators:
        for output in REGISTRY[item.name].outputs:
            if f"{item.id}_{output}" in names:
                yield f"indicators.{item.id}_{output}: the id collides with {item.id}.{output}"


def _rules(path: str, rules: "Sequence[Rule]", contract: "StrategyContract") -> Iterator[str]:
    scope = scope_of(contract, position=path == "exit_rules")
    sides = {rule.side for rule in contract.entry_rules}
    for rule in rules:
        if rule.side not in sides:
            yield f"{path}.{rule.id}.side: no entry rule opens a {rule.side} position"
        try:
            check_rule(rule.when, scope)
        except RuleError as error:
            yield f"{path}.{rule.id}.when: {error}"


def _risk(contract: "StrategyContract") -> Iterator[str]:
    risk = contract.risk_model
    names = {item.id: item.name for item in contract.indicators}
    for where, distance in risk.distances.items():
        path = f"risk_model.{where}"
        if distance.kind == "atr":
            if names.get(distance.indicator) != "atr":
                known = ", ".join(key for key, name in names.items() if name == "atr") or "none"
                yield f"{path}.indicator: {distance.indicator!r} is no atr; known: {known}"
            value, limit, field = distance.mult, _MAX_MULTIPLE, "mult"
        else:
            limit = _MAX_TICKS if distance.kind == "ticks" else _MAX_MULTIPLE
            value, field = distance.value, "value"
        limits = ParameterKind(whole=False, min=1e-6, max=limit)
        yield from _value(f"{path}.{field}", value, limits, contract)
    if risk.sizing.kind == "risk_percent" and risk.stop is None:
        yield "risk_model.sizing: risk_percent needs a stop to measure the risk"


def _unused(contract: "StrategyContract") -> Iterator[str]:
    distances = contract.risk_model.distances.values()
    series = {distance.indicator for distance in distances if distance.kind == "atr"}
    parameters = {
        value
        for distance in distances
        for value in (distance.mult if distance.kind == "atr" else distance.value,)
    } | {value for item in contract.indicators for value in item.params.values()}
    names = {value[1:] for value in parameters if isinstance(value, str)}
    for rule in (*contract.entry_rules, *contract.exit_rules):
        for node in nodes.walk(parse_rule(rule.when)):
            if isinstance(node, nodes.Reference):
                series.add(node.name)
            elif isinstance(node, nodes.Parameter):
                names.add(node.name)
    for item in contract.indicators:
        if item.id not in series:
            yield f"indicators.{item.id}: nothing uses it, remove it"
    for name in sorted(set(contract.optimization_space) - names):
        yield f"optimization_space.{name}: nothing uses ${name}, remove it"
