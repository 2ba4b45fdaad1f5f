"""Layer 1, static: functions that always call themselves again."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.strategy import Finding
from stratlab.screening.names import is_function
from stratlab.screening.rules import static as rules
from stratlab.screening.source import StrategySource

# What is in them may not run at all.
_MAYBE = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.Try,
    ast.Match,
    ast.GeneratorExp,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
)


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about circles of calls that are made whatever happens."""
    certain = _Certain(source)
    bodies = _bodies(source)
    calls = {key: certain.calls(body.statements) for key, body in bodies.items()}
    for key, body in bodies.items():
        seen: set[str] = set()
        stack = [key]
        while stack:
            caller = stack.pop()
            called = {bodies[caller].key_of(name) for name in calls[caller]} & bodies.keys()
            stack += called - seen
            seen |= called
        if key in seen:
            yield rules.ENDLESS_RECURSION.at(body.node, function=body.name)


@final
@dataclass(frozen=True, slots=True)
class _Body:
    # Of a function, a method (then `owner` is its class) or a named lambda.
    node: ast.AST
    name: str
    owner: str
    statements: Sequence[ast.AST]

    def key_of(self, name: str) -> str:
        method = name.removeprefix("self.")
        return method if method == name else f"{self.owner}.{method}"


def _bodies(source: StrategySource) -> dict[str, _Body]:
    found: dict[str, _Body] = {}
    generators = {
        source.function_of(node)
        for node in source.nodes
        if isinstance(node, ast.Yield | ast.YieldFrom)
    }
    for node in source.nodes:
        around = source.parent(node)
        if is_function(node) and node not in generators:
            if isinstance(around, ast.ClassDef):
                body = _Body(node, node.name, around.name, node.body)
                found[f"{around.name}.{node.name}"] = body
            elif isinstance(around, ast.Module):
                found[node.name] = _Body(node, node.name, "", node.body)
        elif isinstance(node, ast.Lambda) and isinstance(around, ast.Assign):
            for target in around.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = _Body(around, target.id, "", [node.body])
    return found


@final
class _Certain:
    # The names that are called whenever statements are reached.
    def __init__(self, source: StrategySource) -> None:
        self._may_leave: set[ast.AST] = set()
        for node in source.all(ast.Return, ast.Raise, ast.Assert):
            around: ast.AST | None = node
            while around is not None and not is_function(around):
                self._may_leave.add(around)
                around = source.parent(around)

    def calls(self, statements: Sequence[ast.AST]) -> set[str]:
        found: set[str] = set()
        for statement in statements:
            found |= self._in(statement)
            if statement in self._may_leave:
                break
        return found

    def _in(self, node: ast.AST) -> set[str]:  # noqa: PLR0911 - one for each kind of node
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                return self._in(test) | (self.calls(body) & self.calls(orelse))
            case ast.IfExp(test=test, body=yes, orelse=no):
                return self._in(test) | (self._in(yes) & self._in(no))
            case ast.BoolOp(values=[first, *_]) | ast.While(test=first):
                return self._in(first)
            case ast.For(iter=first) | ast.AsyncFor(iter=first):
                return self._in(first)
            case ast.Call(func=ast.Name(id=name)):
                return {name}.union(*map(self._in, ast.iter_child_nodes(node)))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return {f"self.{name}"}.union(*map(self._in, ast.iter_child_nodes(node)))
            case _ if isinstance(node, _MAYBE):
                return set()
            case _:
                return set[str]().union(*map(self._in, ast.iter_child_nodes(node)))
