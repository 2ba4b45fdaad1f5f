"""Parses rules of the rule language into syntax trees, and writes trees as canonical text."""

import re
from functools import lru_cache
from typing import final

from stratlab.contract import nodes

MAX_TEXT = 2000
MAX_TOKENS = 256
MAX_NESTING = 32
MAX_NUMBER = 1e12

_SCAN = re.compile(r"[A-Za-z0-9_$.]+|\S")
_HINT = (
    "A rule is made of comparisons (< > <= >=) joined by and, or, not, for example: "
    "crosses_above(fast, slow) and close > trend[1]."
)
# Binding strengths, weakest first; an operand that binds weaker is put into parentheses.
_OR, _AND, _NOT, _COMPARISON, _SUM, _TERM, _UNARY, _ATOM = range(8)


@final
class RuleError(ValueError):
    """A rule that cannot be used.

    Attributes:
        column: 1-based column of the part that is wrong.
        hint: The next step for the author.
    """

    def __init__(self, column: int, message: str, hint: str = _HINT) -> None:
        super().__init__(f"col {column}: {message}")
        self.column = column
        self.hint = hint


@lru_cache(maxsize=4096)
def parse_rule(text: str) -> nodes.Expression:
    """Return the syntax tree of a rule; names and types are not checked yet.

    Raises:
        RuleError: The text is not a rule of the language, or too long or deep.
    """
    from stratlab.contract.parsing import parse  # noqa: PLC0415 - lark slows the start-up down

    _limit(text)
    return parse(text)


def format_rule(expression: nodes.Expression) -> str:
    """Return the canonical text: parsing it gives an equal tree, formatting that the same text."""
    return _format(expression, _OR)


def format_number(value: float) -> str:
    """Return the shortest decimal text that reads back as the same number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - below it a float shows every digit of a whole number


def _limit(text: str) -> None:
    # All limits hold before the parser sees the text: it must not meet a bomb.
    if len(text) > MAX_TEXT:
        raise RuleError(MAX_TEXT + 1, f"the rule is longer than {MAX_TEXT} characters")
    depth = run = 0
    for count, match in enumerate(_SCAN.finditer(text), start=1):
        word, column = match.group(), match.start() + 1
        if count > MAX_TOKENS:
            raise RuleError(column, f"the rule has more than {MAX_TOKENS} words")
        depth += (word == "(") - (word == ")")
        run = run + 1 if word in {"not", "-"} else 0
        if depth + run > MAX_NESTING:
            raise RuleError(column, f"nested deeper than {MAX_NESTING} levels")


def _format(node: nodes.Expression, strength: int) -> str:  # noqa: C901 - one case per node
    match node:
        case nodes.Number(value=value):
            return format_number(value)
        case nodes.Truth(value=value):
            return "true" if value else "false"
        case nodes.Parameter(name=name):
            return f"${name}"
        case nodes.Reference():
            output = f".{node.output}" if node.output else ""
            timeframe = f"@{node.timeframe}" if node.timeframe else ""
            return f"{node.name}{output}{timeframe}{f'[{node.offset}]' if node.offset else ''}"
        case nodes.Call(function=function, arguments=arguments):
            return f"{function}({', '.join(_format(item, _OR) for item in arguments)})"
        case nodes.Negative(operand=operand):
            text, own = f"-{_format(operand, _UNARY)}", _UNARY
        case nodes.Arithmetic(operator=operator, left=left, right=right):
            own = _SUM if operator in "+-" else _TERM
            text = f"{_format(left, own)} {operator} {_format(right, own + 1)}"
        case nodes.Comparison(operator=operator, left=left, right=right):
            own = _COMPARISON
            text = f"{_format(left, _SUM)} {operator} {_format(right, _SUM)}"
        case nodes.Not(operand=operand):
            text, own = f"not {_format(operand, _NOT)}", _NOT
        case nodes.Junction(operator=operator, operands=operands):
            own = _OR if operator == "or" else _AND
            text = f" {operator} ".join(_format(item, own + 1) for item in operands)
    return f"({text})" if own < strength else text
