"""Mutations of contracts: seeded, and closed under validation.

Every mutation returns a valid contract that differs from the one it was given, or None when it
has nothing to change there.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from stratlab.contract.document import canonical_json
from stratlab.contract.space import Axis
from stratlab.search.draft import Draft
from stratlab.search.factor_graph import joined, signals_of
from stratlab.search.factors import ENTRY_FACTORS, EXIT_FACTORS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

Mutation = Callable[["StrategyContract", Random], "StrategyContract | None"]

# Moving averages read one series with one length, so one can stand for another.
_AVERAGES = ("ema", "rma", "sma", "wma")
_LONGEST_STEP = 3
_EXIT_SHARE = 0.3


def add_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Demand a further condition at an entry, or add a further way out."""
    draft = Draft(contract)
    if random.random() < _EXIT_SHARE:
        factor = random.choice(EXIT_FACTORS)
        side = random.choice(sorted({rule.side for rule in contract.entry_rules}))
        signal = draft.instantiate(factor, side)
        taken = {rule["id"] for path in _PATHS for rule in draft.fields[path]}
        number = next(n for n in range(1, 100) if f"{factor.name}_{side}_{n}" not in taken)
        rule = {
            "id": f"{factor.name}_{side}_{number}",
            "side": side,
            "when": joined((signal,), "exit"),
        }
        draft.fields["exit_rules"].append(rule)
    else:
        place = random.randrange(len(contract.entry_rules))
        old = contract.entry_rules[place]
        signal = draft.instantiate(random.choice(ENTRY_FACTORS), old.side)
        signals = (*signals_of(old, "entry"), signal)
        draft.fields["entry_rules"][place]["when"] = joined(signals, "entry")
    return _changed(contract, draft)


def remove_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Drop one condition of an entry that has several, or one way out of several."""
    choices = [
        (path, place, signal)
        for path, stage in _PATHS.items()
        for place, rule in enumerate(getattr(contract, path))
        for signal in range(len(signals_of(rule, stage)))
        if _is_spare(contract, path, place)
    ]
    if not choices:
        return None
    path, place, number = random.choice(choices)
    draft, rule = Draft(contract), getattr(contract, path)[place]
    signals = signals_of(rule, _PATHS[path])
    if len(signals) == 1:
        del draft.fields[path][place]
    else:
        left = (*signals[:number], *signals[number + 1 :])
        draft.fields[path][place]["when"] = joined(left, _PATHS[path])
    return _changed(contract, draft)


def replace_factor(contract: "StrategyContract", random: Random) -> "StrategyContract | None":
    """Put another condition in the place of one, or another average in the place of one."""
    draft = Draft(contract)
    averages = [place for place, item in enumerate(contract.indicators) if item.name in _AVERAGES]
    if averages and random.random() < 1 / 2:
        item = draft.fields["indicators"][random.choice(averages)]
        item["name"] = random.choice([name for name in _AVERAGES if name != item["name"]])
        return _changed(contract, draft)
    path = random.choice([path for path in _PATHS if getattr(contract, path)])
    place = random.randrange(len(getattr(contract, path)))
    rule, stage = getattr(contract, path)[place], _PATHS[path]
    signals = list(signals_of(rule, stage))
    catalogue = ENTRY_FACTORS if stage == "entry" else EXIT_FACTORS
    new = draft.instantiate(random.choice(catalogue), rule.side)
    signals[random.randrange(len(signals))] = new
    draft.fields[path][place]["when"] = joined(tuple(signals), stage)
    return _changed(contract, draft)


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
    return _changed(contract, draft)


MUTATIONS: Mapping[str, Mutation] = {
    "add_factor": add_factor,
    "remove_factor": remove_factor,
    "replace_factor": replace_factor,
    "perturb_parameter": perturb_parameter,
}
"""Every mutation by the operator name that lineages carry."""

_PATHS = {"entry_rules": "entry", "exit_rules": "exit"}


def _is_spare(contract: "StrategyContract", path: str, place: int) -> bool:
    # A strategy keeps an entry condition, and a way out of every position.
    rule = getattr(contract, path)[place]
    if len(signals_of(rule, _PATHS[path])) > 1:
        return True
    if path == "entry_rules":
        return False
    risk = contract.risk_model
    others = sum(other.side == rule.side for other in contract.exit_rules)
    return others > 1 or risk.stop is not None or risk.trailing is not None


def _changed(contract: "StrategyContract", draft: Draft) -> "StrategyContract | None":
    mutant = draft.finish()
    if mutant is None or canonical_json(mutant) == canonical_json(contract):
        return None
    return mutant
