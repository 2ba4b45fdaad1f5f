"""Prepares a contract's rules for back-ends: windows over series only, and how far each looks back.

Every target but Python itself needs the argument of a window function to be a named series, so
``highest(close - open, 5)`` becomes ``highest(hoisted, 5)`` with the series ``hoisted`` computed
at every bar. All back-ends start from this form.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.contract import nodes
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.language import format_rule, parse_rule
from stratlab.contract.timeframes import parse_timeframe

if TYPE_CHECKING:
    from stratlab.contract.model import Indicator, Rule, StrategyContract
    from stratlab.domain.trial import Parameters

SETTLING = 250
"""Bars before the warm-up in which recursive indicators settle, where they exist."""

_LOOKS_BACK = (*nodes.CROSSES, *nodes.TRENDS, *nodes.WINDOWS)
# At most, of daily bars; those of a timeframe inside a session are not daily.
_SESSIONS = {"d": 1, "w": 7, "M": 31}


@final
@dataclass(frozen=True, slots=True, order=True)
class Lookback:
    """A number of bars: a constant plus parameters by name (one may appear twice)."""

    bars: int = 0
    parameters: tuple[str, ...] = ()

    def plus(self, other: "Lookback") -> "Lookback":
        """Return the sum."""
        return Lookback(
            self.bars + other.bars, tuple(sorted((*self.parameters, *other.parameters)))
        )

    def at(self, parameters: "Parameters") -> int:
        """Return the number of bars for given parameter values."""
        return self.bars + sum(int(parameters[name]) for name in self.parameters)


@final
@dataclass(frozen=True, slots=True)
class LoweredRule:
    """A rule ready for a back-end; ``text`` is the canonical rule before lowering."""

    id: str
    side: str
    text: str
    expression: nodes.Expression


@final
@dataclass(frozen=True, slots=True)
class Stream:
    """An indicator on bars of one timeframe; ``x`` and ``x@1w`` are two of them.

    Attributes:
        indicator: What is computed.
        timeframe: Of longer bars, "" for the strategy's own.
    """

    indicator: "Indicator"
    timeframe: str

    @property
    def name(self) -> str:
        """The name of the stream itself, as an identifier."""
        return self.series("")

    def series(self, output: str) -> str:
        """Return the name of the series of an output, "" for the only one."""
        placed = self.timeframe if self.timeframe != self.indicator.timeframe else ""
        return _flat(self.indicator.id, output, placed)


@final
@dataclass(frozen=True, slots=True)
class LoweredContract:
    """Rules of a contract over named series, all of which have a value at each own bar.

    Attributes:
        hoisted: Name -> expression of each computed series; later ones may use earlier ones.
        entries, exits: The rules.
        depths: Series name -> how far back it is read; names are flat (``macd_line__1w``).
        streams: Indicators that are read, by id and timeframe.
        warm_up: Name of a stream on own bars (None: any other series) -> how far back it is
            read, directly or through other series; nothing is evaluated before the largest sum
            with its own warm-up.
        longer: Longer timeframe -> the streams on its bars, maybe none where only prices are
            read; nothing is evaluated before so many of its bars have ended as they need.
    """

    hoisted: Mapping[str, nodes.Expression]
    entries: tuple[LoweredRule, ...]
    exits: tuple[LoweredRule, ...]
    depths: Mapping[str, tuple[Lookback, ...]]
    streams: tuple[Stream, ...]
    warm_up: Mapping[str | None, tuple[Lookback, ...]]
    longer: Mapping[str, tuple[Stream, ...]]


def lower(contract: "StrategyContract") -> LoweredContract:
    """Return the lowered form of a valid contract."""
    lowering = _Lowering(contract)
    entries = tuple(lowering.rule(rule) for rule in contract.entry_rules)
    exits = tuple(lowering.rule(rule) for rule in contract.exit_rules)
    expressions = [rule.expression for rule in (*entries, *exits)]
    depths: dict[str, set[Lookback]] = {"close": {Lookback()}}
    for distance in contract.risk_model.distances.values():
        if distance.kind == "atr":
            depths.setdefault(distance.indicator, set()).add(Lookback())
    for expression in (*lowering.hoisted.values(), *expressions):
        for name, lookback in _reads(expression):
            depths.setdefault(name, set()).add(lookback)
    reaches: dict[str | None, set[Lookback]] = {}
    for name, lookbacks in depths.items():
        for lookback in lookbacks:
            for origin, bars in lowering.reach(name, lookback):
                reaches.setdefault(origin, set()).add(bars)
    found = {stream.name: stream for name in depths if (stream := lowering.stream(name))}
    streams = tuple(found[name] for name in sorted(found))
    timeframes = {name.partition("__")[2] for name in depths} | {each.timeframe for each in streams}
    return LoweredContract(
        hoisted=lowering.hoisted,
        entries=entries,
        exits=exits,
        depths={name: _farthest(depths[name]) for name in sorted(depths)},
        streams=streams,
        warm_up={name: _farthest(reaches[name]) for name in sorted(reaches, key=str)},
        longer={
            timeframe: tuple(each for each in streams if each.timeframe == timeframe)
            for timeframe in sorted(timeframes - {""})
        },
    )


def warm_up_bars(contract: "StrategyContract", parameters: "Parameters") -> int:
    """Return W: the number of own bars before the first one at which rules are evaluated.

    Longer timeframes have a warm-up of their own, see :func:`longer_warm_up`.
    """
    lowered = lower(contract)
    first = {stream.name: _first(stream, parameters) for stream in lowered.streams}
    return max(
        (first[name] if name else 0) + lookback.at(parameters)
        for name, lookbacks in lowered.warm_up.items()
        for lookback in lookbacks
    )


def longer_warm_up(contract: "StrategyContract", parameters: "Parameters") -> dict[str, int]:
    """Return by longer timeframe how many of its bars end before rules are evaluated.

    The bar of the first period is none of them: it may be a part.
    """
    return {
        timeframe: 1 + max((_first(stream, parameters) for stream in streams), default=0)
        for timeframe, streams in lower(contract).longer.items()
    }


def history_sessions(contract: "StrategyContract", parameters: "Parameters") -> int:
    """Return how many daily bars, the first traded one included, indicators start before it.

    Fewer where a symbol has not that many. Compiled strategies read as far back.
    """
    spans = {"": 3 * warm_up_bars(contract, parameters) + SETTLING}
    for timeframe, bars in longer_warm_up(contract, parameters).items():
        spans[timeframe] = sessions_of(timeframe) * (3 * bars + SETTLING)
    return max(spans.values())


def sessions_of(timeframe: str) -> int:
    """Return how many sessions a bar of a longer timeframe has at most, at least one."""
    longer = parse_timeframe(timeframe)
    return longer.count * _SESSIONS[longer.unit] if longer.unit in _SESSIONS else 1


def resolved(indicator: "Indicator", parameters: "Parameters") -> dict[str, int | float]:
    """Return an indicator's parameters with the values of ``$name`` put in."""
    return {
        name: parameters[value[1:]] if isinstance(value, str) else value
        for name, value in indicator.params.items()
    }


