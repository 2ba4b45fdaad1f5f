"""How much worse out of sample is than in sample: a difference with an interval, never a ratio."""

import math
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.robustness import Degradation
from stratlab.domain.statistics import Resampling
from stratlab.evaluation.statistics.resampling import mean_block, resample_counts
from stratlab.evaluation.statistics.sharpe import MINIMUM_OBSERVATIONS, sharpe_of, varies

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Of the interval."""

RESAMPLES = 1000
"""Of the stationary bootstrap, of each of the two series."""

_SEEDS = 2**32


def degradation(
    in_sample: "NDArray[np.float64]",
    out_of_sample: "NDArray[np.float64]",
    sessions_per_year: int,
    seed: int,
) -> Degradation:
    """Return the annual Sharpe ratio in sample minus the one out of sample.

    The two series are resampled apart, by the stationary bootstrap, and the interval is that of
    the percentiles of the difference. Sessions that are in both, of an anchored walk-forward,
    make the true spread smaller than this, hence the interval wider than it need be.

    Args:
        in_sample: Daily returns over the benchmark, shape (sessions,).
        out_of_sample: The same of other sessions.
        sessions_per_year: What the ratios are annualised with.
        seed: Of the resamples.
    """
    year = math.sqrt(sessions_per_year)
    series = (in_sample, out_of_sample)
    if not all(len(each) > 1 and _is_usable(each) for each in series):
        return Degradation(None, None, None, CONFIDENCE)
    ratios = [sharpe_of(each).value * year for each in series]
    value = ratios[0] - ratios[1]
    if min(map(len, series)) < MINIMUM_OBSERVATIONS:
        return Degradation(value, None, None, CONFIDENCE)
    first, second = (
        _resampled(each, (2 * seed + place) % _SEEDS) * year for place, each in enumerate(series)
    )
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(first - second, (tail, 1.0 - tail)).tolist()
    return Degradation(value, low, high, CONFIDENCE)


def _is_usable(returns: "NDArray[np.float64]") -> bool:
    return bool(np.isfinite(returns).all()) and varies(returns)


def _resampled(returns: "NDArray[np.float64]", seed: int) -> "NDArray[np.float64]":
    # Sharpe ratios per session of every resample; 0 for one that happens not to vary.
    resampling = Resampling(RESAMPLES, mean_block(returns), seed)
    count = len(returns)
    found = []
    for counts in resample_counts(count, resampling):
        means = counts @ returns / count
        squares = counts @ returns**2 / count
        variance = (squares - means**2) * count / (count - 1)
        with np.errstate(all="ignore"):
            found.append(np.where(variance > 0, means / np.sqrt(variance), 0.0))
    return np.concatenate(found)
