"""Layer 1, static: loops that cannot end."""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeGuard

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold
from stratlab.screening.loops import can_leave, is_forever, yields
from stratlab.screening.names import Function
from stratlab.screening.rules import static as rules
from stratlab.screening.source import StrategySource

MAX_TURNS: Final = 10**9
"""Of a loop over a range: more take longer than any trial."""

_BITS: Final = 62

_GROWING: Final = frozenset({"append", "extend", "insert"})
_PLAIN: Final = (ast.BinOp | ast.BoolOp | ast.Compare | ast.Constant | ast.Name | ast.UnaryOp) | (
    ast.boolop | ast.cmpop | ast.expr_context | ast.operator | ast.unaryop
)


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about loops without an end."""
    for node in source.nodes:
        if isinstance(node, ast.While):
            yield from _check_while(source, node)
        elif isinstance(node, ast.For | ast.AsyncFor) and not can_leave(node):
            yield from _check_for(source, node)


def _check_while(source: StrategySource, loop: ast.While) -> Iterator[Finding]:
    if can_leave(loop):
        return
    if is_forever(loop):
        # A generator is ended by whoever stops asking.
        if not yields(loop):
            yield rules.ENDLESS_LOOP.at(loop, reason="its condition is always true")
    elif _cannot_change(source, loop):
        yield rules.ENDLESS_LOOP.at(loop, reason="nothing in it changes its condition")


def _cannot_change(source: StrategySource, loop: ast.While) -> bool:
    # Only numbers and texts under local names: everything else may change out of sight.
    function = source.function_of(loop)
    if function is None:
        return False
    parts = list(ast.walk(loop.test))
    if not all(isinstance(part, _PLAIN) for part in parts):
        return False
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    kept = _bound_to_constants(function)
    return bool(names) and names <= kept and not names & _stored(loop)


def _bound_to_constants(function: Function) -> set[str]:
    # Names that hold a number or a text wherever the function binds them, and only there.
    constants: Counter[str] = Counter()
    stores: Counter[str] = Counter()
    given = {part.arg for part in ast.walk(function.args) if isinstance(part, ast.arg)}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=False)
                constants.update(t.id for t, value in pairs if _is_constant(t, value))
            case ast.Assign(targets=targets, value=value):
                constants.update(each.id for each in targets if _is_constant(each, value))
            case ast.AugAssign(target=ast.Name(id=name)):
                constants[name] += 1
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                stores[name] += 1
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                given |= set(names)
            case _:
                pass
    # An augmented target is a store, too.
    return {name for name, count in stores.items() if constants[name] == count} - given


def _is_constant(target: ast.expr, value: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(target, ast.Name) and isinstance(fold(value), int | float | str)


def _stored(loop: ast.AST) -> set[str]:
    return {
        node.id
        for node in ast.walk(loop)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


def _check_for(source: StrategySource, loop: ast.For | ast.AsyncFor) -> Iterator[Finding]:
    if isinstance(loop.iter, ast.Name) and _always_grows(loop, loop.iter.id):
        yield rules.ENDLESS_LOOP.at(loop, reason=f"it makes {loop.iter.id} longer at every turn")
    turns = _turns(source, loop.iter)
    if turns > MAX_TURNS:
        yield rules.ENDLESS_LOOP.at(loop, reason=f"it has {turns} turns")


def _turns(source: StrategySource, iterator: ast.expr) -> int:
    if not (
        isinstance(iterator, ast.Call)
        and "builtins.range" in source.names.origins(iterator.func)
        and not iterator.keywords
    ):
        return 0
    bounds = [_whole(argument) for argument in iterator.args]
    if None in bounds or not 1 <= len(bounds) <= 3 or bounds[2:] == [0]:  # noqa: PLR2004 - of range
        return 0
    turns = range(*(bound for bound in bounds if bound is not None))
    return max((turns.stop - turns.start) // turns.step, 0)


def _whole(node: ast.expr) -> int | None:
    value = fold(node)
    if isinstance(value, int):
        return value
    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = fold(left), fold(right)
        case _:
            return None
    if not (isinstance(base, int) and isinstance(exponent, int) and base > 1 and exponent > 0):
        return None
    if exponent * base.bit_length() > _BITS:
        return 1 << _BITS
    power: int = base**exponent
    return power


def _always_grows(loop: ast.For | ast.AsyncFor, name: str) -> bool:
    return any(
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr in _GROWING
        and isinstance(statement.value.func.value, ast.Name)
        and statement.value.func.value.id == name
        for statement in loop.body
    )
