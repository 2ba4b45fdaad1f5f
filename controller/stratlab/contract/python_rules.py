"""Writes lowered rules as Python text over ``s`` (series, newest first) and ``p`` (parameters)."""

from typing import final

from stratlab.contract import nodes
from stratlab.contract.language import format_number
from stratlab.contract.lowering import Lookback, LoweredRule, flat_name, window
from stratlab.contract.python_text import call, docstring, statement

_SUM, _TERM, _UNARY, _ATOM = range(4)
_HELPERS = {"abs": "magnitude", "min": "smallest", "max": "largest"}
_MAX_HEIGHT = 6


def lookback_text(lookback: Lookback) -> str:
    """Return a number of bars as Python text."""
    terms = [f'p["{name}"]' for name in lookback.parameters]
    if lookback.bars > 0 or not terms:
        return " + ".join([*terms, str(lookback.bars)])
    return " + ".join(terms) + (f" - {-lookback.bars}" if lookback.bars else "")


def rule_function(rule: LoweredRule) -> list[str]:
    """Return the lines of the function ``rule_<id>``, which is false while a part is undefined."""
    writer = _RuleWriter()
    condition = writer.condition(rule.expression, top=True)
    arguments = ", ".join(["s", "p", *(nodes.POSITION if uses_position(rule) else ())])
    lines = [f"def rule_{rule.id}({arguments}):", *docstring(rule.text, "    ")]
    lines += writer.numbers.take_lines()
    if writer.guards:
        lines += call("    if not finite(", list(writer.guards), "):")
        lines.append("        return False")
    return [*lines, *writer.lines, *statement(f"    return {condition}")]


def uses_position(rule: LoweredRule) -> bool:
    """Return whether a rule reads ``bars_held`` or ``entry_price``."""
    return any(
        isinstance(node, nodes.Reference) and node.name in nodes.POSITION
        for node in nodes.walk(rule.expression)
    )


