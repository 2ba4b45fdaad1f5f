"""Sharpe ratios of excess returns: the estimate, how sure it is, and what it is in a year.

Sources: A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58 (4), 2002;
D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2),
2012.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.metrics import AnnualSharpe, PeriodRatio, PerPeriodSharpe
from stratlab.domain.statistics import (
    Inconclusive,
    Insufficiency,
    MinimumTrackRecord,
    Moments,
    ProbabilisticSharpe,
    SharpeEstimate,
)
from stratlab.evaluation.overfitting import (
    CONFIDENCE,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_spread,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.returns import ExcessReturns

MINIMUM_OBSERVATIONS = 60
"""Returns below which no statistic is computed: the formulas hold for many returns only."""

ZERO_SHARPE = PerPeriodSharpe(PeriodRatio(0.0))
"""No skill."""

_NO_VARIATION = 1e-12  # standard deviation over the largest return


def estimate_sharpe(returns: "ExcessReturns") -> SharpeEstimate | Inconclusive:
    """Return the Sharpe ratio of excess returns with its moments, its error and its annual values.

    Lo's scaling takes in the first ``4 (T / 100)^(2/9)`` autocorrelations, after Newey and West:
    those of a whole year cannot be estimated from a few years.

    Args:
        returns: Of single periods.
    """
    refusal = unfit("estimate_sharpe", returns)
    if refusal is not None:
        return refusal
    values, year = returns.values, returns.periods_per_year
    sharpe, moments = sharpe_of(values), moments_of(values)
    observations = returns.observations
    lags = math.floor(4.0 * (observations / 100.0) ** (2.0 / 9.0))
    correlations = autocorrelations(values, lags)
    scale = annual_scale(correlations, year)
    return SharpeEstimate(
        per_period=sharpe,
        annual=sharpe.annual(year),
        lo_annual=None if scale is None else AnnualSharpe(sharpe.value * scale),
        lags=lags,
        first_autocorrelation=correlations[0],
        standard_error=math.sqrt(sharpe_spread(sharpe, moments) / (observations - 1)),
        moments=moments,
        observations=observations,
        periods_per_year=year,
    )


def probabilistic_sharpe(
    returns: "ExcessReturns", threshold: PerPeriodSharpe = ZERO_SHARPE
) -> ProbabilisticSharpe | Inconclusive:
    """Return how probably the true Sharpe ratio is above a threshold.

    Args:
        returns: Of single periods.
        threshold: What the ratio is compared with.

    Source: Bailey and Lopez de Prado (2012).
    """
    refusal = unfit("probabilistic_sharpe", returns)
    if refusal is not None:
        return refusal
    sharpe, moments = sharpe_of(returns.values), moments_of(returns.values)
    probability = probabilistic_sharpe_ratio(sharpe, returns.observations, threshold, moments)
    return ProbabilisticSharpe(probability, sharpe, threshold, moments, returns.observations)


def minimum_track_record(
    returns: "ExcessReturns",
    threshold: PerPeriodSharpe = ZERO_SHARPE,
    confidence: float = CONFIDENCE,
) -> MinimumTrackRecord | Inconclusive:
    """Return how many such returns it takes to say that the ratio is above a threshold.

    Args:
        returns: Of single periods.
        threshold: What the ratio is compared with.
        confidence: Probability that is asked for.

    Source: Bailey and Lopez de Prado (2012).
    """
    refusal = unfit("minimum_track_record", returns)
    if refusal is not None:
        return refusal
    sharpe, moments = sharpe_of(returns.values), moments_of(returns.values)
    required = minimum_track_record_length(sharpe, threshold, confidence, moments)
    return MinimumTrackRecord(required, returns.observations, confidence, threshold)


def annual_scale(correlations: Sequence[float], periods_per_year: float) -> float | None:
    """Return what a Sharpe ratio per period is multiplied with for a year.

    ``q / sqrt(q + 2 sum_k (q - k) rho_k)``, the square root of q without autocorrelation; None
    where that leaves no variance to the year.

    Args:
        correlations: Autocorrelations rho_k of the returns for the lags 1, 2, ...; those that are
            not given are taken as zero.
        periods_per_year: q.

    Source: Lo (2002), equation 20.
    """
    year = periods_per_year
    variance = year + 2.0 * sum(
        (year - lag) * correlation
        for lag, correlation in enumerate(correlations, start=1)
        if lag < year
    )
    return year / math.sqrt(variance) if variance > 0 else None


def autocorrelations(values: "NDArray[np.float64]", lags: int) -> list[float]:
    """Return the autocorrelations of returns for the lags 1 to ``lags``.

    Args:
        values: Shape (T,), not all the same, T above ``lags``.
        lags: How many.
    """
    centred = values - values.mean()
    variance = float(centred @ centred)
    return [float(centred[:-lag] @ centred[lag:]) / variance for lag in range(1, lags + 1)]


def sharpe_of(values: "NDArray[np.float64]") -> PerPeriodSharpe:
    """Return mean over standard deviation (one degree of freedom less) of returns that vary."""
    return PerPeriodSharpe(PeriodRatio(float(values.mean() / values.std(ddof=1))))


def moments_of(values: "NDArray[np.float64]") -> Moments:
    """Return skewness and kurtosis of returns that vary, as moments of the sample."""
    standard = (values - values.mean()) / values.std()
    return Moments(float((standard**3).mean()), float((standard**4).mean()))


def unfit(statistic: str, returns: "ExcessReturns") -> Inconclusive | None:
    """Return why nothing can be said of returns, or None.

    Args:
        statistic: Name of the function that was asked.
        returns: Too few, or of no variation?
    """
    if returns.observations < MINIMUM_OBSERVATIONS:
        return Inconclusive(
            statistic,
            Insufficiency.TOO_FEW_OBSERVATIONS,
            f"{returns.observations} returns are fewer than {MINIMUM_OBSERVATIONS}",
            returns.observations,
            MINIMUM_OBSERVATIONS,
        )
    # A series of one value, or of two, has no Sharpe ratio whose error could be estimated.
    if not varies(returns.values) or sharpe_spread(
        sharpe_of(returns.values), moments_of(returns.values)
    ) <= math.sqrt(np.finfo(np.float64).eps):
        return Inconclusive(
            statistic,
            Insufficiency.NO_VARIATION,
            "the returns hardly vary",
            returns.observations,
        )
    return None


def varies(values: "NDArray[np.float64]") -> bool:
    """Return whether returns are more than one value with the noise of rounding."""
    return bool(values.std() > _NO_VARIATION * abs(values).max())
