"""Layer 1, static: iterators that never end, where nothing stops."""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold
from stratlab.screening.loops import can_leave, is_forever, yields
from stratlab.screening.rules import static as rules
from stratlab.screening.source import StrategySource

_ENDLESS: Final = frozenset({"itertools.count", "itertools.cycle", "itertools.repeat"})
# As endless as any of what they are given, and as all of it.
_ANY: Final = frozenset(
    {"builtins.enumerate", "builtins.filter", "builtins.iter"}
    | {"itertools.accumulate", "itertools.chain", "itertools.filterfalse"}
    | {"itertools.pairwise", "itertools.zip_longest", "itertools.tee"}
)
_CONSUMERS: Final = frozenset(
    {f"builtins.{name}" for name in ("bytearray", "bytes", "dict", "frozenset", "list", "max")}
    | {f"builtins.{name}" for name in ("min", "set", "sorted", "sum", "tuple")}
    | {"collections.Counter", "collections.deque", "math.fsum", "statistics.mean"}
    | {"functools.reduce", "numpy.fromiter", "math.prod"}
)
_ALL: Final = frozenset({"builtins.map", "builtins.zip", "itertools.starmap"})
_TYPES: Final = frozenset({"builtins.float", "builtins.int", "builtins.str"})


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about loops over endless iterators, and calls that use them up."""
    endless = _Endless(source)
    for node in source.nodes:
        parts: list[ast.expr] = []
        match node:
            case ast.For(iter=iterator) | ast.AsyncFor(iter=iterator):
                if not can_leave(node) and not yields(node):
                    parts = [iterator]
            case ast.ListComp(generators=generators) | ast.SetComp(generators=generators):
                parts = [part.iter for part in generators]
            case ast.DictComp(generators=generators):
                parts = [part.iter for part in generators]
            case ast.Call():
                parts = _used_up(source, node)
            case ast.Starred(value=value, ctx=ast.Load()):
                parts = [value]
            case _:
                continue
        for part in parts:
            if (name := endless.name(part)) is not None:
                yield rules.ENDLESS_ITERATOR.at(part, iterator=name)


def _used_up(source: StrategySource, call: ast.Call) -> list[ast.expr]:
    origins = source.names.origins(call.func)
    if "collections.deque" in origins and (len(call.args) > 1 or call.keywords):
        return []
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr in {"extend", "join"}
    return call.args if is_method or origins & _CONSUMERS else []


class _Endless:
    def __init__(self, source: StrategySource) -> None:
        self._source = source
        self._generators = {
            function.name
            for loop in source.all(ast.While)
            if is_forever(loop) and yields(loop) and not can_leave(loop)
            if (function := source.function_of(loop)) is not None
        }

    def name(self, node: ast.expr) -> str | None:  # noqa: PLR0911 - one for each kind of iterator
        # Of what never ends; None for everything that may.
        if isinstance(node, ast.GeneratorExp):
            return self._first([part.iter for part in node.generators])
        if not isinstance(node, ast.Call):
            return None
        if isinstance(node.func, ast.Name) and node.func.id in self._generators:
            return f"{node.func.id}()"
        origins = self._source.names.origins(node.func)
        if endless := origins & _ENDLESS:
            return None if self._is_bounded(node, min(endless)) else f"{min(endless)}()"
        if "builtins.iter" in origins and len(node.args) > 1:
            makes = self._source.names.origins(node.args[0])
            return "iter()" if makes & _TYPES and fold(node.args[1]) else None
        if origins & _ANY:
            return self._first(node.args)
        if origins & _ALL:
            parts = node.args if "builtins.zip" in origins else node.args[1:]
            names = [self.name(part) for part in parts]
            return names[0] if names and None not in names else None
        return None

    def _first(self, parts: list[ast.expr]) -> str | None:
        return next((name for part in parts if (name := self.name(part)) is not None), None)

    @staticmethod
    def _is_bounded(call: ast.Call, name: str) -> bool:
        if name == "itertools.repeat":
            return len(call.args) + len(call.keywords) > 1
        return name == "itertools.cycle" and bool(call.args) and fold(call.args[0]) == []
