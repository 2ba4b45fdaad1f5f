"""Layer 1, static: can this text be a strategy at all?"""

import ast
from collections.abc import Iterator

from stratlab.domain.strategy import Finding
from stratlab.screening.rules import static as rules
from stratlab.screening.source import StrategySource, methods
from stratlab_runner import contract
from stratlab_runner.class_style import CLASS_METHODS, CLASS_SUFFIX
from stratlab_runner.reading import Reading, read_source

MAX_NESTING = 40

_CALLED_WITH = {
    "initialize": ("context",),
    "handle_data": ("context", "data"),
    "before_trading_start": ("context", "data"),
    "should_trade": ("context", "data"),
    "execute": ("context", "data"),
}


def read_text(text: str) -> Reading | Finding:
    """Return the parsed source, or why there is nothing to look at."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > contract.MAX_SOURCE_BYTES:
        return rules.SOURCE_TOO_LARGE.at(size=size, limit=contract.MAX_SOURCE_BYTES)
    if "\0" in text:
        return rules.NUL_BYTE.at_place(text[: text.index("\0")].count("\n") + 1)
    try:
        reading = read_source(text)
        # What the parser takes and the compiler does not: return outside of a function ...
        compile(reading.tree, contract.STRATEGY_FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return rules.SYNTAX.at_place(error.lineno or 0, error.offset or 0, error=error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return rules.UNPARSABLE.at(error=f"{type(error).__name__} {error}".strip())
    depth = _nesting(reading.tree)
    if depth > MAX_NESTING:
        return rules.NESTING.at(depth=depth, limit=MAX_NESTING)
    return reading


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about left-out imports and entry points."""
    for line, name in source.reading.left_out:
        yield rules.IMPORT_LEFT_OUT.at_place(line, name=name)
    functions = source.functions()
    if all(name in functions for name in contract.REQUIRED_FUNCTIONS):
        for name in (*contract.REQUIRED_FUNCTIONS, *contract.OPTIONAL_FUNCTIONS):
            if name in functions:
                yield from _check_signature(functions[name], _CALLED_WITH[name])
        return
    written = source.strategy_class()
    if written is None:
        yield rules.ENTRY_POINT.at(reason=_what_is_missing(source.tree))
        return
    found = methods(written)
    missing = [name for name in CLASS_METHODS if name not in found]
    if missing:
        reason = f"class {written.name} has no method {' and '.join(missing)}"
        yield rules.ENTRY_POINT.at(written, reason=reason)
    for name in ("__init__", "initialize", *CLASS_METHODS):
        if name in found:
            wanted = () if name == "__init__" else _CALLED_WITH[name]
            yield from _check_signature(found[name], wanted, is_method=True)


def _what_is_missing(tree: ast.Module) -> str:
    classes = sum(
        isinstance(node, ast.ClassDef) and node.name.endswith(CLASS_SUFFIX) for node in tree.body
    )
    if any(isinstance(node, ast.AsyncFunctionDef) for node in tree.body):
        return "there is no function initialize that is not async"
    if classes:
        return f"{classes} classes are called ...{CLASS_SUFFIX}, and there is no initialize"
    return "there is no function initialize"


def _check_signature(
    function: ast.FunctionDef, wanted: tuple[str, ...], *, is_method: bool = False
) -> Iterator[Finding]:
    marks = [mark.id if isinstance(mark, ast.Name) else "" for mark in function.decorator_list]
    if not set(marks) <= {"classmethod", "staticmethod"}:
        return  # what the decorator makes of it is not known
    is_method = is_method and "staticmethod" not in marks
    given = function.args
    least = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    most = len(given.posonlyargs) + len(given.args)
    count = len(wanted) + is_method
    named = any(default is None for default in given.kw_defaults)
    if count < least or (count > most and given.vararg is None) or named:
        yield rules.ENTRY_SIGNATURE.at(
            function,
            function=function.name,
            wanted=f"({', '.join(('self', *wanted) if is_method else wanted)})",
        )


def _nesting(tree: ast.AST) -> int:
    # Level by level: the tree of a hostile source may be deeper than Python's stack.
    depth, level = -1, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
