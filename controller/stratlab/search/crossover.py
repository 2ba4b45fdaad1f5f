"""Crossover: a child with the entries, exits or risk model of another parent."""

from random import Random
from typing import TYPE_CHECKING

from stratlab.search.draft import Draft

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

# What the second parent gives; all three would be the second parent itself.
_GIFTS = (
    ("entry_rules",),
    ("exit_rules",),
    ("risk_model",),
    ("entry_rules", "exit_rules"),
    ("exit_rules", "risk_model"),
    ("entry_rules", "risk_model"),
)


def crossover(
    first: "StrategyContract", second: "StrategyContract", random: Random
) -> "StrategyContract | None":
    """Return the first parent with some of the three parts of the second, whichever fit.

    Rules bring the indicators and parameters that feed them. A side that the giver of the exits
    never closes keeps the exits of the other parent. None when no choice gives a valid contract
    that differs from both.
    """
    for gifts in random.sample(_GIFTS, len(_GIFTS)):
        draft = Draft(first)
        if "entry_rules" in gifts:
            draft.fields["entry_rules"] = []
            for rule in second.entry_rules:
                draft.graft_rule("entry_rules", rule, second)
        _give_exits(draft, first, second, takes_second="exit_rules" in gifts)
        if "risk_model" in gifts:
            draft.graft_risk(second)
        child = draft.finish() if draft.has_way_out else None
        if child is not None and child != second:
            return child
    return None


def _give_exits(
    draft: Draft, first: "StrategyContract", second: "StrategyContract", *, takes_second: bool
) -> None:
    givers = (second, first) if takes_second else (first, second)
    sides = sorted({rule["side"] for rule in draft.fields["entry_rules"]})
    draft.fields["exit_rules"] = []
    for side in sides:
        closing = [(giver, rule) for giver in givers for rule in giver.exit_rules]
        chosen = [(giver, rule) for giver, rule in closing if rule.side == side]
        for giver, rule in chosen:
            if giver is chosen[0][0]:
                draft.graft_rule("exit_rules", rule, giver)
