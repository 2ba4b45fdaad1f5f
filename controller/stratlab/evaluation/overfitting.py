"""What the best of many trials shows by luck alone, and what it takes to be more than that.

Sources: D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk
15 (2), 2012, and "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting
and Non-Normality", Journal of Portfolio Management 40 (5), 2014.
"""

import math
from statistics import NormalDist

from stratlab.domain.metrics import PeriodRatio, PerPeriodSharpe
from stratlab.domain.statistics import Moments

CONFIDENCE = 0.95
"""The deflated Sharpe ratio that a promotion needs (DESIGN.md, Integrity)."""

_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329

_SMALLEST_DISTANCE = 1e-6  # of Sharpe ratios per period: more than a trillion returns

NORMAL_MOMENTS = Moments()
"""Of normal returns."""


def null_variance(observations: int) -> float:
    """Return the variance of the Sharpe ratios of trials without skill: 1/T.

    Args:
        observations: Number of returns, T.
    """
    return 1.0 / observations


def expected_maximum_sharpe(trials: int, variance: float) -> PerPeriodSharpe:
    """Return the Sharpe ratio that the best of independent trials without skill should show.

    ``sqrt(V) * ((1 - g) * Z(1 - 1/N) + g * Z(1 - 1/(N e)))`` with the quantiles Z of the standard
    normal distribution and Euler's constant g; 0 for a single trial.

    Args:
        trials: How many there were, N.
        variance: Of their Sharpe ratios (per period), V.

    Source: Bailey and Lopez de Prado (2014), equation 1.
    """
    if trials <= 1:
        return PerPeriodSharpe(PeriodRatio(0.0))
    # From below: 1 - 1/N would round to 1 for a very large N.
    first = -_NORMAL.inv_cdf(1.0 / trials)
    second = -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    luck = math.sqrt(variance) * ((1.0 - _EULER_GAMMA) * first + _EULER_GAMMA * second)
    return PerPeriodSharpe(PeriodRatio(luck))


def probabilistic_sharpe_ratio(
    sharpe: PerPeriodSharpe,
    observations: int,
    threshold: PerPeriodSharpe,
    moments: Moments = NORMAL_MOMENTS,
) -> float:
    """Return the probability that the true Sharpe ratio is above a threshold.

    With what luck explains (:func:`expected_maximum_sharpe`) for the threshold this is the
    deflated Sharpe ratio.

    Args:
        sharpe: Observed, of excess returns.
        observations: Number of returns, at least 2.
        threshold: What the ratio is compared with.
        moments: Of the returns.

    Source: Bailey and Lopez de Prado (2012); (2014), equation 2.
    """
    distance = (sharpe.value - threshold.value) * math.sqrt(observations - 1)
    return _NORMAL.cdf(distance / math.sqrt(sharpe_spread(sharpe, moments)))


def sharpe_spread(sharpe: PerPeriodSharpe, moments: Moments) -> float:
    """Return the variance of an estimated Sharpe ratio times the number of returns.

    Never negative for moments that returns can have; zero for returns of two values only.

    Args:
        sharpe: Observed.
        moments: Of the returns.

    Source: Mertens (2002), as in Bailey and Lopez de Prado (2012).
    """
    observed = sharpe.value
    return 1.0 - moments.skewness * observed + (moments.kurtosis - 1.0) / 4.0 * observed**2


def minimum_track_record_length(
    sharpe: PerPeriodSharpe,
    threshold: PerPeriodSharpe,
    confidence: float = CONFIDENCE,
    moments: Moments = NORMAL_MOMENTS,
) -> int | None:
    """Return the number of returns at which the ratio is probably enough above a threshold.

    None where it is not above it, or so little that the number has no meaning.

    Args:
        sharpe: Observed, of excess returns.
        threshold: What the ratio is compared with.
        confidence: Probability that is asked for, between 0.5 and 1.
        moments: Of the returns.

    Source: Bailey and Lopez de Prado (2012).
    """
    distance = sharpe.value - threshold.value
    if distance <= _SMALLEST_DISTANCE:
        return None
    quantile = _NORMAL.inv_cdf(confidence)
    return math.ceil(1.0 + sharpe_spread(sharpe, moments) * (quantile / distance) ** 2)


def required_sharpe(
    trials: int, observations: int, moments: Moments = NORMAL_MOMENTS
) -> PerPeriodSharpe | None:
    """Return the Sharpe ratio whose deflated ratio is :data:`CONFIDENCE`, with null variance.

    The one solution above the benchmark of ``(x - b)^2 (T - 1) = z^2 (1 - s x + (k - 1)/4 x^2)``,
    the equation of :func:`probabilistic_sharpe_ratio` squared; None when returns are so few that no
    Sharpe ratio is enough.

    Args:
        trials: N.
        observations: Number of returns, T.
        moments: Of the returns.
    """
    if observations <= 1:
        return None
    benchmark = expected_maximum_sharpe(trials, null_variance(observations)).value
    quantile = _NORMAL.inv_cdf(CONFIDENCE) ** 2
    degrees = observations - 1
    square = degrees - quantile * (moments.kurtosis - 1.0) / 4.0
    linear = -2.0 * benchmark * degrees + quantile * moments.skewness
    constant = benchmark**2 * degrees - quantile
    if square <= 0:
        return None
    root = math.sqrt(linear**2 - 4.0 * square * constant)
    return PerPeriodSharpe(PeriodRatio((-linear + root) / (2.0 * square)))
