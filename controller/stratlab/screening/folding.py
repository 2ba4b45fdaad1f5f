"""Computes the value of constant expressions without running anything of the source."""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

UNKNOWN: Final = object()
"""What is no constant."""

_MAX_LENGTH: Final = 1000
_MAX_NUMBER: Final = 2**64
_WIDTH: Final = re.compile(r"\d{3}|\*")
_TEXT_METHODS: Final = frozenset(
    {"capitalize", "decode", "encode", "join", "lower", "lstrip", "replace", "rstrip", "strip"}
    | {"swapcase", "title", "upper", "hex", "removeprefix", "removesuffix"}
)
_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitXor: operator.xor,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def fold(node: ast.AST) -> Any:  # noqa: ANN401 - a constant of the source
    """Return the value of an expression, :data:`UNKNOWN` if it is no small constant.

    Not for expressions that are nested too deeply for Python's stack.
    """
    try:
        value = _fold(node)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return UNKNOWN
    return value if _is_small(value) else UNKNOWN


def fold_text(node: ast.AST) -> str | None:
    """Return the text that an expression always is, None if that cannot be told."""
    value = fold(node)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


def is_literal(node: ast.AST) -> bool:
    """Return whether an expression is a text that is written out."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _fold(node: ast.AST) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - a line for each kind
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(op, fold(left), fold(right))
        case ast.UnaryOp(op=op, operand=operand):
            value = fold(operand)
            return value if value is UNKNOWN else _UNARY[type(op)](value)
        case ast.BoolOp(op=op, values=values):
            return _boolean(op, [fold(value) for value in values])
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            values = [fold(left), fold(right)]
            return UNKNOWN if UNKNOWN in values else _COMPARE[type(op)](*values)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            items = [fold(element) for element in elements]
            return UNKNOWN if UNKNOWN in items else items
        case ast.Dict(keys=keys):
            return {} if not keys else UNKNOWN
        case ast.JoinedStr(values=parts):
            texts = [_part(part) for part in parts]
            return UNKNOWN if None in texts else "".join(map(str, texts))
        case ast.Subscript(value=of, slice=index):
            return _item(fold(of), index)
        case ast.Call(func=ast.Name(id="chr"), args=[code], keywords=[]):
            return chr(fold(code))
        case ast.Call(func=ast.Name(id="str" | "bytes"), args=[value], keywords=[]):
            found = fold(value)
            return bytes(found) if isinstance(found, list) else found
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="bytes"), attr="fromhex"), args=[text], keywords=[]
        ):
            return bytes.fromhex(fold(text))
        case ast.Call(func=ast.Attribute(value=of, attr=name), args=arguments, keywords=[]):
            return _method(fold(of), name, [fold(argument) for argument in arguments])
        case _:
            return UNKNOWN


def _binary(op: ast.operator, left: Any, right: Any) -> Any:  # noqa: ANN401 - constants
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(op, ast.Mult):
        # Before it is made: the product of two short constants may fill the memory.
        sizes = [value if isinstance(value, int) else len(value) for value in (left, right)]
        if abs(sizes[0] * sizes[1]) > _MAX_LENGTH and not isinstance(left + 0, int):
            return UNKNOWN
    if isinstance(op, ast.Mod) and isinstance(left, str | bytes):
        template = left.decode("latin-1") if isinstance(left, bytes) else left
        if _WIDTH.search(template):
            return UNKNOWN
        right = tuple(right) if isinstance(right, list) else right
    return _BINARY[type(op)](left, right)


def _boolean(op: ast.boolop, values: list[Any]) -> Any:  # noqa: ANN401 - a constant
    decides = isinstance(op, ast.Or)
    for value in values:
        if value is UNKNOWN or bool(value) is decides:
            return value
    return values[-1]


def _part(node: ast.AST) -> str | None:
    if isinstance(node, ast.FormattedValue):
        plain = node.format_spec is None and node.conversion in {-1, ord("s")}
        return fold_text(node.value) if plain else None
    return fold_text(node)


def _item(of: Any, index: ast.expr) -> Any:  # noqa: ANN401 - constants
    if of is UNKNOWN:
        return UNKNOWN
    if isinstance(index, ast.Slice):
        bounds = [None if b is None else fold(b) for b in (index.lower, index.upper, index.step)]
        return UNKNOWN if UNKNOWN in bounds else of[slice(*bounds)]
    return of[fold(index)]


def _method(of: Any, name: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - constants
    if not isinstance(of, str | bytes) or name not in _TEXT_METHODS or UNKNOWN in arguments:
        return UNKNOWN
    return getattr(of, name)(*arguments)


def _is_small(value: Any) -> bool:  # noqa: ANN401 - a constant
    if isinstance(value, str | bytes | list | dict):
        return len(value) <= _MAX_LENGTH
    if isinstance(value, int):
        return abs(value) <= _MAX_NUMBER
    return True
