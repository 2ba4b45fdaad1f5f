"""What the best of many trials shows by luck alone, and what it takes to be more than that.

Source: D. H. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection
Bias, Backtest Overfitting and Non-Normality", Journal of Portfolio Management 40 (5), 2014.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

from stratlab.domain.metrics import PerPeriodSharpe

CONFIDENCE = 0.95
"""The deflated Sharpe ratio that a promotion needs (DESIGN.md, Integrity)."""

_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329


@final
@dataclass(frozen=True, slots=True)
class Moments:
    """Shape of a distribution of returns; that of the normal one unless told otherwise.

    Attributes:
        skewness: Third standardised moment.
        kurtosis: Fourth standardised moment (3 for the normal distribution).
    """

    skewness: float = 0.0
    kurtosis: float = 3.0


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
        return PerPeriodSharpe(0.0)
    # From below: 1 - 1/N would round to 1 for a very large N.
    first = -_NORMAL.inv_cdf(1.0 / trials)
    second = -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return PerPeriodSharpe(
        math.sqrt(variance) * ((1.0 - _EULER_GAMMA) * first + _EULER_GAMMA * second)
    )


def deflated_sharpe_ratio(
    sharpe: PerPeriodSharpe,
    observations: int,
    benchmark: PerPeriodSharpe,
    moments: Moments = NORMAL_MOMENTS,
) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark.

    Args:
        sharpe: Observed, of excess returns.
        observations: Number of returns, at least 2.
        benchmark: What luck explains, see :func:`expected_maximum_sharpe`.
        moments: Of the returns.

    Source: Bailey and Lopez de Prado (2014), equation 2.
    """
    observed = sharpe.value
    spread = 1.0 - moments.skewness * observed + (moments.kurtosis - 1.0) / 4.0 * observed**2
    distance = (observed - benchmark.value) * math.sqrt(observations - 1)
    return _NORMAL.cdf(distance / math.sqrt(spread))


def required_sharpe(
    trials: int, observations: int, moments: Moments = NORMAL_MOMENTS
) -> PerPeriodSharpe | None:
    """Return the Sharpe ratio whose deflated ratio is :data:`CONFIDENCE`, with null variance.

    The one solution above the benchmark of ``(x - b)^2 (T - 1) = z^2 (1 - s x + (k - 1)/4 x^2)``,
    the equation of :func:`deflated_sharpe_ratio` squared; None when returns are so few that no
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
    return PerPeriodSharpe((-linear + root) / (2.0 * square))
