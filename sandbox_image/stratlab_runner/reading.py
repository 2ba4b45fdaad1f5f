"""Reads a strategy's source and leaves out what no backtest needs: standard library only."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from stratlab_runner.contract import (
    ALLOWED_MODULES,
    IGNORED_FUNCTIONS,
    NAMES_OF,
    STRATEGY_FILE,
)

_Import = ast.Import | ast.ImportFrom


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """What screening judges and what the container runs.

    Attributes:
        tree: The source without the parts that are left out; places are those of the source.
        left_out: Line and name of each import that is not made.
    """

    tree: ast.Module
    left_out: tuple[tuple[int, str], ...]


def read_source(source: str) -> Reading:
    """Parse a strategy without its ignored functions and the imports that only they need.

    A module that strategies may not import is left out when nothing in the rest of the source
    reads the names that its import would set.

    Args:
        source: The strategy.

    Raises:
        SyntaxError: It is no Python; the error names :data:`~contract.STRATEGY_FILE`.
        ValueError, RecursionError, MemoryError: It cannot be parsed.
    """
    tree = ast.parse(source, STRATEGY_FILE)
    if any(_is_ignored(node, set()) for node in tree.body):
        called = _names_read(node for node in tree.body if not _is_ignored(node, set()))
        tree.body = [node for node in tree.body if not _is_ignored(node, called)]
    left_out: list[tuple[int, str]] = []
    refusing = [block for block in _blocks(tree) if any(map(_is_refused, block))]
    if refusing:
        needed = _names_read(tree.body)
        for block in refusing:
            block[:] = [_needed_part(statement, needed, left_out) for statement in block]
    return Reading(tree, tuple(sorted(left_out)))


def refused_imports(node: _Import) -> Iterator[tuple[ast.alias, str]]:
    """Yield what an import statement may not import, each with its full dotted name."""
    for alias in node.names:
        name = alias.name
        if isinstance(node, ast.ImportFrom):
            name = "." * node.level + ".".join(filter(None, (node.module, name)))
        if not _is_allowed(name):
            yield alias, name


def allowed_module(name: str) -> str | None:
    """Return the module that a dotted name begins with, None if it may not be imported.

    Of several it is the longest.
    """
    parts = name.split(".")
    prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((each for each in prefixes if each in NAMES_OF or each in ALLOWED_MODULES), None)


def _is_allowed(name: str) -> bool:
    module = allowed_module(name)
    if module is None or module == name or module not in NAMES_OF:
        return module is not None
    return name.removeprefix(f"{module}.") in NAMES_OF[module]


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    # No expression holds statements, so none is looked into.
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block
                stack += block
        for name in ("handlers", "cases"):
            stack += getattr(node, name, ())


def _is_refused(statement: ast.stmt) -> bool:
    return isinstance(statement, _Import) and any(True for _ in refused_imports(statement))


def _is_ignored(node: ast.stmt, called: set[str]) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name in IGNORED_FUNCTIONS - called


def _names_read(nodes: Iterable[ast.stmt]) -> set[str]:
    # Not recursive: the source may be nested more deeply than Python's own stack.
    names: set[str] = set()
    for node in ast.walk(ast.Module(list(nodes), [])):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
    return names


def _needed_part(
    statement: ast.stmt, needed: set[str], left_out: list[tuple[int, str]]
) -> ast.stmt:
    if not isinstance(statement, _Import):
        return statement
    refused = {
        alias: name
        for alias, name in refused_imports(statement)
        if alias.name != "*" and (alias.asname or alias.name.split(".")[0]) not in needed
    }
    left_out += [(statement.lineno, name) for name in refused.values()]
    statement.names = [alias for alias in statement.names if alias not in refused]
    return statement if statement.names else ast.copy_location(ast.Pass(), statement)
