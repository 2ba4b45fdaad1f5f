"""Returns made of known ingredients."""

import numpy as np

from stratlab.domain.returns import ExcessReturns, TrialReturns

YEAR = 252


def noise(seed: int, sessions: int = 1000) -> np.ndarray:
    """Return standardised normal returns of one per cent: mean 0, deviation 0.01 exactly."""
    values = np.random.default_rng(seed).standard_normal(sessions)
    return 0.01 * (values - values.mean()) / values.std(ddof=1)


def with_sharpe(sharpe: float, seed: int = 0, sessions: int = 1000) -> ExcessReturns:
    """Return returns whose observed annual Sharpe ratio is the given one."""
    return ExcessReturns(noise(seed, sessions) + 0.01 * sharpe / YEAR**0.5, YEAR)


def table(seed: int, sessions: int = 400, trials: int = 10, mean: float = 0.0) -> TrialReturns:
    """Return independent trials of the same true mean, in deviations of single periods."""
    values = np.random.default_rng(seed).standard_normal((sessions, trials))
    return TrialReturns(0.01 * (values + mean), YEAR)
