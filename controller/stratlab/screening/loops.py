"""What belongs to a loop, and whether it can be left."""

import ast
from collections.abc import Iterable, Iterator

from stratlab.screening.folding import UNKNOWN, fold

Loop = ast.While | ast.For | ast.AsyncFor
_Inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what belongs to a body itself, not to functions and classes inside it."""
    stack = list(body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _Inner):
            stack.extend(ast.iter_child_nodes(node))


def yields(loop: Loop) -> bool:
    """Return whether whoever asks for the next value may stop the loop."""
    return any(
        isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in own_nodes(loop.body)
    )


def can_leave(loop: Loop) -> bool:
    """Return whether a statement leaves the loop: its own break, a return, a raise."""
    stack: list[tuple[ast.AST, int]] = [(node, 0) for node in loop.body]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, ast.Return | ast.Raise) or (isinstance(node, ast.Break) and not depth):
            return True
        if isinstance(node, _Inner):
            continue
        if isinstance(node, Loop):
            stack.extend((child, depth) for child in node.orelse)
            stack.extend((child, depth + 1) for child in node.body)
        else:
            stack.extend((child, depth) for child in ast.iter_child_nodes(node))
    return False


def is_forever(loop: ast.AST) -> bool:
    """Return whether a node is a loop whose condition is always true."""
    return isinstance(loop, ast.While) and _is_true(loop.test)


def _is_true(test: ast.expr) -> bool:
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        # x == x, and whatever else a name is compared to itself for.
        left, right = test.left, test.comparators[0]
        if isinstance(left, ast.Name) and isinstance(right, ast.Name) and left.id == right.id:
            return isinstance(test.ops[0], ast.Eq | ast.Is | ast.LtE | ast.GtE)
    if isinstance(test, ast.NamedExpr):
        return _is_true(test.value)
    if isinstance(test, ast.BoolOp):
        parts = map(_is_true, test.values)
        return any(parts) if isinstance(test.op, ast.Or) else all(parts)
    if isinstance(test, ast.Lambda):
        return True
    value = fold(test)
    return value is not UNKNOWN and bool(value)
