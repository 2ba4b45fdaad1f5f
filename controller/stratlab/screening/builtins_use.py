"""Layer 2, security: builtins that run text, make classes from data, or hide what is used."""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold_text, is_literal
from stratlab.screening.names import BUILTINS
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource
from stratlab_runner.reading import allowed_module

_FORBIDDEN: Final = frozenset(
    {"breakpoint", "compile", "copyright", "credits", "eval", "exec", "exit", "globals", "help"}
    | {"input", "license", "locals", "open", "quit", "vars"}
)
_DYNAMIC: Final = frozenset({"delattr", "getattr", "setattr"})
_METACLASSES: Final = frozenset({"abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"})
_OWN_COSTS: Final = frozenset({"set_commission", "set_slippage"})
_BEHIND: Final = frozenset({"get_algo_instance", "set_algo_instance", "data_portal"})


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about builtins, wherever they are mentioned, and about own costs."""
    for node in source.nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                if f"{BUILTINS}.{name}" in source.names.origins(node):
                    yield from _check_builtin(source, node, name)
                if name in _BEHIND:
                    yield rules.FORBIDDEN_NAME.at(node, name=name)
            case ast.ClassDef(bases=bases, keywords=keywords):
                yield from _check_class(source, bases, keywords)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _OWN_COSTS:
                yield rules.OWN_COSTS.at(node, name=name)
            case ast.Call(func=called) if source.names.origins(called) & _METACLASSES:
                yield rules.DYNAMIC_CLASS.at(node, name=f"{min(source.names.origins(called))}()")
            case _:
                pass


def _check_builtin(source: StrategySource, node: ast.Name, name: str) -> Iterator[Finding]:
    around = source.parent(node)
    call = around if isinstance(around, ast.Call) and around.func is node else None
    if name in _FORBIDDEN:
        yield rules.FORBIDDEN_CALL.at(node, name=f"{name}()" if call else name)
    elif name in _DYNAMIC:
        attribute = call.args[1] if call and len(call.args) > 1 else None
        if attribute is None or not is_literal(attribute):
            yield rules.DYNAMIC_ATTRIBUTE.at(node, name=f"{name}()" if call else name)
        elif call and name != "getattr" and _is_shared(source, call.args[0]):
            yield rules.GLOBAL_STATE.at(node, name=fold_text(attribute))
    elif name == "type" and not _is_plain_type(node, around, call):
        yield rules.DYNAMIC_CLASS.at(node, name="type()" if call else "type")


def _is_shared(source: StrategySource, owner: ast.expr) -> bool:
    # A module, a class of one, or the class of an object.
    if isinstance(owner, ast.Call):
        return "builtins.type" in source.names.origins(owner.func)
    return any(allowed_module(origin) for origin in source.names.origins(owner))


def _is_plain_type(node: ast.Name, around: ast.AST | None, call: ast.Call | None) -> bool:
    if call is not None:
        return (
            len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred)
        )
    match around:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, second]):
            return second is node
        case ast.arg() | ast.Compare():
            return True
        case ast.AnnAssign(annotation=annotation) | ast.FunctionDef(returns=annotation):
            return annotation is node
        case ast.Subscript(value=of):
            return of is node  # type[Strategy], in an annotation
        case _:
            return False


def _check_class(
    source: StrategySource, bases: list[ast.expr], keywords: list[ast.keyword]
) -> Iterator[Finding]:
    for keyword in keywords:
        origins = source.names.origins(keyword.value)
        if keyword.arg == "metaclass" and not origins & _METACLASSES:
            yield rules.DYNAMIC_CLASS.at(keyword.value, name="a metaclass")
    for base in bases:
        if (
            isinstance(base, ast.Call)
            and isinstance(base.func, ast.Name)
            and base.func.id == "type"
        ):
            yield rules.DYNAMIC_CLASS.at(base, name="a computed base")
