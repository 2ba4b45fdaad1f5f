"""Mutations of the ways out of a position: protections of the risk model, and exit rules."""

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

from stratlab.contract.model import OptParam
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import joined
from stratlab.search.factors import EXIT_FACTORS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

_RULE = "rule"
# Per part: multiples of the average true range, and percent of the close.
_SPACES = {
    "stop": {"atr": (1.5, 6.0, 0.5, 3.0), "percent": (3.0, 20.0, 1.0, 8.0)},
    "take": {"atr": (2.0, 12.0, 0.5, 6.0), "percent": (4.0, 40.0, 2.0, 16.0)},
    "breakeven": {"atr": (1.0, 6.0, 0.5, 2.5), "percent": (2.0, 15.0, 1.0, 5.0)},
    "trailing": {"atr": (2.0, 8.0, 0.5, 4.0), "percent": (4.0, 25.0, 1.0, 10.0)},
}
_OFFSETS = (0, 5, 10, 25)


def add_exit(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Protect positions by what they lack (stop, take, breakeven, trailing), or by a rule."""
    risk, draft = contract.risk_model, Draft(contract)
    part = random.choice([_RULE, *(part for part in _SPACES if getattr(risk, part) is None)])
    if part == _RULE:
        factor = random.choice(EXIT_FACTORS)
        side = random.choice(sorted({rule.side for rule in contract.entry_rules}))
        signal = draft.instantiate(factor, side)
        draft.add_rule("exit_rules", f"{factor.name}_{side}", side, joined((signal,), "exit"))
    else:
        _protect(draft, part, random.choice(("atr", "percent")), random)
    return draft.finish()


def change_exit(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Measure a protection in another way, or put another protection in its place."""
    changes = list(_changes(contract))
    random.shuffle(changes)
    for old, new, kind in changes:
        draft = Draft(contract)
        draft.fields["risk_model"][old] = None
        _protect(draft, new, kind, random)
        child = draft.finish() if draft.has_way_out else None
        if child is not None:
            return child
    return None


def _changes(contract: "StrategyContract") -> Iterator[tuple[str, str, str]]:
    # (part that goes, part that comes, how that is measured)
    risk = contract.risk_model
    for path, distance in risk.distances.items():
        part = path.split(".")[0]
        yield part, part, "percent" if distance.kind == "atr" else "atr"
        for other in _SPACES:
            if getattr(risk, other) is None:
                yield part, other, "percent" if distance.kind == "percent" else "atr"


def _protect(draft: Draft, part: str, kind: str, random: Random) -> None:
    low, high, step, value = _SPACES[part][kind]
    space = OptParam(min=low, max=high, step=step, value=value, kind="float")
    field = "mult" if kind == "atr" else "value"
    name = draft.add_parameter(f"{part}_{'mult' if kind == 'atr' else 'percent'}", space)
    distance: dict[str, Any] = {"kind": kind, field: name}
    if kind == "atr":
        distance["indicator"] = draft.atr()
    draft.fields["risk_model"][part] = {
        "breakeven": {"trigger": distance, "offset_ticks": random.choice(_OFFSETS)},
        "trailing": {"distance": distance},
    }.get(part, distance)
