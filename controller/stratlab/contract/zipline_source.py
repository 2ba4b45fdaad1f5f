"""Compiles a contract to zipline source: readable, self-contained, the same bytes every time."""

from typing import TYPE_CHECKING

from stratlab.contract import nodes, periods, semantics, streaming
from stratlab.contract.document import contract_hash
from stratlab.contract.indicators import BAR, REGISTRY
from stratlab.contract.inlining import inline
from stratlab.contract.lowering import (
    SETTLING,
    Lookback,
    LoweredContract,
    Stream,
    flat_name,
    lower,
    sessions_of,
)
from stratlab.contract.python_rules import NumberWriter, lookback_text, rule_function
from stratlab.contract.python_text import call, statement
from stratlab.contract.timeframes import parse_timeframe, period_text
from stratlab.contract.zipline_trader import trader_source
from stratlab.domain.market import TIMEFRAMES

if TYPE_CHECKING:
    from stratlab.contract.model import Indicator, StrategyContract


def compile_to_zipline(contract: "StrategyContract") -> str:
    """Return the source of a zipline algorithm that trades by the contract.

    It reads ``context.params`` and ``context.symbols``, trades at every bar of whatever data it
    runs on and sends orders through ``stratlab_runner.lab``; equal contracts give equal bytes.

    """
    lowered = lower(contract)
    own = [
        _constants(contract, lowered),
        _bar(contract, lowered),
        _series(lowered),
        _update(lowered),
        *_warm_up(lowered),
        *("\n".join(rule_function(rule)) for rule in (*lowered.entries, *lowered.exits)),
        trader_source(contract, lowered).strip("\n"),
    ]
    copied = inline((semantics, streaming, periods), "\n".join(own))
    parts = [
        _header(contract, copied.names),
        "\n".join([*copied.constants, own[0]]),
        own[1],
        *copied.definitions,
        *own[2:],
    ]
    return "\n\n\n".join(parts) + "\n"


def _header(contract: "StrategyContract", names: frozenset[str]) -> str:
    return "\n".join(
        [
            f'"""Strategy {contract.strategy_id} {contract.version}, compiled from its contract.',
            "",
            "Change the contract, not this file. The contract's sha256 is",
            f"{contract_hash(contract)}.",
            '"""',
            "",
            *(["import math"] if "math" in names else []),
            "from collections import deque, namedtuple",
            *(["from itertools import islice"] if "islice" in names else []),
            "",
            "from stratlab_runner import lab",
            "from zipline.api import symbol",
        ]
    )


def _constants(contract: "StrategyContract", lowered: LoweredContract) -> str:
    values = [f'    "{name}": {value!r},' for name, value in contract.parameters.items()]
    defaults = ["DEFAULTS = {", *values, "}"] if values else ["DEFAULTS = {}"]
    longer = list(map(parse_timeframe, lowered.longer))
    usable = tuple(
        name
        for name in TIMEFRAMES
        if all(each.is_longer_than(parse_timeframe(name)) for each in longer)
    )
    lines = [
        f"SETTLING = {SETTLING}  # bars before the warm-up in which recursive indicators settle",
        "ADJUSTMENT = 1e-6  # smallest change of an old close that a split or dividend makes",
    ]
    if longer:
        names = repr(usable).replace("'", '"')
        lines.append(f"TIMEFRAMES = {names}  # of bars that make the longer ones")
    return "\n".join([*lines, *defaults])


def _bar(contract: "StrategyContract", lowered: LoweredContract) -> str:
    if lowered.longer:
        # A longer bar is made of whole bars, and of when they end.
        return f'Bar = namedtuple("Bar", "{" ".join(nodes.PRICES)} session minute")'
    wanted = {"close", "volume"} | {name for name in lowered.depths if name in nodes.PRICES}
    for item in contract.indicators:
        wanted |= {"high", "low", "close"} if item.source == BAR else {item.source}
    fields = " ".join(name for name in nodes.PRICES if name in wanted)
    return f'Bar = namedtuple("Bar", "{fields}")'


def _series(lowered: LoweredContract) -> str:
    lines = [
        "class Series:",
        '    """All series of one symbol, newest value first."""',
        "",
        "    def __init__(self, p):",
    ]
    lines += [f"        self.{_bars(timeframe)} = LongerBars()" for timeframe in lowered.longer]
    for stream in lowered.streams:
        item = stream.indicator
        kind = REGISTRY[item.name]
        values = ", ".join(f"{name}={_parameter(item, name)}" for name in kind.parameters)
        lines.append(f"        self._{stream.name} = {kind.implementation.__name__}({values})")
    for name, lookbacks in lowered.depths.items():
        lengths = [lookback_text(back.plus(Lookback(1))) for back in lookbacks]
        lines += _greatest(f"        self.{name} = buffer(", lengths, ")")
    return "\n".join(lines)


