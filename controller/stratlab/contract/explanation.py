"""Says in plain words what a contract does: for people who do not read rules."""

from typing import TYPE_CHECKING

from stratlab.contract import nodes
from stratlab.contract.indicators import BAR, REGISTRY
from stratlab.contract.language import format_number, format_rule, parse_rule
from stratlab.contract.lowering import history_sessions, longer_warm_up, warm_up_bars

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratlab.contract.model import Distance, Indicator, OptParam, Rule, StrategyContract

_SIGNS = {">": "above", "<": "below", ">=": "at or above", "<=": "at or below"}
_MATHS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week", "M": "month"}


def explain(contract: "StrategyContract") -> dict[str, list[str]]:
    """Return sentences about a contract by heading, in reading order."""
    parts = {
        "Strategy": _strategy(contract),
        "Indicators": [_indicator(item) for item in contract.indicators],
        "Entries": [_rule(rule, "open a {side} position") for rule in contract.entry_rules],
        "Exits": [
            *(_rule(rule, "close a {side} position") for rule in contract.exit_rules),
            *_protection(contract),
        ],
        "Size": [_sizing(contract)],
        "Parameters": [
            _parameter(name, space) for name, space in sorted(contract.optimization_space.items())
        ],
        "Warm-up": _warm_up(contract),
        "Execution": _execution(contract),
        "Gates": _gates(contract),
    }
    return {heading: lines for heading, lines in parts.items() if lines}


def rule_in_words(text: str) -> str:
    """Return a valid rule of the rule language as an English condition."""
    return _condition(parse_rule(text))


def _strategy(contract: "StrategyContract") -> list[str]:
    markets = ", ".join(contract.markets) or "whatever symbols it is given"
    timeframes = " or ".join(contract.timeframes)
    return [
        f"{contract.strategy_id} {contract.version} trades {markets}, on bars of {timeframes}.",
        f"Idea: {' '.join(contract.thesis.split()) or 'none given'}",
    ]


def _indicator(item: "Indicator") -> str:
    kind = REGISTRY[item.name]
    source = "whole bars" if item.source == BAR else f"the {item.source}"
    values = ", ".join(f"{name} {_value(item.params[name])}" for name in kind.parameters)
    longer = f" of completed {_bars(item.timeframe)}" if item.timeframe else ""
    outputs = f"; gives {', '.join(kind.outputs)}" if kind.outputs else ""
    return f"{item.id}: {kind.summary} ({item.name}) of {source}{longer}, {values}{outputs}."


def _rule(rule: "Rule", action: str) -> str:
    words = f"{rule.id}: {action.format(side=rule.side)} when {rule_in_words(rule.when)}."
    note = f" Note: {' '.join(rule.note.split())}" if rule.note else ""
    return f"{words} [{rule.when}]{note}"


def _protection(contract: "StrategyContract") -> list[str]:
    risk = contract.risk_model
    lines = []
    if risk.stop:
        lines.append(f"Stop at {_distance(risk.stop)} against the position, from its fill price.")
    if risk.take:
        lines.append(f"Take the profit at {_distance(risk.take)} from the fill price.")
    if risk.breakeven:
        offset = risk.breakeven.offset_ticks
        beyond = f" plus {offset} ticks of 0.01" if offset else ""
        lines.append(
            f"Once a close shows a profit of {_distance(risk.breakeven.trigger)}, the stop moves "
            f"to the fill price{beyond}."
        )
    if risk.trailing:
        lines.append(
            f"The stop follows each close at {_distance(risk.trailing.distance)} and never moves "
            "back."
        )
    if lines:
        lines.append(
            "Distances are those of the bar of the signal; a stop that moved counts from the next "
            "bar on."
        )
    return lines or ([] if contract.exit_rules else ["Nothing closes a position."])


def _sizing(contract: "StrategyContract") -> str:
    sizing = contract.risk_model.sizing
    match sizing.kind:
        case "units":
            return f"{sizing.units} shares each time."
        case "percent_equity":
            return f"Shares worth {sizing.percent:g} % of the symbol's share of the account."
        case _:
            step = f", in steps of {sizing.unit_step}" if sizing.unit_step > 1 else ""
            return (
                f"So many shares that the stop loses {sizing.percent:g} % of the symbol's share "
                f"of the account{step}; never worth more than that share."
            )


def _parameter(name: str, space: "OptParam") -> str:
    if not space.enabled:
        return f"${name}: fixed at {_number(space.value)}."
    return (
        f"${name}: {_number(space.value)}; a search tries {_number(space.min)} to "
        f"{_number(space.max)} in steps of {_number(space.step)}."
    )


