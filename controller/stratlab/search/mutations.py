"""Mutations of rules and parameters: seeded, and closed under validation.

Every mutation returns a valid contract that differs from the one it was given, or None when it
has nothing to change there.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from stratlab.contract.space import Axis
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import STAGES, joined, signals_of
from stratlab.search.factors import EXIT_FACTORS, FILTERS, TRIGGERS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

Mutation = Callable[["StrategyContract", Random], "StrategyContract | None"]

# Moving averages read one series with one length, so one can stand for another.
_AVERAGES = ("ema", "rma", "sma", "wma")
_LONGEST_STEP = 3
_PARTS = ("stop", "take", "breakeven", "trailing")


def add_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Demand a further condition at an entry."""
    draft = Draft(contract)
    place = random.randrange(len(contract.entry_rules))
    old = contract.entry_rules[place]
    signal = draft.instantiate(random.choice(FILTERS), old.side)
    signals = (*signals_of(old, "entry"), signal)
    draft.fields["entry_rules"][place]["when"] = joined(signals, "entry")
    return draft.finish()


def remove_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Drop one condition of an entry that has several, or one way out of several."""
    drafts = []
    for path, stage in STAGES.items():
        for place, rule in enumerate(getattr(contract, path)):
            signals = signals_of(rule, stage)
            for number in range(len(signals) if len(signals) > 1 else 0):
                left = (*signals[:number], *signals[number + 1 :])
                drafts.append(draft := Draft(contract))
                draft.fields[path][place]["when"] = joined(left, stage)
            if len(signals) == 1 and stage == "exit":
                drafts.append(draft := Draft(contract))
                del draft.fields[path][place]
    for part in _PARTS:
        if getattr(contract.risk_model, part) is not None:
            drafts.append(draft := Draft(contract))
            draft.fields["risk_model"][part] = None
    return _first_possible([draft for draft in drafts if draft.has_way_out], random)


def replace_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Put another condition in the place of one, or another average in the place of one."""
    draft = Draft(contract)
    averages = [place for place, item in enumerate(contract.indicators) if item.name in _AVERAGES]
    if averages and random.random() < 1 / 2:
        item = draft.fields["indicators"][random.choice(averages)]
        item["name"] = random.choice([name for name in _AVERAGES if name != item["name"]])
        return draft.finish()
    path, place = _some_rule(contract, random)
    rule, stage = getattr(contract, path)[place], STAGES[path]
    signals = list(signals_of(rule, stage))
    catalogue = FILTERS if stage == "entry" else EXIT_FACTORS
    new = draft.instantiate(random.choice(catalogue), rule.side)
    signals[random.randrange(len(signals))] = new
    draft.fields[path][place]["when"] = joined(tuple(signals), stage)
    return draft.finish()


def swap_rule(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Put a new rule in the place of a whole one: a trigger, at times with a filter, or an exit."""
    draft = Draft(contract)
    path, place = _some_rule(contract, random)
    side, stage = getattr(contract, path)[place].side, STAGES[path]
    factors = [random.choice(TRIGGERS if stage == "entry" else EXIT_FACTORS)]
    if stage == "entry" and random.random() < 1 / 2:
        factors.append(random.choice(FILTERS))
    signals = tuple(draft.instantiate(factor, side) for factor in factors)
    del draft.fields[path][place]
    draft.add_rule(path, f"{factors[0].name}_{side}", side, joined(signals, stage))
    return draft.finish()


def perturb_parameter(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Move the default of one enabled parameter by a few steps of its grid."""
    axes = {name: Axis(space) for name, space in sorted(contract.optimization_space.items())}
    names = [name for name, axis in axes.items() if axis.count > 1]
    if not names:
        return None
    name = random.choice(names)
    axis, space = axes[name], contract.optimization_space[name]
    place = axis.nearest(space.value)
    low, high = max(place - _LONGEST_STEP, 0), min(place + _LONGEST_STEP, axis.count - 1)
    values = [axis.value(other) for other in range(low, high + 1)]
    draft = Draft(contract)
    draft.fields["optimization_space"][name]["value"] = random.choice(
        [value for value in values if value != space.value]
    )
    return draft.finish()


def _some_rule(contract: "StrategyContract", random: Random) -> tuple[str, int]:
    path = random.choice([path for path in STAGES if getattr(contract, path)])
    return path, random.randrange(len(getattr(contract, path)))


def _first_possible(drafts: list[Draft], random: Random) -> "StrategyContract | None":
    # Whatever makes a strategy invalid (a sizing that needs its stop) is passed over.
    random.shuffle(drafts)
    return next((child for draft in drafts if (child := draft.finish()) is not None), None)
