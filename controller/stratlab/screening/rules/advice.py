"""Rules of layers 3 to 5: convention, integration and coverage. All of them ask for a review."""

from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.screening.rule import Layer, Rule


def _convention(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.CONVENTION, Severity.WARNING, message, hint, rationale)


def _integration(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.INTEGRATION, Severity.WARNING, message, hint, rationale)


def _coverage(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.COVERAGE, Severity.WARNING, message, hint, rationale)


NOTHING_RUNS: Final = _convention(
    "nothing_runs",
    "nothing is called after initialize",
    "Define handle_data or before_trading_start, or schedule a function.",
    "Such a strategy can only hold what it ordered at the start.",
)
TWO_STYLES: Final = _convention(
    "two_styles",
    "both initialize and class {name} are there; initialize is used",
    "Keep one of the two.",
    "Readers cannot tell which one trades.",
)
MAGIC_NUMBER: Final = _convention(
    "magic_number",
    "{text} is written into a rule",
    "Name it at the top of the source, or read it from context.params.",
    "A number in a rule cannot be searched, and its sensitivity cannot be measured.",
)
SHADOWED_NAME: Final = _convention(
    "shadowed_name",
    "{name} is defined again: the first definition has no effect",
    "Keep one definition, or rename one.",
    "The second function of a name silently replaces the first.",
)

NO_RISK_MODEL: Final = _integration(
    "no_risk_model",
    "no exit is fixed when a position is opened",
    "Size with lab.risk and order through lab.order_bracket, or give stop or limit prices.",
    "Without one the loss of a position is bounded only by the next decision.",
)
NO_CONFIDENCE_GATE: Final = _integration(
    "no_confidence_gate",
    "orders are placed without a condition",
    "Order only when the signal is strong enough.",
    "What orders at every call trades noise and pays for it.",
)
NO_ERROR_HANDLING: Final = _integration(
    "no_error_handling",
    "nothing looks for missing prices or closed markets",
    "Ask data.can_trade, and look for NaN before deciding.",
    "A symbol that is delisted or has no bar ends the trial, or trades on NaN.",
)
NO_RECORD: Final = _integration(
    "no_record",
    "nothing is recorded or logged",
    "Call record() with the values that decide.",
    "Nobody can tell later why it traded.",
)
FEW_FUNCTIONS: Final = _coverage(
    "few_functions",
    "there are {count} functions, {wanted} are usual",
    "Give entry, exit and sizing functions of their own.",
    "What is one block cannot be read, tested or varied in parts.",
)
FEW_LINES: Final = _coverage(
    "few_lines",
    "there are {count} lines of logic, {wanted} are usual",
    "Check that nothing is missing.",
    "Often the sign of an answer that was cut off.",
)
LONG_FUNCTION: Final = _coverage(
    "long_function",
    "{name} has {count} lines, the limit is {limit}",
    "Split it.",
    "Long functions hide what decides.",
)

RULES: Final = (
    NOTHING_RUNS,
    TWO_STYLES,
    MAGIC_NUMBER,
    SHADOWED_NAME,
    NO_RISK_MODEL,
    NO_CONFIDENCE_GATE,
    NO_ERROR_HANDLING,
    NO_RECORD,
    FEW_FUNCTIONS,
    FEW_LINES,
    LONG_FUNCTION,
)
