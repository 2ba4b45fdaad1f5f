"""Bounds of Sharpe ratios and of means by the stationary bootstrap.

The bootstrap of a Sharpe ratio is studentised: what is resampled is its distance from the observed
one in units of its own standard error, so that the bounds are better than the normal formula's
where returns are skewed or depend on each other.

Source: O. Ledoit and M. Wolf, "Robust Performance Hypothesis Testing with the Sharpe Ratio",
Journal of Empirical Finance 15 (5), 2008.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.metrics import PeriodRatio, PerPeriodSharpe
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.statistics import (
    Inconclusive,
    Insufficiency,
    Interval,
    Resampling,
    SharpeBound,
)
from stratlab.evaluation.overfitting import CONFIDENCE, sharpe_spread
from stratlab.evaluation.statistics.resampling import mean_block, resample_counts
from stratlab.evaluation.statistics.sharpe import moments_of, sharpe_of, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 5000
"""Enough for a bound at 95 % to move by less than a hundredth of its distance with the seed."""

_VALID = 0.99  # share of the resamples that have a ratio with an error


def sharpe_bound(
    returns: ExcessReturns,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    resamples: int = RESAMPLES,
    where: "NDArray[np.bool_] | None" = None,
) -> SharpeBound | Inconclusive:
    """Return a Sharpe ratio with its one-sided lower bound and its two-sided interval.

    Args:
        returns: Of single periods.
        confidence: Of the bound and of the interval, between 0.5 and 1.
        seed: Of the bootstrap.
        resamples: How many.
        where: Which of the periods the ratio is of, shape (T,), those of one regime for instance;
            all unless given. What is resampled are blocks of all periods.

    Raises:
        InvalidInputError: The confidence is no such number.
    """
    _require_confidence(confidence)
    inside = _all(returns) if where is None else where
    chosen = ExcessReturns(returns.values[inside], returns.periods_per_year)
    refusal = unfit("sharpe_bound", chosen)
    if refusal is not None:
        return refusal
    sharpe, moments = sharpe_of(chosen.values), moments_of(chosen.values)
    error = math.sqrt(sharpe_spread(sharpe, moments) / (chosen.observations - 1))
    resampling = Resampling(resamples, mean_block(chosen.values), seed)
    distances = _distances(returns.values, inside, sharpe, resampling)
    if len(distances) < _VALID * resamples:
        return Inconclusive(
            "sharpe_bound",
            Insufficiency.NOT_ESTIMABLE,
            "too many resamples hardly vary: the ratio rests on single returns",
            chosen.observations,
        )
    rest = 1.0 - confidence
    highest, high, low = np.quantile(distances, [confidence, 1.0 - rest / 2, rest / 2]).tolist()
    observed, year = sharpe.value, returns.periods_per_year
    lower = PerPeriodSharpe(PeriodRatio(observed - highest * error))
    return SharpeBound(
        sharpe=sharpe,
        lower=lower,
        annual=sharpe.annual(year),
        annual_lower=lower.annual(year),
        confidence=confidence,
        interval=Interval(observed, observed - high * error, observed - low * error, confidence),
        observations=chosen.observations,
        resampling=resampling,
    )


def annual_mean(
    returns: ExcessReturns,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    resamples: int = RESAMPLES,
    where: "NDArray[np.bool_] | None" = None,
) -> Interval | Inconclusive:
    """Return the mean excess return of a year with its interval, percentiles of the bootstrap.

    Args:
        returns: Of single periods.
        confidence: Of the interval, between 0.5 and 1.
        seed: Of the bootstrap.
        resamples: How many.
        where: As in :func:`sharpe_bound`.

    Raises:
        InvalidInputError: The confidence is no such number.
    """
    _require_confidence(confidence)
    inside = _all(returns) if where is None else where
    chosen = ExcessReturns(returns.values[inside], returns.periods_per_year)
    refusal = unfit("annual_mean", chosen)
    if refusal is not None:
        return refusal
    resampling = Resampling(resamples, mean_block(chosen.values), seed)
    terms = np.stack([inside, np.where(inside, returns.values, 0.0)], axis=1)
    sums = np.concatenate(
        [counts @ terms for counts in resample_counts(returns.observations, resampling)]
    )
    means = sums[sums[:, 0] > 0]
    rest = (1.0 - confidence) / 2
    low, high = np.quantile(means[:, 1] / means[:, 0], [rest, 1.0 - rest]).tolist()
    year = returns.periods_per_year
    return Interval(float(chosen.values.mean()) * year, low * year, high * year, confidence)


def _distances(
    values: "NDArray[np.float64]",
    inside: "NDArray[np.bool_]",
    sharpe: PerPeriodSharpe,
    resampling: Resampling,
) -> "NDArray[np.float64]":
    # Of the resampled ratios from the observed one, each in units of its own standard error. In
    # standard units sums of powers lose no digits.
    chosen = values[inside]
    mean, deviation = chosen.mean(), chosen.std()
    standard = np.where(inside, (values - mean) / deviation, 0.0)
    powers = np.stack([inside, *(standard**power for power in range(1, 5))], axis=1)
    found = []
    for counts in resample_counts(len(values), resampling):
        sums = counts @ powers
        count = sums[:, 0]
        first, second, third, fourth = sums[count > 1, 1:].T / count[count > 1]
        count = count[count > 1]
        variance = second - first**2
        valid = variance > np.finfo(np.float64).eps * 1e3
        first, second, third, fourth, count, variance = (
            column[valid] for column in (first, second, third, fourth, count, variance)
        )
        ratio = (mean / deviation + first) / np.sqrt(variance * count / (count - 1))
        skewness = (third - 3 * first * second + 2 * first**3) / variance**1.5
        kurtosis = (fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4) / variance**2
        spread = 1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
        fit = spread > math.sqrt(np.finfo(np.float64).eps)
        error = np.sqrt(spread[fit] / (count[fit] - 1))
        found.append((ratio[fit] - sharpe.value) / error)
    return np.concatenate(found)


def _all(returns: ExcessReturns) -> "NDArray[np.bool_]":
    return np.ones(returns.observations, dtype=np.bool_)


def _require_confidence(confidence: float) -> None:
    if not 0.5 < confidence < 1.0:  # noqa: PLR2004 (more likely than not, less than certain)
        raise InvalidInputError("a confidence is between 0.5 and 1")
