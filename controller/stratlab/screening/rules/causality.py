"""Rules of the causality test: what re-runs of a backtest say of a strategy."""

from collections.abc import Mapping
from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.domain.trial import Outcome
from stratlab.screening.rule import Layer, Rule


def _outcome(outcome: Outcome, hint: str, rationale: str) -> Rule:
    return Rule(outcome.value.lower(), Layer.CAUSALITY, Severity.ERROR, "{reason}", hint, rationale)


NOT_COMPARED: Final = Rule(
    "not_compared",
    Layer.CAUSALITY,
    Severity.ERROR,
    "{reason}",
    "Do less work per bar, and do not depend on what the machine does besides.",
    "A strategy whose re-runs do not end has not been shown to decide by the past alone.",
)

RULE_OF_OUTCOME: Final[Mapping[Outcome, Rule]] = {
    Outcome.LOOKAHEAD: _outcome(
        Outcome.LOOKAHEAD,
        "Decide by what data shows at the bar; read nothing else.",
        "With other prices after a day, orders before it were others: the future was known.",
    ),
    Outcome.NONDETERMINISTIC: _outcome(
        Outcome.NONDETERMINISTIC,
        "Take time from data.current_dt, chance from a seeded generator, order from sorted().",
        "The same trial, run again, placed other orders, so no result of it can be checked.",
    ),
}
"""The rule that an outcome of the test breaks; for the others there is NOT_COMPARED."""

RULES: Final = (*RULE_OF_OUTCOME.values(), NOT_COMPARED)
