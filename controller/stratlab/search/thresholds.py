"""Mutations of thresholds: a condition demands more than before, or less.

A comparison of rules has a higher side and a lower one; it is tightened by raising the lower side
or lowering the higher one, and loosened by the opposite. A crossing is treated as the comparison
that holds after it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract import nodes
from stratlab.contract.language import format_rule, parse_rule
from stratlab.contract.model import OptParam
from stratlab.contract.space import Axis
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import STAGES

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

_LONGEST_STEP = 3
_LITERAL_SHARES = (0.05, 0.1, 0.2)
_MARGIN_WIDTH, _MARGIN_STEP = 0.1, 0.005
_FIRST_MARGIN = 0.01
_NEVER_NEGATIVE = frozenset({"sma", "ema", "wma", "rma", "rsi", "atr", "stdev", "stoch", "adx"})

# Functions that rise with their arguments -> the first argument with which they do not.
_MONOTONIC = {"min": None, "max": None, "highest": 1, "lowest": 1}

_Change = Callable[[Draft], None]


def tighten_threshold(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Make one condition of a rule harder to meet."""
    return _move(contract, random, harder=True)


def loosen_threshold(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Make one condition of a rule easier to meet."""
    return _move(contract, random, harder=False)


def _move(
    contract: "StrategyContract", random: Random, *, harder: bool
) -> "StrategyContract | None":
    changes = [
        change
        for path in STAGES
        for place in range(len(getattr(contract, path)))
        for site in _sites(contract, path, place)
        for change in _changes(contract, site, random, harder=harder != site.is_negated)
    ]
    random.shuffle(changes)
    for change in changes:
        draft = Draft(contract)
        change(draft)
        child = draft.finish()
        if child is not None:
            return child
    return None


@final
@dataclass(frozen=True, slots=True)
class _Site:
    # One comparison or crossing inside a rule; under `not` its parts are reversed.
    path: str
    place: int
    tree: nodes.Expression
    node: nodes.Comparison | nodes.Call
    is_negated: bool

    @property
    def sides(self) -> tuple[nodes.Expression, nodes.Expression]:
        # The higher one first.
        left, right = nodes.children(self.node)
        return (left, right) if self._is_upward else (right, left)

    def with_part(self, old: nodes.Expression, new: nodes.Expression) -> str:
        # The rule with another part in this place.
        return format_rule(_replaced(self.tree, old, new))

    @property
    def _is_upward(self) -> bool:
        if isinstance(self.node, nodes.Comparison):
            return self.node.operator.startswith(">")
        return self.node.function == "crosses_above"


def _sites(contract: "StrategyContract", path: str, place: int) -> Iterator[_Site]:
    tree = parse_rule(getattr(contract, path)[place].when)
    pending = [(tree, False)]
    while pending:
        node, is_negated = pending.pop()
        match node:
            case nodes.Not(operand=operand):
                pending.append((operand, not is_negated))
            case nodes.Junction(operands=operands):
                pending.extend((operand, is_negated) for operand in operands)
            case nodes.Comparison():
                yield _Site(path, place, tree, node, is_negated)
            case nodes.Call(function=function) if function in nodes.CROSSES:
                yield _Site(path, place, tree, node, is_negated)


def _changes(
    contract: "StrategyContract", site: _Site, random: Random, *, harder: bool
) -> Iterator[_Change]:
    higher, lower = site.sides
    parts = (*nodes.walk(higher), *nodes.walk(lower))
    numbers = [part for part in parts if isinstance(part, nodes.Number | nodes.Parameter)]
    yield from _parameter_moves(contract, site, numbers, random, harder=harder)
    yield from _literal_moves(contract, site, numbers, random, harder=harder)
    is_bare = not numbers and not isinstance(lower, nodes.Negative)
    if is_bare and _is_positive(higher, contract) and _is_positive(lower, contract):
        yield _margin(site, lower, harder=harder)


def _parameter_moves(
    contract: "StrategyContract",
    site: _Site,
    numbers: Sequence[nodes.Expression],
    random: Random,
    *,
    harder: bool,
) -> Iterator[_Change]:
    for name in sorted({part.name for part in numbers if isinstance(part, nodes.Parameter)}):
        slope = _slope_between(site, nodes.Parameter(name), contract)
        if not slope:
            continue
        axis, space = Axis(contract.optimization_space[name]), contract.optimization_space[name]
        direction = -slope if harder else slope
        here = axis.nearest(space.value)
        values = [
            axis.value(here + direction * step)
            for step in range(_LONGEST_STEP + 1)
            if 0 <= here + direction * step < axis.count
        ]
        further = [value for value in values if (value - space.value) * direction > 0]
        if further:
            yield _set_value(name, random.choice(further))


def _set_value(name: str, value: float) -> _Change:
    def change(draft: Draft) -> None:
        draft.fields["optimization_space"][name]["value"] = value

    return change


def _literal_moves(
    contract: "StrategyContract",
    site: _Site,
    numbers: Sequence[nodes.Expression],
    random: Random,
    *,
    harder: bool,
) -> Iterator[_Change]:
    for number in numbers:
        if not isinstance(number, nodes.Number) or not number.value:
            continue
        slope = _slope_between(site, number, contract)
        if slope:
            share = random.choice(_LITERAL_SHARES) * (-slope if harder else slope)
            moved = nodes.Number(float(f"{number.value * (1 + share):.6g}"))
            yield _rewrite(site, site.with_part(number, moved))


def _margin(site: _Site, lower: nodes.Expression, *, harder: bool) -> _Change:
    # Two series without a number between them: a factor comes in, just off 1.
    value = 1 + _FIRST_MARGIN if harder else 1 - _FIRST_MARGIN
    space = OptParam(
        min=1 - _MARGIN_WIDTH, max=1 + _MARGIN_WIDTH, step=_MARGIN_STEP, value=value, kind="float"
    )

    def change(draft: Draft) -> None:
        name = nodes.Parameter(draft.add_parameter("margin", space)[1:])
        product = nodes.Arithmetic("*", name, lower)
        draft.fields[site.path][site.place]["when"] = site.with_part(lower, product)

    return change


def _rewrite(site: _Site, text: str) -> _Change:
    def change(draft: Draft) -> None:
        draft.fields[site.path][site.place]["when"] = text

    return change


def _replaced(
    tree: nodes.Expression, old: nodes.Expression, new: nodes.Expression
) -> nodes.Expression:
    if tree is old:
        return new
    parts = tuple(_replaced(part, old, new) for part in nodes.children(tree))
    return nodes.with_children(tree, parts)


def _slope_between(
    site: _Site, target: nodes.Expression, contract: "StrategyContract"
) -> int | None:
    # Of what the condition has to spare: positive when it gets easier to meet.
    higher, lower = site.sides
    falling = _slope(lower, target, contract)
    return _sum(_slope(higher, target, contract), _opposite(falling))


def _slope(  # noqa: PLR0911 - one case per node
    node: nodes.Expression, target: nodes.Expression, contract: "StrategyContract"
) -> int | None:
    # Whether an expression rises (1) or falls (-1) with a number in it, or ignores it (0);
    # None when that cannot be told. A literal is meant where it stands, a parameter everywhere.
    match node:
        case nodes.Parameter():
            return int(node == target)
        case nodes.Number():
            return int(node is target)
        case nodes.Negative(operand=operand):
            return _opposite(_slope(operand, target, contract))
        case nodes.Arithmetic(operator=operator, left=left, right=right):
            slopes = _slope(left, target, contract), _slope(right, target, contract)
            if operator in "*/":
                return _product_slope(node, slopes, contract)
            return _sum(slopes[0], slopes[1] if operator == "+" else _opposite(slopes[1]))
        case nodes.Call(function=function, arguments=arguments):
            slopes_of = [_slope(argument, target, contract) for argument in arguments]
            is_monotonic = function in _MONOTONIC and not any(
                slopes_of[_MONOTONIC[function] or len(slopes_of) :]
            )
            total: int | None = 0
            for slope in slopes_of:
                total = _sum(total, slope)
            return total if is_monotonic or total == 0 else None
        case _:
            return 0


def _product_slope(
    node: nodes.Arithmetic, slopes: tuple[int | None, int | None], contract: "StrategyContract"
) -> int | None:
    left, right = slopes
    if left == 0 == right:
        return 0
    if left == 0:
        sign = 1 if _is_positive(node.left, contract) else _literal_sign(node.left)
        if node.operator == "*":
            return right * sign if right is not None and sign else None
        is_known = right is not None and sign and _is_positive(node.right, contract)
        return -right * sign if is_known and right is not None else None
    if right == 0:
        sign = 1 if _is_positive(node.right, contract) else _literal_sign(node.right)
        return left * sign if left is not None and sign else None
    both = _is_positive(node.left, contract) and _is_positive(node.right, contract)
    return _sum(left, right if node.operator == "*" else _opposite(right)) if both else None


def _literal_sign(node: nodes.Expression) -> int:
    match node:
        case nodes.Number(value=value) if value:
            return int(math.copysign(1, value))
        case nodes.Negative(operand=operand):
            return -_literal_sign(operand)
    return 0


def _is_positive(node: nodes.Expression, contract: "StrategyContract") -> bool:  # noqa: PLR0911 - one case per node
    match node:
        case nodes.Number(value=value):
            return value > 0
        case nodes.Parameter(name=name):
            return contract.optimization_space[name].min > 0
        case nodes.Reference(name=name):
            if name in nodes.PRICES or name == "entry_price":
                return True
            kinds = {item.id: item.name for item in contract.indicators}
            return kinds.get(name, "") in _NEVER_NEGATIVE | {"bbands", "donchian"}
        case nodes.Arithmetic(operator="+" | "*" | "/", left=left, right=right):
            return _is_positive(left, contract) and _is_positive(right, contract)
        case nodes.Call(function="min" | "max", arguments=arguments):
            return all(_is_positive(argument, contract) for argument in arguments)
        case nodes.Call(function="highest" | "lowest", arguments=(series, _)):
            return _is_positive(series, contract)
        case nodes.Call(function="abs"):
            return True
    return False


def _sum(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return None
    if not first or not second:
        return first + second
    return first if first == second else None


def _opposite(slope: int | None) -> int | None:
    return None if slope is None else -slope
