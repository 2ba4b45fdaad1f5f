"""The operators of the factor graph by the names that lineages and critiques carry."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from stratlab.search.exits import add_exit, change_exit
from stratlab.search.mutations import (
    Mutation,
    add_factor,
    perturb_parameter,
    remove_factor,
    replace_factor,
    swap_rule,
)
from stratlab.search.thresholds import loosen_threshold, tighten_threshold

if TYPE_CHECKING:
    from stratlab.domain.generation import IterationSummary

MUTATIONS: Mapping[str, Mutation] = {
    "add_factor": add_factor,
    "remove_factor": remove_factor,
    "replace_factor": replace_factor,
    "perturb_parameter": perturb_parameter,
    "swap_rule": swap_rule,
    "tighten_threshold": tighten_threshold,
    "loosen_threshold": loosen_threshold,
    "add_exit": add_exit,
    "change_exit": change_exit,
}
"""Operators with one parent."""

CROSSOVER = "crossover"
"""The operator with two parents."""

OPERATORS = (*MUTATIONS, CROSSOVER)
"""Every operator."""


def least_used(
    operators: Iterable[str], history: "Sequence[IterationSummary]", random: Random | None = None
) -> list[str]:
    """Return operators in the order of their turns: those that a campaign used least come first.

    Args:
        operators: Names.
        history: What was tried.
        random: Chooses among equals; without it they keep their order.
    """
    uses = Counter(item.candidate.lineage.operator for item in history if item.candidate)
    names = list(operators)
    if random is not None:
        random.shuffle(names)
    return sorted(names, key=lambda name: uses[name])
