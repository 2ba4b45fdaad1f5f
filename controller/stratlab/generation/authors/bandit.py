"""Chooses a model for an iteration by an upper confidence bound, with its price in the reward.

Source: P. Auer, N. Cesa-Bianchi, P. Fischer, "Finite-time Analysis of the Multiarmed Bandit
Problem", Machine Learning 47 (2002), the rule UCB1.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratlab.domain.generation import IterationSummary
    from stratlab.domain.spending import PriceTable

PRICE_WEIGHT = 0.2
"""What the dearest model loses against one that costs nothing, of a reward between 0 and 1."""

# What an iteration is worth, by how far its candidate came.
_SCREENED, _RAN, _TRADED, _PASSED = 0.25, 0.5, 0.75, 1.0


def choose_model(
    models: Sequence[str], history: "Sequence[IterationSummary]", prices: "PriceTable"
) -> str:
    """Return who is asked next: a function of the past alone, so a replay chooses the same.

    An iteration without a candidate counts for the model that was asked in vain; one in which
    none was asked counts for none.

    Args:
        models: Names, in the order of their first turns.
        history: Earlier iterations in order.
        prices: What models cost.
    """
    rewards: dict[str, list[float]] = {model: [] for model in models}
    dearest = max((prices[model].output for model in models if model in prices), default=0)
    for summary in history:
        asked = summary.model
        if asked in rewards:
            price = prices[asked].output / dearest if asked in prices and dearest else 0.0
            rewards[asked].append(worth(summary) * (1.0 - PRICE_WEIGHT * price))
    return _next(models, rewards)


def worth(summary: "IterationSummary") -> float:
    """Return what an iteration was worth, 0 to 1, by how far its candidate came."""
    if summary.candidate is None or summary.screened_out:
        return 0.0
    if summary.train_score is None:
        return _SCREENED
    if not summary.turnover:
        return _RAN
    return _PASSED if summary.passed_gates else _TRADED


def _next(models: Sequence[str], rewards: dict[str, list[float]]) -> str:
    for model in models:
        if not rewards[model]:
            return model
    total = sum(map(len, rewards.values()))

    def bound(model: str) -> float:
        own = rewards[model]
        return math.fsum(own) / len(own) + math.sqrt(2.0 * math.log(total) / len(own))

    # The first of equals, so that the order decides and not the hash of a name.
    return max(models, key=bound)