@final
class NumberWriter:
    """Writes numeric expressions; parts of a deep one get names of their own first.

    Python's parser and everything that later walks the source have limits on nesting.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._lines: list[str] = []

    def take_lines(self) -> list[str]:
        """Return the assignments that text written since the last call depends on."""
        lines, self._lines = self._lines, []
        return lines

    def text(self, node: nodes.Expression) -> str:
        """Return an expression of type series or number as Python text."""
        return self._number(node, _SUM)

    def named(self, node: nodes.Expression) -> str:
        """Return a name that holds the value of an expression."""
        return self._name(self.text(node))

    def _name(self, text: str) -> str:
        if text not in self._names:
            self._names[text] = f"value_{len(self._names) + 1}"
            self._lines += statement(f"    {self._names[text]} = {text}")
        return self._names[text]

    def _number(self, node: nodes.Expression, strength: int) -> str:
        text, own = self._written(node)
        if own is not _ATOM and _height(node) % _MAX_HEIGHT == 0:
            return self._name(text)
        return f"({text})" if own < strength else text

    def _written(self, node: nodes.Expression) -> tuple[str, int]:  # noqa: PLR0911 - one case per node
        match node:
            case nodes.Number(value=value):
                return format_number(value), _ATOM
            case nodes.Parameter(name=name):
                return f'p["{name}"]', _ATOM
            case nodes.Reference(name=name):
                position = name in nodes.POSITION
                return name if position else f"{series_text(node)}[{node.offset}]", _ATOM
            case nodes.Call(function=function) if function in nodes.WINDOWS:
                series = series_text(node.arguments[0])
                return f"{function}({series}, {lookback_text(window(node))})", _ATOM
            case nodes.Call(function=function, arguments=arguments):
                return self._helper(_HELPERS[function], *arguments)
            case nodes.Arithmetic(operator="/", left=left, right=right):
                return self._helper("ratio", left, right)
            case nodes.Arithmetic(operator=operator, left=left, right=right):
                own = _TERM if operator == "*" else _SUM
                return f"{self._float(left, own)} {operator} {self._float(right, own + 1)}", own
            case nodes.Negative(operand=operand):
                return f"-{self._number(operand, _UNARY)}", _UNARY
        message = f"not a number: {node}"
        raise TypeError(message)

    def _helper(self, name: str, *arguments: nodes.Expression) -> tuple[str, int]:
        text = f"{name}({', '.join(self._number(item, _SUM) for item in arguments)})"
        # A call needs no parentheses, but it nests like any other part.
        return text, _ATOM - 1

    def _float(self, node: nodes.Expression, strength: int) -> str:
        # Python's whole numbers grow without bound, and then fit no float any more.
        text = self._number(node, strength)
        if isinstance(node, nodes.Parameter):
            return f"float({text})"
        return repr(node.value) if isinstance(node, nodes.Number) else text


def series_text(node: nodes.Expression) -> str:
    """Return the series of a reference as Python text.

    Raises:
        TypeError: The expression is no reference.
    """
    if not isinstance(node, nodes.Reference):
        message = f"not a series: {node}"
        raise TypeError(message)
    return f"s.{flat_name(node)}"


@final
class _RuleWriter:
    """Collects what a rule computes and must find defined, while its condition is written."""

    def __init__(self) -> None:
        self.numbers = NumberWriter()
        self.guards: dict[str, None] = {}
        self.lines: list[str] = []

    def condition(self, node: nodes.Expression, *, top: bool = False) -> str:
        match node:
            case nodes.Truth(value=value):
                return str(value)
            case nodes.Not(operand=operand):
                text = self.condition(operand)
                return text.removeprefix("not ") if text.startswith("not ") else f"not {text}"
            case nodes.Junction(operator=operator, operands=operands):
                parts = [self.condition(operand) for operand in operands]
                return self._joined(operator, parts, top=top)
            case nodes.Comparison(operator=operator, left=left, right=right):
                return _compare(operator, self._operand(left), self._operand(right))
            case nodes.Call(function=function, arguments=(first, second)):
                if function in nodes.CROSSES:
                    return self._joined("and", self._crossing(function, first, second), top=top)
                return self._trend(node)
        message = f"not a condition: {node}"
        raise TypeError(message)

    def _joined(self, operator: str, parts: list[str], *, top: bool) -> str:
        # Every value was found defined before, so an inner condition may be worked out first.
        text = f" {operator} ".join(parts)
        if top:
            return text
        name = f"condition_{1 + sum(line.startswith('    condition_') for line in self.lines)}"
        self.lines += statement(f"    {name} = {text}")
        return name

    def _operand(self, node: nodes.Expression) -> str:
        # A value that is computed gets a name, everything that may be undefined a guard.
        if isinstance(node, nodes.Number | nodes.Parameter):
            return self.numbers.text(node)
        if isinstance(node, nodes.Reference):
            text = self.numbers.text(node)
            if text in nodes.POSITION:
                return text
        else:
            text = self.numbers.named(node)
        self.guards[text] = None
        return text

    def _crossing(
        self, function: str, first: nodes.Expression, second: nodes.Expression
    ) -> list[str]:
        now = [self._operand(first), self._operand(second)]
        before = [self._operand(_bar_before(first)), self._operand(_bar_before(second))]
        operator, opposite = (">", "<=") if function == "crosses_above" else ("<", ">=")
        return [_compare(operator, *now), _compare(opposite, *before)]

    def _trend(self, node: nodes.Call) -> str:
        series = series_text(node.arguments[0])
        self.guards[f"*recent({series}, {lookback_text(window(node).plus(Lookback(1)))})"] = None
        return f"{node.function}({series}, {lookback_text(window(node))})"


def _bar_before(node: nodes.Expression) -> nodes.Expression:
    # Crossings take series and numbers only; a number is the same at every bar.
    if isinstance(node, nodes.Reference) and node.name not in nodes.POSITION:
        return nodes.Reference(node.name, node.output, node.timeframe, node.offset + 1)
    return node


def _compare(operator: str, left: str, right: str) -> str:
    match operator:
        case ">":
            return f"above({left}, {right})"
        case "<":
            return f"above({right}, {left})"
        case "<=":
            return f"not above({left}, {right})"
        case _:
            return f"not above({right}, {left})"


def _height(node: nodes.Expression) -> int:
    return 1 + max((_height(part) for part in nodes.children(node)), default=-1)
