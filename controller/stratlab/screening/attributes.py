"""Layer 2, security: attribute names that may not be used on any object, however they are named."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold, fold_text, is_literal
from stratlab.screening.members import (
    ATTRIBUTES,
    CONTEXT_INTERNALS,
    METHODS,
    TEXT_METHODS,
)
from stratlab.screening.names import is_dunder, is_function
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource
from stratlab.screening.templates import check_template, parts_of
from stratlab_runner.reading import allowed_module

_SPECIAL_METHODS: Final = frozenset(
    {f"__{name}__" for name in ("init", "post_init", "new", "repr", "str", "format", "bool")}
    | {f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge", "hash", "len", "iter")}
    | {f"__{name}__" for name in ("next", "reversed", "contains", "getitem", "setitem", "delitem")}
    | {f"__{name}__" for name in ("missing", "call", "enter", "exit", "index", "int", "float")}
    | {f"__{name}__" for name in ("complex", "round", "floor", "ceil", "trunc", "abs", "neg")}
    | {f"__{name}__" for name in ("pos", "invert", "bytes", "length_hint", "divmod", "pow")}
    | {
        f"__{side}{name}__"
        for side in ("", "r", "i")
        for name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "and", "or")
    }
    | {f"__{side}{name}__" for side in ("", "r", "i") for name in ("xor", "lshift", "rshift")}
)
_DUNDER: Final = re.compile(r"__[A-Za-z]\w*?__")
_GETTERS: Final = frozenset({"operator.attrgetter", "operator.methodcaller"})
_ACCESSORS: Final = frozenset({"builtins.delattr", "builtins.getattr", "builtins.setattr"})
_BY_TEXT: Final = frozenset({"agg", "aggregate", "apply", "map", "pipe", "transform"})


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about attributes, and about texts that name attributes."""
    # Names of functions, and of attributes that the source itself sets.
    defined = {node.name for node in source.nodes if is_function(node)} | {
        node.attr for node in source.all(ast.Attribute) if isinstance(node.ctx, ast.Store)
    }
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            yield from _check_attribute(source, node, defined)
        elif isinstance(node, ast.Call):
            yield from _check_named(source, node, defined)
        else:
            yield from _check_other(node)
        yield from _check_text(source, node)


