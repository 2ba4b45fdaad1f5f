"""Rules of layer 6: how a short run in a container ended."""

from collections.abc import Mapping
from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.domain.trial import Outcome
from stratlab.screening.rule import Layer, Rule

NO_ORDERS: Final = Rule(
    "no_orders",
    Layer.SMOKE,
    Severity.WARNING,
    "no order was placed from {start} to {end}",
    "Loosen a condition, unless the strategy is meant to wait that long.",
    "What does not trade within a year cannot be told from what never trades.",
)


def _outcome(outcome: Outcome, hint: str, rationale: str) -> Rule:
    return Rule(outcome.value.lower(), Layer.SMOKE, Severity.ERROR, "{reason}", hint, rationale)


RULE_OF_OUTCOME: Final[Mapping[Outcome, Rule]] = {
    Outcome.STRATEGY_ERROR: _outcome(
        Outcome.STRATEGY_ERROR,
        "Correct this line.",
        "An exception in the first year ends every backtest; the strategy's own line is named.",
    ),
    Outcome.TIMEOUT_CPU: _outcome(
        Outcome.TIMEOUT_CPU,
        "Do less work per bar.",
        "One year has to fit into the time of a smoke run, or the whole search crawls.",
    ),
    Outcome.TIMEOUT_WALL: _outcome(
        Outcome.TIMEOUT_WALL,
        "Do less work per bar and never wait.",
        "One year has to fit into the time of a smoke run, or the whole search crawls.",
    ),
    Outcome.OUT_OF_MEMORY: _outcome(
        Outcome.OUT_OF_MEMORY,
        "Keep less history in memory.",
        "The container's memory is bounded, and the full backtest needs more of it.",
    ),
    Outcome.PIDS: _outcome(
        Outcome.PIDS,
        "Start no processes or threads.",
        "A strategy is called bar by bar; nothing runs beside it.",
    ),
    Outcome.OUTPUT_LIMIT: _outcome(
        Outcome.OUTPUT_LIMIT,
        "Print less.",
        "Output is bounded; use record() for what is worth keeping.",
    ),
    Outcome.SIGNAL: _outcome(
        Outcome.SIGNAL,
        "Remove what crashes the interpreter.",
        "A signal ended the process: native code crashed, or the strategy killed itself.",
    ),
    Outcome.PROTOCOL_VIOLATION: _outcome(
        Outcome.PROTOCOL_VIOLATION,
        "Use the order functions only.",
        "The process wrote or ended as no honest strategy does.",
    ),
    Outcome.FORGED: _outcome(
        Outcome.FORGED,
        "Do not touch portfolio, orders or metrics; only place orders.",
        "The host's own account of the run differs from what the container reported.",
    ),
}
"""The rule that an outcome breaks; the others of the list say nothing about a strategy here."""

RULES: Final = (*RULE_OF_OUTCOME.values(), NO_ORDERS)