def flat_name(reference: nodes.Reference) -> str:
    """Return the name of a reference's series as one identifier."""
    return _flat(reference.name, reference.output, reference.timeframe)


def window(call: nodes.Call) -> Lookback:
    """Return the second argument of a function that takes a number of bars."""
    match call.arguments[1]:
        case nodes.Number(value=value):
            return Lookback(int(value))
        case nodes.Parameter(name=name):
            return Lookback(0, (name,))
        case other:
            message = f"not a number of bars: {format_rule(other)}"
            raise ValueError(message)


class _Lowering:
    def __init__(self, contract: "StrategyContract") -> None:
        self.hoisted: dict[str, nodes.Expression] = {}
        self._names: dict[nodes.Expression, str] = {}
        self._indicators = {
            _flat(item.id, output): item
            for item in contract.indicators
            for output in REGISTRY[item.name].outputs or ("",)
        }

    def rule(self, rule: "Rule") -> LoweredRule:
        expression = parse_rule(rule.when)
        return LoweredRule(rule.id, rule.side, format_rule(expression), self._lower(expression))

    def stream(self, name: str) -> "Stream | None":
        # None for prices and for what is hoisted.
        series, _, timeframe = name.partition("__")
        indicator = self._indicators.get(series)
        return indicator and Stream(indicator, timeframe or indicator.timeframe or "")

    def reach(self, name: str, lookback: Lookback) -> Iterator[tuple[str | None, Lookback]]:
        if name not in self.hoisted:
            stream = self.stream(name)
            # What is read of longer bars stands at each own bar as prices do.
            yield stream.name if stream and not stream.timeframe else None, lookback
            return
        for inner, own in _reads(self.hoisted[name]):
            yield from self.reach(inner, own.plus(lookback))

    def _lower(self, node: nodes.Expression) -> nodes.Expression:
        parts = tuple(self._lower(part) for part in nodes.children(node))
        lowered = nodes.with_children(node, parts)
        if not isinstance(lowered, nodes.Call) or lowered.function not in _LOOKS_BACK:
            return lowered
        if lowered.function in nodes.CROSSES:
            named = tuple(
                part if isinstance(part, nodes.Reference) else self._named(part)
                for part in lowered.arguments
            )
        else:
            named = (self._named(lowered.arguments[0]), lowered.arguments[1])
        return nodes.Call(lowered.function, named, lowered.column)

    def _named(self, node: nodes.Expression) -> nodes.Expression:
        # A number is the same at every bar, a plain series has a name already.
        plain = isinstance(node, nodes.Reference) and not node.offset
        if plain or next(_reads(node), None) is None:
            return node
        if node not in self._names:
            self._names[node] = f"_x{len(self._names)}"
            self.hoisted[self._names[node]] = node
        return nodes.Reference(self._names[node], column=node.column)


