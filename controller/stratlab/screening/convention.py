"""Layer 3, convention: is it written as strategies are?"""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.names import is_function
from stratlab.screening.rules import advice as rules
from stratlab.screening.source import StrategySource
from stratlab_runner.class_style import CLASS_SUFFIX
from stratlab_runner.contract import OPTIONAL_FUNCTIONS

MAX_NUMBERS = 12
"""Findings about numbers in one source: more say nothing new."""

# Signs, halves, wholes, percent, and trading days: they mean what they are.
_PLAIN: Final = frozenset({0, 1, 2, -1, 0.5, 10, 100, 252, 365, 1e4, 1e-9, 1e-8, 1e-6, 1e-12})
_OPERATIONS: Final = (ast.BinOp, ast.Compare)


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about the style and about numbers in rules."""
    functions = source.functions()
    written = source.strategy_class()
    if written is None and not functions.keys() & set(OPTIONAL_FUNCTIONS):
        called = {
            node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            for node in source.all(ast.Call)
            if isinstance(node.func, ast.Name | ast.Attribute)
        }
        if not called & {"schedule_function", "on_bar"}:
            yield rules.NOTHING_RUNS.at(functions.get("initialize"))
    if written is None:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and node.name.endswith(CLASS_SUFFIX):
                yield rules.TWO_STYLES.at(node, name=node.name)
    yield from _check_names(source.tree)
    yield from list(_numbers(source))[:MAX_NUMBERS]


def _check_names(tree: ast.Module) -> Iterator[Finding]:
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for body in bodies:
        seen: set[str] = set()
        for node in body:
            if is_function(node) and not node.decorator_list:
                if node.name in seen:
                    yield rules.SHADOWED_NAME.at(node, name=node.name)
                seen.add(node.name)


def _numbers(source: StrategySource) -> Iterator[Finding]:
    for node in source.all(ast.Constant):
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value in _PLAIN:
            continue
        if _decides(source, node):
            yield rules.MAGIC_NUMBER.at(node, text=ast.unparse(node))


def _decides(source: StrategySource, node: ast.AST) -> bool:
    # In a function, as part of a comparison, a computation, or an argument without a name.
    around = source.parent(node)
    if isinstance(around, ast.UnaryOp):
        node, around = around, source.parent(around)
    is_used = isinstance(around, _OPERATIONS) or (
        isinstance(around, ast.Call) and node in around.args
    )
    function = source.function_of(node)
    return is_used and function is not None and not _is_default(source, node)


def _is_default(source: StrategySource, node: ast.AST) -> bool:
    around = source.parent(node)
    while around is not None and not is_function(around):
        if isinstance(around, ast.arguments):
            return True
        # params.get("window", 20) names it.
        match around:
            case ast.Call(func=ast.Attribute(attr="get" | "setdefault")):
                return True
            case _:
                pass
        around = source.parent(around)
    return False
