"""The rules of all layers, as data: what docs, outputs and checks are made of."""

from typing import Final

from stratlab.screening.rule import Rule
from stratlab.screening.rules import (
    advice,
    bandit,
    causality,
    lookahead,
    security,
    smoke,
    static,
)

RULES: Final[tuple[Rule, ...]] = (
    *static.RULES,
    *security.RULES,
    *bandit.RULES,
    *lookahead.RULES,
    *advice.RULES,
    *smoke.RULES,
    *causality.RULES,
)
"""In the order of the layers."""

RULE_BY_ID: Final = {rule.id: rule for rule in RULES}
"""Every rule by its id."""
