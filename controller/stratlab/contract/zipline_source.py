"""Compiles a contract to zipline source: readable, self-contained, the same bytes every time."""

from typing import TYPE_CHECKING

from stratlab.contract import nodes, semantics, streaming
from stratlab.contract.document import contract_hash
from stratlab.contract.indicators import BAR, REGISTRY
from stratlab.contract.inlining import inline
from stratlab.contract.lowering import Lookback, LoweredContract, lower
from stratlab.contract.python_rules import NumberWriter, lookback_text, rule_function
from stratlab.contract.python_text import call
from stratlab.contract.zipline_trader import trader_source
from stratlab.domain.errors import InvalidContractError
from stratlab.domain.market import TIMEFRAMES

if TYPE_CHECKING:
    from stratlab.contract.model import Indicator, StrategyContract


def compile_to_zipline(contract: "StrategyContract") -> str:
    """Return the source of a zipline algorithm that trades by the contract.

    It reads ``context.params`` and ``context.symbols``, trades at every bar of whatever data it
    runs on and sends orders through ``stratlab_runner.lab``; equal contracts give equal bytes.

    Raises:
        InvalidContractError: The contract asks for something this target cannot do yet.
    """
    _refuse_what_is_missing(contract)
    lowered = lower(contract)
    own = [
        _defaults(contract),
        _bar(contract, lowered),
        _series(contract, lowered),
        _update(contract, lowered),
        _warm_up(lowered),
        *("\n".join(rule_function(rule)) for rule in (*lowered.entries, *lowered.exits)),
        trader_source(contract, lowered).strip("\n"),
    ]
    copied = inline((semantics, streaming), "\n".join(own))
    parts = [
        _header(contract, copied.names),
        "\n".join([*copied.constants, own[0]]),
        own[1],
        *copied.definitions,
        *own[2:],
    ]
    return "\n\n\n".join(parts) + "\n"


def _refuse_what_is_missing(contract: "StrategyContract") -> None:
    if contract.execution.intrabar != "tv_path":
        raise InvalidContractError(
            "execution.intrabar: the zipline target fills along tv_path only",
            hint="Set execution.intrabar to tv_path.",
        )
    if not set(contract.timeframes) & set(TIMEFRAMES):
        raise InvalidContractError(
            f"timeframes: the zipline target has no bars of {', '.join(contract.timeframes)}",
            hint=f"Name at least one of {', '.join(TIMEFRAMES)}.",
        )


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


def _defaults(contract: "StrategyContract") -> str:
    values = [f'    "{name}": {value!r},' for name, value in contract.parameters.items()]
    defaults = ["DEFAULTS = {", *values, "}"] if values else ["DEFAULTS = {}"]
    return "\n".join(
        [
            "SETTLING = 250  # bars before the warm-up in which recursive indicators settle",
            "ADJUSTMENT = 1e-6  # smallest change of an old close that a split or dividend makes",
            *defaults,
        ]
    )


def _bar(contract: "StrategyContract", lowered: LoweredContract) -> str:
    wanted = {"close", "volume"} | {name for name in lowered.depths if name in nodes.PRICES}
    for item in contract.indicators:
        wanted |= {"high", "low", "close"} if item.source == BAR else {item.source}
    fields = " ".join(name for name in nodes.PRICES if name in wanted)
    return f'Bar = namedtuple("Bar", "{fields}")'


def _series(contract: "StrategyContract", lowered: LoweredContract) -> str:
    lines = [
        "class Series:",
        '    """All series of one symbol, newest value first."""',
        "",
        "    def __init__(self, p):",
    ]
    for item in contract.indicators:
        kind = REGISTRY[item.name]
        values = ", ".join(f"{name}={_parameter(item, name)}" for name in kind.parameters)
        lines.append(f"        self._{item.id} = {kind.implementation.__name__}({values})")
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


def _update(contract: "StrategyContract", lowered: LoweredContract) -> str:
    lines = ["def update(s, p, bar):", '    """Feed one bar to every series."""']
    lines += [
        f"    s.{name}.appendleft(bar.{name})" for name in nodes.PRICES if name in lowered.depths
    ]
    for item in contract.indicators:
        fed = "bar" if item.source == BAR else f"bar.{item.source}"
        outputs = REGISTRY[item.name].outputs
        if outputs:
            lines.append(f"    s._{item.id}.update({fed})")
            lines += [
                f"    s.{item.id}_{output}.appendleft(s._{item.id}.{output})"
                for output in outputs
                if f"{item.id}_{output}" in lowered.depths
            ]
        else:
            lines.append(f"    s.{item.id}.appendleft(s._{item.id}.update({fed}))")
    numbers = NumberWriter()
    for name, expression in lowered.hoisted.items():
        text = numbers.text(expression)
        lines += [*numbers.take_lines(), *call(f"    s.{name}.appendleft(", [text], ")")]
    return "\n".join(lines)


def _warm_up(lowered: LoweredContract) -> str:
    terms = []
    for name, lookbacks in lowered.warm_up.items():
        for back in map(lookback_text, lookbacks):
            if name is None:
                terms.append(back)
            else:
                terms.append(f"s._{name}.first" + (f" + {back}" if back != "0" else ""))
    if len(terms) > 1 and "0" in terms:
        terms.remove("0")
    return "\n".join(
        [
            "def warm_up(s, p):",
            '    """Return the number of bars before the first one that is decided on."""',
            *_greatest("    return ", terms, ""),
        ]
    )