def _parameter(item: "Indicator", name: str) -> str:
    value = item.params[name]
    return f'p["{value[1:]}"]' if isinstance(value, str) else repr(value)


def _greatest(head: str, terms: list[str], tail: str) -> list[str]:
    return (
        [f"{head}{terms[0]}{tail}"] if len(terms) == 1 else call(f"{head}max(", terms, f"){tail}")
    )


def _bars(timeframe: str) -> str:
    return f"_bars__{timeframe}"


def _update(lowered: LoweredContract) -> str:
    lines = ["def update(s, p, bar):", '    """Feed one bar to every series."""']
    lines += [
        f"    s.{name}.appendleft(bar.{name})" for name in nodes.PRICES if name in lowered.depths
    ]
    for stream in lowered.streams:
        if not stream.timeframe:
            lines += _fed(stream, "bar", lowered)
    for timeframe, streams in lowered.longer.items():
        lines += _update_longer(timeframe, streams, lowered)
    numbers = NumberWriter()
    for name, expression in lowered.hoisted.items():
        text = numbers.text(expression)
        lines += [*numbers.take_lines(), *call(f"    s.{name}.appendleft(", [text], ")")]
    return "\n".join(lines)


def _fed(stream: Stream, bar: str, lowered: LoweredContract) -> list[str]:
    fed = bar if stream.indicator.source == BAR else f"{bar}.{stream.indicator.source}"
    if not REGISTRY[stream.indicator.name].outputs:
        return [f"    s.{stream.name}.appendleft(s._{stream.name}.update({fed}))"]
    return [f"    s._{stream.name}.update({fed})", *_remembered(stream, lowered)]


def _remembered(stream: Stream, lowered: LoweredContract) -> list[str]:
    outputs = REGISTRY[stream.indicator.name].outputs
    return [
        f"    s.{stream.series(output)}.appendleft(s._{stream.name}.{output or 'value'})"
        for output in outputs or ("",)
        if stream.series(output) in lowered.depths
    ]


def _update_longer(
    timeframe: str, streams: tuple[Stream, ...], lowered: LoweredContract
) -> list[str]:
    # Everything keeps its value until the next longer bar has ended.
    period = period_text(parse_timeframe(timeframe), "bar")
    lines = [f"    ended = s.{_bars(timeframe)}.add({period}, bar)"]
    if streams:
        lines.append("    if ended is not None:")
        for stream in streams:
            source = stream.indicator.source
            fed = "ended" if source == BAR else f"ended.{source}"
            lines.append(f"        s._{stream.name}.update({fed})")
    for price in nodes.PRICES:
        name = flat_name(nodes.Reference(price, timeframe=timeframe))
        if name in lowered.depths:
            value = f"s.{name}[0] if ended is None else ended.{price}"
            lines.append(f"    s.{name}.appendleft({value})")
    return [*lines, *(line for stream in streams for line in _remembered(stream, lowered))]


def _warm_up(lowered: LoweredContract) -> list[str]:
    terms = []
    for name, lookbacks in lowered.warm_up.items():
        for back in map(lookback_text, lookbacks):
            if name is None:
                terms.append(back)
            else:
                terms.append(f"s._{name}.first" + (f" + {back}" if back != "0" else ""))
    if len(terms) > 1 and "0" in terms:
        terms.remove("0")
    own = [
        "def warm_up(s, p):",
        '    """Return the number of bars before the first one that is decided on."""',
        *_greatest("    return ", terms, ""),
    ]
    return ["\n".join(own), *(_longer_warm_up(lowered) if lowered.longer else ())]


def _longer_warm_up(lowered: LoweredContract) -> tuple[str, str]:
    ready, history = ["bars > warm_up(s, p)"], []
    for timeframe, streams in lowered.longer.items():
        firsts = [f"s._{stream.name}.first" for stream in streams]
        first = firsts[0] if len(firsts) == 1 else f"max({', '.join(firsts)})" if firsts else "0"
        ready.append(f"s.{_bars(timeframe)}.count > {first}")
        longer = parse_timeframe(timeframe)
        bars = f"(3 * ({first} + 1) + SETTLING)"
        history.append(
            f"math.ceil({bars[1:-1]} / lab.bars_per_session(data, {longer.count}))"
            if longer.unit == "m"
            else f"{sessions_of(timeframe)} * {bars}"
        )
    return (
        "\n".join(
            [
                "def is_warm(s, p, bars):",
                '    """Return whether enough bars were fed, and enough longer ones have ended."""',
                *statement(f"    return {' and '.join(ready)}"),
            ]
        ),
        "\n".join(
            [
                "def longer_history(s, data):",
                '    """Return how many sessions to read at the start for the longer bars."""',
                *_greatest("    return ", history, ""),
            ]
        ),
    )
