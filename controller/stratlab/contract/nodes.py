"""The rule language's syntax tree; equality ignores where in the text a node stood."""

from dataclasses import dataclass, field, replace
from typing import final

PRICES = ("open", "high", "low", "close", "volume")
"""Series that every market has."""

POSITION = ("bars_held", "entry_price")
"""Numbers that exist in exit rules: bars since the entry's, and the price it filled at."""

CROSSES = ("crosses_above", "crosses_below")
"""Functions of two series that are true on the bar of the crossing."""

TRENDS = ("rising", "falling")
"""Functions of a series and a whole number that are true or false."""

WINDOWS = ("highest", "lowest", "change")
"""Functions of a series and a whole number that are a series."""

ARITHMETIC = ("abs", "min", "max")
"""Functions of numbers that are a number."""

FUNCTIONS = CROSSES + TRENDS + WINDOWS + ARITHMETIC

KEYWORDS = ("and", "or", "not", "true", "false")


@final
@dataclass(frozen=True, slots=True)
class Number:
    """A literal; whole ones may be used where the language wants a whole number."""

    value: float
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``."""

    value: bool
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """``$name`` of the optimization space."""

    name: str
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Reference:
    """A series or position number: ``name.output@timeframe[offset]``.

    Attributes:
        name: Price, indicator or position state.
        output: Field of an indicator with several, "" otherwise.
        timeframe: Longer timeframe whose last ended bar is meant, "" for the strategy's own.
        offset: Own bars back, 0 for the bar that just closed.
    """

    name: str
    output: str = ""
    timeframe: str = ""
    offset: int = 0
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Negative:
    """``-operand``."""

    operand: "Expression"
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right`` with one of ``+ - * /``."""

    operator: str
    left: "Expression"
    right: "Expression"
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right`` with one of ``< > <= >=``."""

    operator: str
    left: "Expression"
    right: "Expression"
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Not:
    """``not operand``."""

    operand: "Expression"
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Junction:
    """At least two operands joined by ``and`` or by ``or``."""

    operator: str
    operands: tuple["Expression", ...]
    column: int = field(default=0, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    function: str
    arguments: tuple["Expression", ...]
    column: int = field(default=0, compare=False)


Expression = (
    Number
    | Truth
    | Parameter
    | Reference
    | Negative
    | Arithmetic
    | Comparison
    | Not
    | Junction
    | Call
)


def children(node: Expression) -> tuple[Expression, ...]:
    """Return a node's direct parts, in reading order."""
    match node:
        case Negative(operand=operand) | Not(operand=operand):
            return (operand,)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return (left, right)
        case Junction(operands=operands):
            return operands
        case Call(arguments=arguments):
            return arguments
        case Number() | Truth() | Parameter() | Reference():
            return ()


def walk(node: Expression) -> list[Expression]:
    """Return a node and everything below it, in reading order."""
    found: list[Expression] = []
    pending = [node]
    while pending:
        current = pending.pop()
        found.append(current)
        pending.extend(reversed(children(current)))
    return found


def with_children(node: Expression, parts: tuple[Expression, ...]) -> Expression:
    """Return the node with other direct parts, as many as it has.

    Raises:
        ValueError: The number of parts differs.
    """
    if len(parts) != len(children(node)):
        msg = f"{type(node).__name__} has {len(children(node))} parts, not {len(parts)}"
        raise ValueError(msg)
    match node:
        case Negative() | Not():
            return replace(node, operand=parts[0])
        case Arithmetic() | Comparison():
            return replace(node, left=parts[0], right=parts[1])
        case Junction():
            return replace(node, operands=parts)
        case Call():
            return replace(node, arguments=parts)
        case Number() | Truth() | Parameter() | Reference():
            return node
