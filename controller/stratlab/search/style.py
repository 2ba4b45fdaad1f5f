"""Names a strategy's style from the signals that open its positions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, final

from stratlab.contract import nodes
from stratlab.contract.document import load_contract
from stratlab.domain.errors import InvalidContractError
from stratlab.search.factor_graph import NodeKind, factor_graph
from stratlab.search.memory import Memory

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.strategy import Candidate


@final
class Style(StrEnum):
    """What a strategy bets on."""

    TREND = "trend"
    MOMENTUM = "momentum"
    BREAKOUT = "breakout"
    REVERSION = "reversion"
    MIXED = "mixed"
    OTHER = "other"


# What holds on few days opens positions; a condition that holds for weeks only permits it.
_RARE, _LASTING = 2, 1
_RARE_BETS = frozenset({Style.BREAKOUT, Style.REVERSION})
_OUTPUTS = {
    ("bbands", "mid"): "average",
    ("bbands", "upper"): "ceiling",
    ("bbands", "lower"): "floor",
    ("donchian", "upper"): "ceiling",
    ("donchian", "lower"): "floor",
    ("adx", "plus"): "plus",
    ("adx", "minus"): "minus",
    ("adx", "adx"): "size",
    ("macd", "line"): "speed",
    ("macd", "signal"): "speed",
    ("macd", "hist"): "speed",
    ("stoch", "k"): "oscillator",
    ("stoch", "d"): "oscillator",
}
_SERIES = {
    **dict.fromkeys(("open", "high", "low", "close"), "price"),
    **dict.fromkeys(("sma", "ema", "wma", "rma"), "average"),
    **dict.fromkeys(("atr", "stdev", "volume"), "size"),
    "rsi": "oscillator",
}
# In the mirror of falling prices these are each other.
_MIRRORED = {"ceiling": "floor", "floor": "ceiling"}
_FUNCTIONS = {"highest": "ceiling", "lowest": "floor", "change": "speed"}
# (what is asked to be higher, what lower) -> what that bets on, for a long position.
_BETS = {
    ("price", "average"): Style.TREND,
    ("average", "average"): Style.TREND,
    ("plus", "minus"): Style.TREND,
    ("price", "ceiling"): Style.BREAKOUT,
    ("average", "ceiling"): Style.BREAKOUT,
    ("speed", ""): Style.MOMENTUM,
    ("speed", "speed"): Style.MOMENTUM,
    ("price", "price"): Style.MOMENTUM,
    ("oscillator", ""): Style.MOMENTUM,
    ("oscillator", "oscillator"): Style.MOMENTUM,
    ("average", "price"): Style.REVERSION,
    ("floor", "price"): Style.REVERSION,
    ("minus", "plus"): Style.REVERSION,
    ("", "oscillator"): Style.REVERSION,
    ("", "speed"): Style.REVERSION,
}


_STYLES: Memory[Style] = Memory()


def style_of(contract: "StrategyContract") -> Style:
    """Return the style that outweighs all others among the entry's signals, or ``mixed``.

    Signals that say nothing about direction (volatility, volume, strength of a trend) do not
    count; a strategy that has no other is ``other``.
    """
    kinds = {item.id: item.name for item in contract.indicators}
    votes: Counter[Style] = Counter()
    for _, node in factor_graph(contract).nodes(data=True):
        if node["kind"] is NodeKind.SIGNAL and node["stage"] == "entry":
            for bet, weight in _Reader(kinds, node["side"]).bets(node["expression"]):
                votes[bet] += weight
    if not votes:
        return Style.OTHER
    ((first, weight),) = votes.most_common(1)
    return first if 2 * weight > votes.total() else Style.MIXED


def style_of_candidate(candidate: "Candidate") -> Style:
    """Return the style of a candidate, ``other`` for free code; remembered."""
    if not candidate.contract:
        return Style.OTHER
    return _STYLES.get(candidate.hash, lambda: _style_of_text(candidate.contract))


def _style_of_text(contract: str) -> Style:
    try:
        return style_of(load_contract(contract))
    except InvalidContractError:
        # Of a release whose contracts are not read any more: it is still shown.
        return Style.OTHER


@final
@dataclass(frozen=True, slots=True)
class _Reader:
    # Reads the conditions of one side; those of short positions in the mirror.
    kinds: Mapping[str, str]
    side: str

    def bets(self, node: nodes.Expression, *, holds: bool = True) -> Iterator[tuple[Style, int]]:
        match node:
            case nodes.Not(operand=operand):
                yield from self.bets(operand, holds=not holds)
            case nodes.Junction(operands=operands):
                for operand in operands:
                    yield from self.bets(operand, holds=holds)
            case nodes.Comparison(operator=operator, left=left, right=right):
                yield from self._bet(left, right, _LASTING, is_up=holds == (operator[0] == ">"))
            case nodes.Call(function="crosses_above" | "crosses_below", arguments=(left, right)):
                is_up = holds == (node.function == "crosses_above")
                yield from self._bet(left, right, _RARE, is_up=is_up)
            case nodes.Call(function="rising" | "falling", arguments=(series, _)):
                is_up = (holds == (node.function == "rising")) == (self.side == "long")
                if self._role(series):
                    yield (Style.MOMENTUM if is_up else Style.REVERSION), _LASTING

    def _bet(
        self, left: nodes.Expression, right: nodes.Expression, weight: int, *, is_up: bool
    ) -> Iterator[tuple[Style, int]]:
        sides = (left, right) if is_up == (self.side == "long") else (right, left)
        bet = _BETS.get((self._role(sides[0]), self._role(sides[1])))
        if bet is not None:
            yield bet, _RARE if bet in _RARE_BETS else weight

    def _role(self, node: nodes.Expression) -> str:
        # The first part that says something about direction speaks for the whole expression.
        role = next(filter(None, map(self._role_of_part, nodes.walk(node))), "")
        return role if self.side == "long" else _MIRRORED.get(role, role)

    def _role_of_part(self, part: nodes.Expression) -> str:
        if isinstance(part, nodes.Call):
            return _FUNCTIONS.get(part.function, "")
        if not isinstance(part, nodes.Reference):
            return ""
        kind = self.kinds.get(part.name, part.name)
        return _SERIES.get(kind) or _OUTPUTS.get((kind, part.output), "")
