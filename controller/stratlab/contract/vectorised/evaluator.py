"""What lowered rules mean over arrays; the same words as :mod:`stratlab.contract.semantics`."""

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Protocol, final

import numpy as np

from stratlab.contract import nodes
from stratlab.contract.language import format_rule
from stratlab.contract.lowering import flat_name, window
from stratlab.contract.semantics import EPSILON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratlab.contract.vectorised.arrays import Floats, Truths


TIE = 1e-12
"""Comparisons whose sides differ from the threshold by less, relatively, may be decided by
rounding: other hardware, or another order of summing, may decide them the other way."""


class Values(Protocol):
    """Where an expression finds what it reads; all arrays broadcast against each other."""

    def series(self, name: str, offset: int) -> "Floats":
        """Return a named series, ``offset`` bars back."""
        ...

    def parameter(self, name: str) -> "Floats":
        """Return the values of ``$name``."""
        ...


@final
class Evaluator:
    """Evaluates expressions over the same values.

    Args:
        values: What expressions read.
        position: Arrays for ``bars_held`` and ``entry_price``, where there is a position.
        notes_ties: Whether to find comparisons that rounding may decide.
    """

    def __init__(
        self,
        values: Values,
        position: "Mapping[str, Floats] | None" = None,
        *,
        notes_ties: bool = False,
    ) -> None:
        self._values = values
        self._position = position or {}
        self._notes_ties = notes_ties
        self._guards: dict[str, Truths] = {}
        self.ties: list[Truths] = []

    def rule(self, expression: nodes.Expression) -> "Truths":
        """Return where a rule holds: nowhere where a part of it is undefined."""
        self._guards = {}
        with np.errstate(all="ignore"):
            holds = self._condition(expression)
        for guard in self._guards.values():
            holds = holds & guard
        return holds

    def number(self, node: nodes.Expression) -> "Floats":  # noqa: PLR0911 - one case per node
        """Return the value of an expression of type series or number, NaN where undefined."""
        match node:
            case nodes.Number(value=value):
                return np.array([[value]])
            case nodes.Parameter(name=name):
                return self._values.parameter(name)
            case nodes.Reference(name=name) if name in nodes.POSITION:
                return self._position[name]
            case nodes.Reference():
                return self._values.series(flat_name(node), node.offset)
            case nodes.Call(function=function) if function in nodes.WINDOWS:
                return self._values.series(format_rule(node), 0)
            case nodes.Call(function=function, arguments=arguments):
                return _helper(function, [_defined(self.number(part)) for part in arguments])
            case nodes.Negative(operand=operand):
                return -self.number(operand)
            case nodes.Arithmetic(operator=operator, left=left, right=right):
                return _arithmetic(operator, self.number(left), self.number(right))
        message = f"not a number: {node}"
        raise TypeError(message)

    def _condition(self, node: nodes.Expression) -> "Truths":
        match node:
            case nodes.Truth(value=value):
                return np.array([[value]])
            case nodes.Not(operand=operand):
                return ~self._condition(operand)
            case nodes.Junction(operator=operator, operands=operands):
                found = self._condition(operands[0])
                for operand in operands[1:]:
                    other = self._condition(operand)
                    found = found & other if operator == "and" else found | other
                return found
            case nodes.Comparison(operator=operator, left=left, right=right):
                return self._compare(operator, left, right)
            case nodes.Call(function=function, arguments=(first, second)):
                if function in nodes.TRENDS:
                    self._note_steps(node)
                    return self._operand(node) > 0.0
                operator, opposite = (">", "<=") if function == "crosses_above" else ("<", ">=")
                now = self._compare(operator, first, second)
                return now & self._compare(opposite, _bar_before(first), _bar_before(second))
        message = f"not a condition: {node}"
        raise TypeError(message)

    def _compare(
        self, operator: str, first: nodes.Expression, second: nodes.Expression
    ) -> "Truths":
        left, right = self._operand(first), self._operand(second)
        difference = left - right if operator in {">", "<="} else right - left
        if self._notes_ties:
            scale = np.maximum(np.maximum(np.abs(left), np.abs(right)), 1.0)
            self.ties.append(np.abs(difference - EPSILON) < TIE * scale)
        above = difference > EPSILON
        return above if operator in {">", "<"} else ~above

    def _note_steps(self, node: nodes.Call) -> None:
        source = node.arguments[0]
        if self._notes_ties and isinstance(source, nodes.Reference):
            span = window(node)
            steps = span.bars + sum(int(self._values.parameter(p)[0, 0]) for p in span.parameters)
            for age in range(steps):
                newer = replace(source, offset=source.offset + age)
                self._compare(">", newer, replace(newer, offset=newer.offset + 1))

    def _operand(self, node: nodes.Expression) -> "Floats":
        # Everything that may be undefined gets a guard; literals and the position never are.
        if isinstance(node, nodes.Call) and node.function in nodes.TRENDS:
            value = self._values.series(format_rule(node), 0)
        else:
            value = self.number(node)
        plain = isinstance(node, nodes.Number | nodes.Parameter)
        if not plain and not (isinstance(node, nodes.Reference) and node.name in nodes.POSITION):
            key = format_rule(node)
            if key not in self._guards:
                self._guards[key] = np.isfinite(value)
        return value


def lead(node: nodes.Expression) -> int:
    """Return how many bars back an expression reads named series, windows being series."""
    if isinstance(node, nodes.Reference):
        return node.offset
    if isinstance(node, nodes.Call):
        if node.function in (*nodes.TRENDS, *nodes.WINDOWS):
            return 0
        if node.function in nodes.CROSSES:
            return 1 + max(map(lead, node.arguments))
    return max(map(lead, nodes.children(node)), default=0)


def _bar_before(node: nodes.Expression) -> nodes.Expression:
    # Crossings take series and numbers only; a number is the same at every bar.
    if isinstance(node, nodes.Reference) and node.name not in nodes.POSITION:
        return nodes.Reference(node.name, node.output, node.timeframe, node.offset + 1)
    return node


def _helper(function: str, parts: "list[Floats]") -> "Floats":
    if function == "abs":
        return np.abs(parts[0])
    return reduce(np.maximum if function == "max" else np.minimum, parts)


def _arithmetic(operator: str, left: "Floats", right: "Floats") -> "Floats":
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return np.where(np.isfinite(right) & (right != 0.0), left / right, np.nan)


def _defined(values: "Floats") -> "Floats":
    # Infinity is as undefined as NaN, but a minimum would hide it.
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)
