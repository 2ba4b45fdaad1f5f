"""Copies definitions of our stdlib-only modules into generated source, with all that they use."""

import ast
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Inlined:
    """Source texts to copy, in order, and every name that they and the given source read."""

    constants: tuple[str, ...]
    definitions: tuple[str, ...]
    names: frozenset[str]


@final
@dataclass(frozen=True, slots=True)
class _Definition:
    source: str
    is_constant: bool
    uses: frozenset[str]


# Parsing the source that was just written would take most of the time of compiling it.
_TOKEN = re.compile(r'"""(?:.|\n)*?"""|"[^"\n]*"|#.*|(?<![\w.])([A-Za-z_]\w*)')
_DEFINED = re.compile(r"^(?:(?:class|def) (\w+)|(\w+) = )", re.MULTILINE)


def names_used(source: str) -> frozenset[str]:
    """Return every name and first part of a dotted name in a piece of generated source.

    Args:
        source: Its strings stand in double quotes; names inside them are not seen.
    """
    return frozenset(found[1] for found in _TOKEN.finditer(source) if found[1])


def inline(modules: Sequence[ModuleType], source: str) -> Inlined:
    """Return all that a source needs from some modules, and that needs in turn.

    Args:
        modules: Where to look; definitions keep their order there.
        source: Python text; what it defines itself is not looked for.
    """
    known: dict[str, _Definition] = {}
    for module in modules:
        known |= _definitions(module)
    own = {name for names in _DEFINED.findall(source) for name in names if name}
    names = set(names_used(source))
    wanted: set[str] = set()
    pending = sorted(names)
    while pending:
        name = pending.pop()
        if name in known and name not in own and name not in wanted:
            wanted.add(name)
            names |= known[name].uses
            pending.extend(known[name].uses)
    found = [definition for name, definition in known.items() if name in wanted]
    return Inlined(
        constants=tuple(item.source for item in found if item.is_constant),
        definitions=tuple(item.source for item in found if not item.is_constant),
        names=frozenset(names),
    )


@lru_cache(maxsize=8)
def _definitions(module: ModuleType) -> dict[str, _Definition]:
    text = inspect.getsource(module)
    found = {}
    for node in ast.parse(text).body:
        name = _name(node)
        if name:
            source = ast.get_source_segment(text, node) or ""
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            found[name] = _Definition(source, isinstance(node, ast.Assign), frozenset(names))
    return found


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""
