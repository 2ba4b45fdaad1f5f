"""Type-checks rules: every name is known, every operand has the type its operator wants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn, final

from stratlab.contract import nodes
from stratlab.contract.language import RuleError, parse_rule
from stratlab.contract.timeframes import longer_problem
from stratlab.domain.market import DAILY

MAX_LOOKBACK = 500
"""Longest offset and window, in bars."""

_LEAST_ARGUMENTS = 2
_MOST_ARGUMENTS = 8


@final
class Kind(StrEnum):
    """Type of an expression: a series has a value at every bar, a number only one."""

    SERIES = "series"
    NUMBER = "number"
    CONDITION = "condition"


@final
@dataclass(frozen=True, slots=True)
class ParameterRange:
    """What a rule may assume of a ``$name``.

    Attributes:
        whole: Whether it only takes whole values.
        min, max: Bounds, inclusive.
    """

    whole: bool
    min: float
    max: float


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """Names that a rule may use.

    Attributes:
        series: Name -> its outputs, () for a series with one value.
        parameters: Name without ``$`` -> its range.
        position: Whether there is a position: in exit rules.
        timeframes: Of the bars that the strategy trades; a longer one must suit them all.
        longer: Name -> the longer timeframe that an indicator has by itself.
    """

    series: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, ParameterRange]
    position: bool = False
    timeframes: tuple[str, ...] = (DAILY,)
    longer: Mapping[str, str] = field(default_factory=dict)


def check_rule(text: str, scope: Scope) -> nodes.Expression:
    """Parse a rule and check it.

    Raises:
        RuleError: With the column of the first part that is wrong.
    """
    expression = parse_rule(text)
    kind = kind_of(expression, scope)
    if kind is not Kind.CONDITION:
        raise RuleError(expression.column, f"a rule is a condition, this is a {kind}")
    return expression


def kind_of(node: nodes.Expression, scope: Scope) -> Kind:  # noqa: C901, PLR0911 - one case per node
    """Return the type of an expression whose every part is well-typed.

    Raises:
        RuleError: With the column of the first part that is not.
    """
    match node:
        case nodes.Number():
            return Kind.NUMBER
        case nodes.Truth():
            return Kind.CONDITION
        case nodes.Parameter(name=name):
            if name not in scope.parameters:
                _unknown(node, "parameter", f"${name}", [f"${known}" for known in scope.parameters])
            return Kind.NUMBER
        case nodes.Reference():
            return _reference(node, scope)
        case nodes.Negative(operand=operand):
            return _numeric(operand, scope, "-")
        case nodes.Arithmetic(operator=operator, left=left, right=right):
            return _widest(_numeric(left, scope, operator), _numeric(right, scope, operator))
        case nodes.Comparison(operator=operator, left=left, right=right):
            _numeric(left, scope, operator)
            _numeric(right, scope, operator)
        case nodes.Not(operand=operand):
            _condition(operand, scope, "not")
        case nodes.Junction(operator=operator, operands=operands):
            for operand in operands:
                _condition(operand, scope, operator)
        case nodes.Call():
            return _call(node, scope)
    return Kind.CONDITION


def _reference(node: nodes.Reference, scope: Scope) -> Kind:
    name = node.name
    if name in nodes.POSITION:
        if not scope.position:
            raise RuleError(node.column, f"{name!r} exists in exit rules only")
        if node.output or node.offset or node.timeframe:
            raise RuleError(node.column, f"{name!r} has no outputs, offsets and timeframes")
        return Kind.NUMBER
    if name not in scope.series:
        if name in nodes.FUNCTIONS:
            raise RuleError(node.column, f"{name!r} is a function: write {name}(...)")
        _unknown(node, "series", name, [*scope.series, *(nodes.POSITION if scope.position else ())])
    outputs = scope.series[name]
    if outputs and node.output not in outputs:
        known = ", ".join(f"{name}.{output}" for output in outputs)
        raise RuleError(node.column, f"{name!r} has several outputs, choose one of: {known}")
    if node.output and not outputs:
        raise RuleError(node.column, f"{name!r} has one value and no output {node.output!r}")
    if node.timeframe:
        _longer(node, scope)
    if node.offset > MAX_LOOKBACK:
        raise RuleError(node.column, f"an offset may not exceed {MAX_LOOKBACK} bars")
    return Kind.SERIES


def _longer(node: nodes.Reference, scope: Scope) -> None:
    name = node.name
    if name in scope.longer:
        message = f"{name!r} is an indicator on bars of {scope.longer[name]} already"
        raise RuleError(node.column, message, f"Write {name} alone.")
    problem = longer_problem(node.timeframe, scope.timeframes)
    if problem:
        raise RuleError(node.column, f"{name}@{node.timeframe}: {problem}")


def _call(node: nodes.Call, scope: Scope) -> Kind:
    function, arguments = node.function, node.arguments
    if function not in nodes.FUNCTIONS:
        _unknown(node, "function", function, nodes.FUNCTIONS)
    if function in nodes.ARITHMETIC:
        least, most = (1, 1) if function == "abs" else (_LEAST_ARGUMENTS, _MOST_ARGUMENTS)
        _count(node, least, most)
        return _widest(*(_numeric(argument, scope, function) for argument in arguments))
    _count(node, _LEAST_ARGUMENTS, _LEAST_ARGUMENTS)
    if function in nodes.CROSSES:
        kinds = [_numeric(argument, scope, function) for argument in arguments]
        if Kind.SERIES not in kinds:
            raise RuleError(arguments[0].column, f"{function} needs a series, both are numbers")
        for argument, kind in zip(arguments, kinds, strict=True):
            if kind is Kind.SERIES:
                _without_position(argument, function)
        return Kind.CONDITION
    if _numeric(arguments[0], scope, function) is not Kind.SERIES:
        raise RuleError(arguments[0].column, f"{function} needs a series, this is a number")
    _without_position(arguments[0], function)
    _bars(arguments[1], scope, function)
    return Kind.CONDITION if function in nodes.TRENDS else Kind.SERIES


def _numeric(node: nodes.Expression, scope: Scope, where: str) -> Kind:
    kind = kind_of(node, scope)
    if kind is Kind.CONDITION:
        raise RuleError(node.column, f"{where!r} needs numbers, this is a condition")
    return kind


def _condition(node: nodes.Expression, scope: Scope, where: str) -> None:
    kind = kind_of(node, scope)
    if kind is not Kind.CONDITION:
        raise RuleError(node.column, f"{where!r} joins conditions, this is a {kind}")


def _without_position(node: nodes.Expression, function: str) -> None:
    for part in nodes.walk(node):
        if isinstance(part, nodes.Reference) and part.name in nodes.POSITION:
            message = f"{function} looks back, but {part.name!r} has no past"
            raise RuleError(part.column, message, "Compare it directly, with < or >.")


def _bars(node: nodes.Expression, scope: Scope, function: str) -> None:
    match node:
        case nodes.Number(value=value):
            fits = value.is_integer() and 1 <= value <= MAX_LOOKBACK
        case nodes.Parameter(name=name):
            kind_of(node, scope)
            known = scope.parameters[name]
            fits = known.whole and known.min >= 1 and known.max <= MAX_LOOKBACK
        case _:
            fits = False
    if not fits:
        raise RuleError(
            node.column,
            f"{function} needs a whole number of bars from 1 to {MAX_LOOKBACK}",
            "Write the number, or a $parameter of kind int whose bounds lie in that range.",
        )


def _count(node: nodes.Call, least: int, most: int) -> None:
    found = len(node.arguments)
    if not least <= found <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        message = f"{node.function} takes {wanted} arguments, found {found}"
        raise RuleError(node.column, message)


def _widest(*kinds: Kind) -> Kind:
    return Kind.SERIES if Kind.SERIES in kinds else Kind.NUMBER


def _unknown(
    node: nodes.Call | nodes.Parameter | nodes.Reference,
    what: str,
    found: str,
    known: Iterable[str],
) -> NoReturn:
    listed = ", ".join(sorted(known)) or "none"
    raise RuleError(node.column, f"unknown {what} {found!r}; known: {listed}")
