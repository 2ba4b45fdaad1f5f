"""The few figures by which pieces of evidence are compared, from daily returns."""

import math
from typing import TYPE_CHECKING

import empyrical
import numpy as np

from stratlab.domain.metrics import AnnualSharpe
from stratlab.domain.robustness import Performance
from stratlab.domain.trial import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stratlab.domain.trial import EquityPoint


def performance(
    returns: "NDArray[np.float64]", benchmark: "NDArray[np.float64]", sessions_per_year: int
) -> Performance:
    """Return the figures of daily returns, by the definitions of the host's metrics.

    Args:
        returns: Shape (sessions,), above -1; a NaN among them makes every figure undefined.
        benchmark: Of the benchmark on the same sessions.
        sessions_per_year: What they are annualised with.
    """
    if not len(returns) or not bool(np.isfinite(returns).all()):
        return Performance(Outcome.SUCCEEDED)
    with np.errstate(all="ignore"):
        sharpe = float(empyrical.sharpe_ratio(returns, annualization=sessions_per_year))
        excess = float(empyrical.sharpe_ratio(returns - benchmark, annualization=sessions_per_year))
        growth = float(empyrical.annual_return(returns, annualization=sessions_per_year))
    return Performance(
        outcome=Outcome.SUCCEEDED,
        cum_returns_final=float(empyrical.cum_returns_final(returns)),
        annual_return=growth if math.isfinite(growth) else None,
        sharpe_ratio=AnnualSharpe(sharpe) if math.isfinite(sharpe) else None,
        excess_sharpe=AnnualSharpe(excess) if math.isfinite(excess) else None,
        max_drawdown=float(empyrical.max_drawdown(returns)),
    )


def daily_returns(equity: "NDArray[np.float64]", capital: float) -> "NDArray[np.float64]":
    """Return the daily returns of an account, NaN throughout when it was wiped out.

    Args:
        equity: At each session's close, shape (sessions,).
        capital: What it began with.
    """
    if bool((equity <= 0).any()):
        return np.full(len(equity), np.nan)
    return equity / np.concatenate(([capital], equity[:-1])) - 1.0


def returns_of(points: "Sequence[EquityPoint]", capital: float) -> "NDArray[np.float64]":
    """Return the daily returns of a settled trial's equity."""
    return daily_returns(np.array([point.value for point in points]), capital)