def _check_other(node: ast.AST) -> Iterator[Finding]:
    match node:
        case ast.MatchClass(kwd_attrs=names):
            yield from (found for name in names for found in _check_name(node, name))
        case ast.Name(id=name) if is_dunder(name):
            yield rules.DUNDER_ACCESS.at(node, name=name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            if is_dunder(name) and name not in _SPECIAL_METHODS:
                yield rules.DUNDER_METHOD.at(node, name=name)
        case ast.alias(name=name) if is_dunder(name):
            yield rules.DUNDER_ACCESS.at(node, name=name)
        case ast.Global(names=names):
            yield from (
                rules.DUNDER_ACCESS.at(node, name=each) for each in names if is_dunder(each)
            )
        case _:
            return


def _check_attribute(
    source: StrategySource, node: ast.Attribute, defined: set[str]
) -> Iterator[Finding]:
    around, name = source.parent(node), node.attr
    if name == "__class__" and isinstance(around, ast.Attribute) and around.attr == "__name__":
        return  # what type(x).__name__ is, too
    owner = next(iter(source.names.origins(node.value)), "")
    if allowed_module(owner) and not is_dunder(name) and name not in {"mro", "ctypes"}:
        return  # the surface of the allowed modules knows better
    yield from _check_name(node, name)
    if isinstance(node.ctx, ast.Load):
        yield from _check_read(source, node, around, defined)
    else:
        yield from _check_changed(source, node)


def _check_read(
    source: StrategySource, node: ast.Attribute, around: ast.AST | None, defined: set[str]
) -> Iterator[Finding]:
    name, owner = node.attr, node.value.id if isinstance(node.value, ast.Name) else ""
    called = isinstance(around, ast.Call) and around.func is node
    if owner in {"context", "data"} and (
        name in CONTEXT_INTERNALS or (name.startswith("_") and name not in defined)
    ):
        yield rules.FORBIDDEN_NAME.at(node, name=f"{owner}.{name}")
    if name in METHODS and called and not (owner == "self" and name in defined):
        yield METHODS[name].at(node, name=f".{name}()")
    elif name in TEXT_METHODS - defined and not (called and _returns_text(around)):
        yield rules.FILE_ACCESS.at(node, name=f".{name}")
    elif name in {"format", "format_map"}:
        yield from check_template(source, node, around)


def _check_changed(source: StrategySource, node: ast.Attribute) -> Iterator[Finding]:
    match node.value:
        case ast.Attribute(attr="account" | "portfolio" as owner):
            yield rules.FORBIDDEN_NAME.at(node, name=f"assigning to {owner}.{node.attr}")
        case ast.Call(func=called) if "builtins.type" in source.names.origins(called):
            yield rules.GLOBAL_STATE.at(node, name=f"type(...).{node.attr}")
        case _:
            return


def _returns_text(call: ast.AST | None) -> bool:
    assert isinstance(call, ast.Call)
    targets = {"buf", "excel_writer", "path_or_buf", "path_or_buffer"}
    if any(keyword.arg is None or keyword.arg in targets for keyword in call.keywords):
        return all(
            isinstance(keyword.value, ast.Constant) and keyword.value.value is None
            for keyword in call.keywords
            if keyword.arg is None or keyword.arg in targets
        )
    return not call.args or fold(call.args[0]) is None


def _check_name(node: ast.AST, name: str) -> Iterator[Finding]:
    if is_dunder(name):
        yield rules.DUNDER_ACCESS.at(node, name=name)
    elif (rule := ATTRIBUTES.get(name)) is not None:
        yield rule.at(node, name=f".{name}", module=name)


def _check_named(source: StrategySource, call: ast.Call, defined: set[str]) -> Iterator[Finding]:
    # Attributes that a text names: getattr(x, "name"), methodcaller("name"), df.agg("name").
    origins = source.names.origins(call.func)
    options = {keyword.arg for keyword in call.keywords}
    if "logging.basicConfig" in origins and options & {None, "filename"}:
        yield rules.FILE_ACCESS.at(call, name="logging.basicConfig(filename=...)")
    texts = _naming(call, origins)
    if origins & _GETTERS and not all(map(is_literal, texts)):
        yield rules.DYNAMIC_ATTRIBUTE.at(call, name=min(origins))
    for text in texts:
        for name in (fold_text(text) or "").split("."):
            yield from _check_name(call, name)
            if name in METHODS and name not in defined:
                yield METHODS[name].at(call, name=f".{name}()")
            elif name in TEXT_METHODS:
                yield rules.FILE_ACCESS.at(call, name=f".{name}")


def _naming(call: ast.Call, origins: frozenset[str]) -> list[ast.expr]:
    if "operator.attrgetter" in origins:
        return call.args
    if "operator.methodcaller" in origins:
        return call.args[:1]
    if origins & _ACCESSORS:
        return call.args[1:2]
    if isinstance(call.func, ast.Attribute) and call.func.attr in _BY_TEXT:
        named = [keyword.value for keyword in call.keywords if keyword.arg == "func"]
        return [part for argument in (*call.args[:1], *named) for part in parts_of(argument)]
    return []


def _check_text(source: StrategySource, node: ast.AST) -> Iterator[Finding]:
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, str | bytes):
            return
        around = source.parent(node)
        if isinstance(around, ast.Expr):
            return  # a docstring, or nothing
        text = fold_text(node)
    elif isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call | ast.Subscript):
        text = fold_text(node)
    else:
        return
    for name in _DUNDER.findall(text or ""):
        if is_dunder(name):
            yield rules.DUNDER_ACCESS.at(node, name=f"{name} in a text")
            return