def _flat(name: str, output: str = "", timeframe: str = "") -> str:
    # No identifier of a contract has two underscores in a row.
    series = f"{name}_{output}" if output else name
    return f"{series}__{timeframe}" if timeframe else series


def _first(stream: Stream, parameters: "Parameters") -> int:
    indicator = stream.indicator
    return REGISTRY[indicator.name].warm_up(resolved(indicator, parameters))


def _farthest(lookbacks: set[Lookback]) -> tuple[Lookback, ...]:
    # Of lookbacks by the same parameters only the one with the most bars matters.
    bars: dict[tuple[str, ...], int] = {}
    for lookback in lookbacks:
        bars[lookback.parameters] = max(lookback.bars, bars.get(lookback.parameters, lookback.bars))
    return tuple(Lookback(most, parameters) for parameters, most in sorted(bars.items()))


def _reads(node: nodes.Expression) -> Iterator[tuple[str, Lookback]]:
    # Series that an expression reads at one bar, with the distance of the oldest value.
    if isinstance(node, nodes.Reference):
        if node.name not in nodes.POSITION:
            yield flat_name(node), Lookback(node.offset)
    elif isinstance(node, nodes.Call) and node.function in (*nodes.TRENDS, *nodes.WINDOWS):
        own = window(node)
        oldest = own.plus(Lookback(-1)) if node.function in {"highest", "lowest"} else own
        yield from ((name, back.plus(oldest)) for name, back in _reads(node.arguments[0]))
    elif isinstance(node, nodes.Call) and node.function in nodes.CROSSES:
        for argument in node.arguments:
            yield from ((name, back.plus(Lookback(1))) for name, back in _reads(argument))
    else:
        for part in nodes.children(node):
            yield from _reads(part)