def _warm_up(contract: "StrategyContract") -> list[str]:
    parameters = contract.parameters
    bars = warm_up_bars(contract, parameters)
    lines = [f"No rule is looked at during the first {bars} bars of a symbol."]
    lines += [
        f"Nor before {count} {_bars(timeframe)} have ended (the first, maybe partial one aside)."
        for timeframe, count in longer_warm_up(contract, parameters).items()
    ]
    sessions = history_sessions(contract, parameters)
    lines.append(
        f"Over daily bars indicators start up to {sessions} bars before the first traded one."
    )
    return lines


def _execution(contract: "StrategyContract") -> list[str]:
    del contract
    return [
        "Rules are looked at when a bar has closed; orders fill at the next open.",
        "One position a symbol at a time; a long entry wins when both sides would open.",
        "Where stop and take are touched in one bar, the extreme nearer to the open comes first.",
    ]


def _gates(contract: "StrategyContract") -> list[str]:
    found = contract.gates.model_dump()
    return [f"{name}: {value}." for name, value in sorted(found.items()) if value is not None]


def _distance(distance: "Distance") -> str:
    if distance.kind == "atr":
        return f"{_value(distance.mult)} times {distance.indicator}"
    unit = "% of the close" if distance.kind == "percent" else "ticks of 0.01"
    return f"{_value(distance.value)} {unit}"


def _condition(node: nodes.Expression) -> str:
    match node:
        case nodes.Truth(value=value):
            return "always" if value else "never"
        case nodes.Not(operand=operand):
            return f"it is not so that {_grouped(operand)}"
        case nodes.Junction(operator=operator, operands=operands):
            return f" {operator} ".join(map(_grouped, operands))
        case nodes.Comparison(operator=operator, left=left, right=right):
            return f"{_amount(left)} is {_SIGNS[operator]} {_amount(right)}"
        case nodes.Call(function=function, arguments=(first, second)) if function in nodes.CROSSES:
            return f"{_amount(first)} {function.replace('_', ' ')} {_amount(second)}"
        case nodes.Call(function=function, arguments=(first, second)):
            way = "risen" if function == "rising" else "fallen"
            return f"{_amount(first)} has {way} {_count(second)} in a row"
    message = f"not a condition: {format_rule(node)}"
    raise TypeError(message)


def _grouped(node: nodes.Expression) -> str:
    text = _condition(node)
    return f"({text})" if isinstance(node, nodes.Junction) else text


def _amount(node: nodes.Expression) -> str:
    match node:
        case nodes.Number(value=value):
            return format_number(value)
        case nodes.Parameter(name=name):
            return f"${name}"
        case nodes.Reference():
            return _reference(node)
        case nodes.Negative(operand=operand):
            return f"minus {_part(operand)}"
        case nodes.Arithmetic(operator=operator, left=left, right=right):
            return f"{_part(left)} {_MATHS[operator]} {_part(right)}"
        case nodes.Call(function=function, arguments=arguments):
            return _FUNCTIONS[function](arguments)
    message = f"not a number: {format_rule(node)}"
    raise TypeError(message)


def _part(node: nodes.Expression) -> str:
    text = _amount(node)
    return f"({text})" if isinstance(node, nodes.Arithmetic | nodes.Negative) else text


def _reference(node: nodes.Reference) -> str:
    if node.name == "bars_held":
        return "the number of bars since the entry"
    if node.name == "entry_price":
        return "the entry price"
    name = f"{node.name}.{node.output}" if node.output else node.name
    longer = f" of the last completed {_one_bar(node.timeframe)}" if node.timeframe else ""
    plural = "s" if node.offset > 1 else ""
    return f"{name}{longer}{f' {node.offset} bar{plural} ago' if node.offset else ''}"


_FUNCTIONS: "dict[str, Callable[[Sequence[nodes.Expression]], str]]" = {
    "abs": lambda parts: f"the absolute value of {_part(parts[0])}",
    "min": lambda parts: f"the least of {', '.join(map(_amount, parts))}",
    "max": lambda parts: f"the greatest of {', '.join(map(_amount, parts))}",
    "highest": lambda parts: f"the highest {_part(parts[0])} of {_last(parts[1])}",
    "lowest": lambda parts: f"the lowest {_part(parts[0])} of {_last(parts[1])}",
    "change": lambda parts: f"the change of {_part(parts[0])} over {_count(parts[1], 'bar')}",
}


def _last(node: nodes.Expression) -> str:
    return f"the last {_count(node, 'bar')}"


def _count(node: nodes.Expression, unit: str = "time") -> str:
    number = _amount(node)
    return f"{number} {unit}{'' if number == '1' else 's'}"


def _one_bar(timeframe: str) -> str:
    count, unit = timeframe[:-1], _UNITS[timeframe[-1]]
    return unit if count == "1" else f"{count} {unit}s"


def _bars(timeframe: str) -> str:
    return f"bars of {timeframe}"


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return format_number(float(value))
