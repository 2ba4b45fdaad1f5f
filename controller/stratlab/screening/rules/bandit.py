"""Rules of layer 2 that the library bandit checks.

Of its tests those are used that can say something about a source made of allowed modules. Its
lists of dangerous modules and calls are not: the allow-list knows more. Nor are ``assert`` (B101)
and ``random`` (B311), which are no fault in a strategy.
"""

from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.screening.rule import Layer, Rule

_HINT: Final = "See the page of this test in bandit's documentation."


def _rule(number: str, title: str, severity: Severity, rationale: str) -> Rule:
    return Rule(
        f"bandit.{number}", Layer.SECURITY, severity, f"{title}: {{text}}", _HINT, rationale
    )


_RULES: Final = (
    _rule("B103", "file permissions", Severity.WARNING, "A strategy has no files."),
    _rule("B104", "all interfaces", Severity.WARNING, "A strategy listens to nobody."),
    _rule(
        "B105",
        "password in a text",
        Severity.WARNING,
        "By the variable's name alone; what is surely a secret is an error of hardcoded_secret.",
    ),
    _rule("B106", "password as an argument", Severity.WARNING, "As B105."),
    _rule("B107", "password as a default", Severity.WARNING, "As B105."),
    _rule("B108", "temporary directory", Severity.WARNING, "A strategy has no files."),
    _rule(
        "B110",
        "error passed over",
        Severity.WARNING,
        "A strategy that hides its errors stops trading without a word.",
    ),
    _rule("B112", "error passed over in a loop", Severity.WARNING, "As B110."),
    _rule("B604", "shell", Severity.WARNING, "A call that asks for a shell, of whatever function."),
    _rule("B608", "SQL in a text", Severity.WARNING, "A strategy has no database."),
    _rule(
        "B613",
        "text that turns around",
        Severity.ERROR,
        "Characters for right-to-left text make a source read otherwise than it runs: nobody who "
        "reviews it sees what it does. An error, for no honest source has them.",
    ),
)

BY_TEST: Final = {rule.id.removeprefix("bandit."): rule for rule in _RULES}
"""Each rule by the number of bandit's test."""

RULES: Final = _RULES
