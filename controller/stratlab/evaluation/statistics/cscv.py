"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

Source: D. H. Bailey, J. Borwein, M. Lopez de Prado and Q. J. Zhu, "The Probability of Backtest
Overfitting", Journal of Computational Finance 20 (4), 2017.
"""

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.statistics import BacktestOverfitting, Inconclusive, Insufficiency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.returns import TrialReturns

BLOCKS = 16
"""Into which time is cut: 12870 ways to choose half of them."""

MINIMUM_TRIALS = 2
"""There is no best one of fewer."""

_BLOCK_OBSERVATIONS = 8
_CHUNK = 512  # splits at once: bounds memory at a few megabytes per hundred trials
_ROUNDING = 1e-12


def probability_of_backtest_overfitting(
    trials: "TrialReturns", blocks: int = BLOCKS
) -> BacktestOverfitting | Inconclusive:
    """Return how often the best trial of one half of the time is no good in the other half.

    Time is cut into blocks; for every choice of half of them the trial with the highest Sharpe
    ratio there is ranked among all trials in the other half. At or below the median counts.
    Returns behind the last whole block are left out; a trial that does not vary in a half has a
    ratio of zero in it. Of equals the first one is chosen; equals share their mean rank.

    Args:
        trials: Excess returns of all trials.
        blocks: Even, at least 2.

    Raises:
        InvalidInputError: The number of blocks is odd or too small.
    """
    if blocks < 2 or blocks % 2:  # noqa: PLR2004 (two halves)
        raise InvalidInputError("time is cut into an even number of blocks, two at least")
    size = trials.observations // blocks
    if size < _BLOCK_OBSERVATIONS:
        return Inconclusive(
            "probability_of_backtest_overfitting",
            Insufficiency.TOO_FEW_OBSERVATIONS,
            f"{blocks} blocks of {_BLOCK_OBSERVATIONS} returns take more than there are",
            trials.observations,
            blocks * _BLOCK_OBSERVATIONS,
        )
    if trials.trials < MINIMUM_TRIALS:
        return Inconclusive(
            "probability_of_backtest_overfitting",
            Insufficiency.TOO_FEW_TRIALS,
            "there is no best one of fewer than two trials",
            trials.trials,
            MINIMUM_TRIALS,
        )
    # About their mean the sums of squares lose no digits.
    values = trials.values[: size * blocks]
    means = values.mean(axis=0)
    centred = (values - means).reshape(blocks, size, trials.trials)
    sums, squares = centred.sum(axis=1), (centred**2).sum(axis=1)
    chosen = _halves(blocks)
    half = size * blocks // 2
    logits, lost, ratios = [], [], []
    for start in range(0, len(chosen), _CHUNK):
        inside = chosen[start : start + _CHUNK]
        here, there = (
            _ratios(rows @ sums, rows @ squares, half, means) for rows in (inside, 1.0 - inside)
        )
        best = here.argmax(axis=1)
        rows = np.arange(len(best))
        found = there[rows, best]
        below = (there < found[:, None]).sum(axis=1)
        equal = (there == found[:, None]).sum(axis=1)
        rank = (below + (equal + 1) / 2) / (trials.trials + 1)
        logits.append(np.log(rank / (1.0 - rank)))
        lost.append(found < 0)
        ratios.append(here[rows, best] - found)
    logit = np.concatenate(logits)
    return BacktestOverfitting(
        probability=float((logit <= _ROUNDING).mean()),
        median_logit=float(np.median(logit)),
        probability_of_loss=float(np.concatenate(lost).mean()),
        degradation=float(np.concatenate(ratios).mean()),
        splits=len(chosen),
        blocks=blocks,
        trials=trials.trials,
        observations=size * blocks,
    )


def _halves(blocks: int) -> "NDArray[np.float64]":
    # One row per choice, 1 for the blocks that are in it.
    choices = list(itertools.combinations(range(blocks), blocks // 2))
    table = np.zeros((math.comb(blocks, blocks // 2), blocks))
    np.put_along_axis(table, np.array(choices), 1.0, axis=1)
    return table


def _ratios(
    sums: "NDArray[np.float64]",
    squares: "NDArray[np.float64]",
    count: int,
    means: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    # Sharpe ratios per period of returns that were centred about `means`, shape (splits, N).
    variance = np.maximum(squares - sums**2 / count, 0.0) / (count - 1)
    still = variance <= _ROUNDING * (squares / count + means**2)
    deviation = np.sqrt(np.where(still, 1.0, variance))
    return np.where(still, 0.0, (sums / count + means) / deviation)
