"""Deflates the Sharpe ratio of the best of many trials, in four ways of which one decides.

Source: D. H. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection
Bias, Backtest Overfitting and Non-Normality", Journal of Portfolio Management 40 (5), 2014.
"""

from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.statistics import (
    DeflatedSharpe,
    DeflatedSharpes,
    Deflation,
    Inconclusive,
    Insufficiency,
    TrialCount,
)
from stratlab.evaluation.overfitting import (
    expected_maximum_sharpe,
    null_variance,
    probabilistic_sharpe_ratio,
)
from stratlab.evaluation.statistics.sharpe import moments_of, sharpe_of, unfit, varies

if TYPE_CHECKING:
    from stratlab.domain.returns import ExcessReturns, TrialReturns

SAME_BET = 0.5
"""Correlation of excess returns, on average within a cluster, above which trials are one bet."""


def deflated_sharpe(
    returns: "ExcessReturns",
    trials: int,
    *,
    deflation: Deflation = Deflation.RAW_COUNT,
    variance: float | None = None,
) -> DeflatedSharpe | Inconclusive:
    """Return how probably a Sharpe ratio is above what the luck of so many trials explains.

    Args:
        returns: Of the trial that was selected.
        trials: How many it was selected from, itself included; at least 1.
        deflation: What the number and the variance are.
        variance: Of the trials' Sharpe ratios per period; 1/T, that of trials without skill,
            unless given.

    Raises:
        InvalidInputError: No trial.
    """
    if trials < 1:
        raise InvalidInputError("what was selected was selected from one trial at least")
    refusal = unfit("deflated_sharpe", returns)
    if refusal is not None:
        return refusal
    observations = returns.observations
    spread = null_variance(observations) if variance is None else variance
    luck = expected_maximum_sharpe(trials, spread)
    sharpe, moments = sharpe_of(returns.values), moments_of(returns.values)
    return DeflatedSharpe(
        deflation=deflation,
        probability=probabilistic_sharpe_ratio(sharpe, observations, luck, moments),
        trials=trials,
        variance=spread,
        luck=luck,
        sharpe=sharpe,
        moments=moments,
        observations=observations,
    )


def deflated_sharpes(
    returns: "ExcessReturns", counts: TrialCount, others: "TrialReturns"
) -> DeflatedSharpes:
    """Return the deflated Sharpe ratio that decides, and those that are reported beside it.

    Args:
        returns: Of the trial that was selected.
        counts: N and more, see :func:`stratlab.evaluation.trial_count.count_trials`.
        others: Of all trials that have returns, the selected one included; over any periods that
            they share.
    """
    return DeflatedSharpes(
        raw_count=deflated_sharpe(returns, counts.counted),
        empirical_variance=_by_empirical_variance(returns, counts.counted, others),
        effective_count=deflated_sharpe(
            returns, effective_trials(others), deflation=Deflation.EFFECTIVE_COUNT
        ),
        screened_count=deflated_sharpe(
            returns, counts.counted + counts.screened_only, deflation=Deflation.SCREENED_COUNT
        ),
    )


def effective_trials(others: "TrialReturns") -> int:
    """Return the number of different bets among trials: clusters by correlation, at least 1.

    Average linkage over 1 - correlation, cut at :data:`SAME_BET`. Trials that do not vary are
    together no bet.

    Args:
        others: Of all trials that have returns.
    """
    from scipy.cluster import hierarchy  # noqa: PLC0415 (slow to load, and rarely needed)
    from scipy.spatial.distance import squareform  # noqa: PLC0415 (the same)

    columns = [column for column in others.values.T if varies(column)]
    if len(columns) < 2:  # noqa: PLR2004 (a pair)
        return 1
    distances = 1.0 - np.clip(np.corrcoef(columns), -1.0, 1.0)
    # Rounding leaves the matrix a little unsymmetric.
    tree = hierarchy.linkage(squareform(distances, checks=False), method="average")
    return int(hierarchy.fcluster(tree, 1.0 - SAME_BET, criterion="distance").max())


def _by_empirical_variance(
    returns: "ExcessReturns", trials: int, others: "TrialReturns"
) -> DeflatedSharpe | Inconclusive:
    ratios = [sharpe_of(column).value for column in others.values.T if varies(column)]
    if len(ratios) < 2:  # noqa: PLR2004 (the variance of a sample takes two)
        return Inconclusive(
            "deflated_sharpe",
            Insufficiency.TOO_FEW_TRIALS,
            "the variance of the trials' Sharpe ratios takes two of them",
            len(ratios),
            2,
        )
    return deflated_sharpe(
        returns,
        trials,
        deflation=Deflation.EMPIRICAL_VARIANCE,
        variance=float(np.var(ratios, ddof=1)),
    )
