"""The look-ahead lint: patterns that use what is not known yet. Feedback, never proof."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold
from stratlab.screening.rules import lookahead as rules
from stratlab.screening.source import StrategySource

_SHIFTS: Final = frozenset({"diff", "pct_change", "shift", "tshift"})
_WHOLE: Final = frozenset({"mean", "std", "min", "max", "median", "quantile", "var"})
_SCALERS: Final = frozenset(
    {"scipy.stats.zscore", "statsmodels.tools.tools.standardize", "pandas.qcut", "pandas.cut"}
)
_CLOCKS: Final = frozenset(
    {"datetime.date.today", "datetime.datetime.now", "datetime.datetime.today"}
    | {"datetime.datetime.utcnow", "pandas.Timestamp.now", "pandas.Timestamp.today"}
    | {"pandas.Timestamp.utcnow"}
)
_FORWARD: Final = ("forward", "nearest")
_BACKWARD: Final = ("backfill", "backward", "bfill", "both", "nearest")
_COUNTERS: Final = frozenset({"builtins.enumerate", "builtins.range"})
_ROLL: Final = "numpy.roll"


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about shifts, windows, fills, merges, places, scaling and clocks."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            yield from _check_call(source, node)
        elif isinstance(node, ast.Attribute) and source.names.origins(node) & _CLOCKS:
            yield rules.WALL_CLOCK.at(node, name=ast.unparse(node))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            yield from _check_place(source, node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from _check_scaling(node)


def _check_call(source: StrategySource, call: ast.Call) -> Iterator[Finding]:
    origins = source.names.origins(call.func)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _SHIFTS or _ROLL in origins:
        amount = _amount(call, given, 1 if _ROLL in origins else 0)
        if isinstance(amount, int | float) and amount < 0:
            yield rules.NEGATIVE_SHIFT.at(call, name=name or "roll", amount=amount)
    if "center" in given and fold(given["center"]) is True:
        yield rules.CENTRED_WINDOW.at(call)
    if name in {"bfill", "backfill"}:
        yield rules.BACKWARD_FILL.at(call, name=name)
    elif name in {"fillna", "interpolate", "reindex"}:
        yield from _check_fill(call, name, given)
    if "pandas.merge_asof" in origins and "direction" in given:
        direction = fold(given["direction"])
        if direction in _FORWARD:
            yield rules.FORWARD_MERGE.at(call, direction=direction)
    if origins & _SCALERS or name == "fit_transform":
        yield rules.FULL_SAMPLE.at(call, name=f"{name or min(origins)}()")


def _amount(call: ast.Call, given: Mapping[str | None, ast.expr], place: int) -> Any:  # noqa: ANN401 - a constant of the source
    found = [*call.args[place : place + 1], *(given[k] for k in ("periods", "shift") if k in given)]
    return fold(found[0]) if found else None


def _check_fill(
    call: ast.Call, name: str, given: Mapping[str | None, ast.expr]
) -> Iterator[Finding]:
    for key in ("method", "limit_direction"):
        if key in given and (way := fold(given[key])) in _BACKWARD:
            yield rules.BACKWARD_FILL.at(call, name=f"{name}({key}={way!r})")


def _check_place(source: StrategySource, node: ast.Subscript) -> Iterator[Finding]:
    # x[i + 1] and x[i + 1:] where i is the turn of a loop.
    index: ast.expr | None = node.slice
    if isinstance(index, ast.Slice):
        index = index.lower if index.upper is None else None
    match index:
        case ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=right):
            step = fold(right)
            if isinstance(step, int) and step > 0 and name in _turns(source, node):
                yield rules.FUTURE_INDEX.at(node, text=ast.unparse(node))
        case _:
            return


def _turns(source: StrategySource, node: ast.AST) -> set[str]:
    # Names that loops around a node count with.
    found: set[str] = set()
    around = source.parent(node)
    while around is not None:
        match around:
            case ast.For(
                target=ast.Name(id=name) | ast.Tuple(elts=[ast.Name(id=name), *_]),
                iter=ast.Call(func=called),
            ) if source.names.origins(called) & _COUNTERS:
                found.add(name)
            case _:
                pass
        around = source.parent(around)
    return found


def _check_scaling(node: ast.BinOp) -> Iterator[Finding]:
    # (x - x.mean()) / x.std() and (x - x.min()) / (x.max() - x.min()), of whole series x.
    match node.left:
        case ast.BinOp(
            left=series, op=ast.Sub(), right=ast.Call(func=ast.Attribute(value=of, attr=a))
        ):
            is_whole = a in _WHOLE and ast.dump(series) == ast.dump(of)
        case _:
            return
    divisor = node.right.left if isinstance(node.right, ast.BinOp) else node.right
    match divisor:
        case ast.Call(func=ast.Attribute(value=of, attr=b)) if b in _WHOLE:
            if is_whole and ast.dump(of) == ast.dump(series):
                yield rules.FULL_SAMPLE.at(node, name=ast.unparse(node))
        case _:
            return
