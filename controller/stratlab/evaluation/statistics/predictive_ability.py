"""Hansen's test whether the best of all trials beats the benchmark at all.

Source: P. R. Hansen, "A Test for Superior Predictive Ability", Journal of Business and Economic
Statistics 23 (4), 2005.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.statistics import (
    Inconclusive,
    Insufficiency,
    PredictiveAbility,
    Resampling,
)
from stratlab.evaluation.statistics.resampling import mean_block, resample_counts
from stratlab.evaluation.statistics.sharpe import MINIMUM_OBSERVATIONS, varies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.returns import TrialReturns

RESAMPLES = 2000
"""A p-value of 0.05 is then exact to half a percent."""


def predictive_ability(
    trials: "TrialReturns", *, seed: int = 0, resamples: int = RESAMPLES
) -> PredictiveAbility | Inconclusive:
    """Return how often luck alone makes the best of such trials as good as the observed one.

    Excess returns are compared by their studentised means, so that a loud trial does not hide a
    steady one; ``(b + 1) / (B + 1)`` is the p-value of b out of B resamples. The mean length of
    blocks is that of the best trial.

    Args:
        trials: Excess returns of all trials over the same periods; those that do not vary can
            beat nothing and are left out.
        seed: Of the bootstrap.
        resamples: B.
    """
    if trials.observations < MINIMUM_OBSERVATIONS:
        return Inconclusive(
            "predictive_ability",
            Insufficiency.TOO_FEW_OBSERVATIONS,
            f"{trials.observations} returns are fewer than {MINIMUM_OBSERVATIONS}",
            trials.observations,
            MINIMUM_OBSERVATIONS,
        )
    varying = [column for column in trials.values.T if varies(column)]
    if not varying:
        return Inconclusive(
            "predictive_ability",
            Insufficiency.NO_VARIATION,
            "no trial has returns that vary",
            trials.observations,
        )
    values = np.stack(varying, axis=1)
    best = values[:, int((values.mean(axis=0) / values.std(axis=0)).argmax())]
    resampling = Resampling(resamples, mean_block(best), seed)
    scaled = values / np.sqrt(long_run_variance(values, resampling.mean_block))
    lower, consistent, upper = _p_values(scaled, resampling)
    return PredictiveAbility(
        p_value=consistent,
        p_lower=lower,
        p_upper=upper,
        trials=trials.trials,
        observations=trials.observations,
        resampling=resampling,
    )


def long_run_variance(values: "NDArray[np.float64]", mean_length: int) -> "NDArray[np.float64]":
    """Return the variance of the mean times T, as the stationary bootstrap has it.

    Args:
        values: Shape (T, N).
        mean_length: Of a block.

    Source: Politis and Romano (1994), lemma 1.
    """
    count = len(values)
    centred = values - values.mean(axis=0)
    # The covariances of all lags at once; padded, so that the ends do not meet.
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=0)
    covariances = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=0)[:count] / count
    lags = np.arange(count)
    stay = 1.0 - 1.0 / mean_length
    weights = (1.0 - lags / count) * stay**lags + lags / count * stay ** (count - lags)
    weights[1:] *= 2.0
    return np.asarray(weights @ covariances, dtype=np.float64)


def _p_values(scaled: "NDArray[np.float64]", resampling: Resampling) -> tuple[float, ...]:
    count = len(scaled)
    means = scaled.mean(axis=0)
    # What is far below the benchmark cannot be the best one by luck; the three versions differ
    # in what they take for far.
    far = -math.sqrt(2.0 * math.log(math.log(count)) / count)
    centres = np.stack([np.maximum(means, 0.0), np.where(means >= far, means, 0.0), means])
    observed = max(float(means.max()), 0.0)
    reached = np.zeros(len(centres))
    for counts in resample_counts(count, resampling):
        resampled = counts @ scaled / count
        for version, centre in enumerate(centres):
            best = np.maximum((resampled - centre).max(axis=1), 0.0)
            reached[version] += (best >= observed).sum()
    return tuple(((reached + 1.0) / (resampling.resamples + 1.0)).tolist())
