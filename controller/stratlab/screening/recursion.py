"""Layer 1, static: functions that always call themselves again."""

import ast
from collections.abc import Iterator

from stratlab.domain.strategy import Finding
from stratlab.screening.loops import own_nodes
from stratlab.screening.names import Function, is_function
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
    bodies: dict[str, tuple[ast.AST, list[ast.AST]]] = {}
    for node in source.nodes:
        if is_function(node) and not _is_generator(node):
            owner = source.parent(node)
            prefix = "self." if isinstance(owner, ast.ClassDef) else ""
            bodies[prefix + node.name] = (node, list(node.body))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bodies[target.id] = (node, [node.value.body])
    calls = {name: _certain_calls(body) & bodies.keys() for name, (_, body) in bodies.items()}
    for name, (node, _) in bodies.items():
        seen, stack = set[str](), list(calls[name])
        while stack:
            other = stack.pop()
            if other not in seen:
                seen.add(other)
                stack.extend(calls[other])
        if name in seen:
            yield rules.ENDLESS_RECURSION.at(node, function=name.removeprefix("self."))


def _is_generator(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function.body))


def _certain_calls(body: list[ast.AST]) -> set[str]:
    found: set[str] = set()
    for statement in body:
        found |= _certain_in(statement)
        if any(isinstance(node, ast.Return | ast.Raise) for node in own_nodes([statement])):
            break
    return found


def _certain_in(node: ast.AST) -> set[str]:  # noqa: PLR0911 - one for each kind of node
    # Calls that are made whenever the node is reached.
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            return _certain_in(test) | (_certain_calls([*body]) & _certain_calls([*orelse]))
        case ast.IfExp(test=test, body=yes, orelse=no):
            return _certain_in(test) | (_certain_in(yes) & _certain_in(no))
        case ast.BoolOp(values=[first, *_]) | ast.While(test=first):
            return _certain_in(first)
        case ast.For(iter=first) | ast.AsyncFor(iter=first):
            return _certain_in(first)
        case ast.Call(func=ast.Name(id=name)):
            return {name}.union(*map(_certain_in, ast.iter_child_nodes(node)))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            return {f"self.{name}"}.union(*map(_certain_in, ast.iter_child_nodes(node)))
        case _ if isinstance(node, _MAYBE):
            return set()
        case _:
            return set[str]().union(*map(_certain_in, ast.iter_child_nodes(node)))
