"""Metrics of one backtest, by empyrical's names, from the host's own equity."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import empyrical
import numpy as np

from stratlab.domain.metrics import AnnualSharpe, Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.evaluation.repricing import Repricing


def compute_metrics(repriced: "Repricing", capital: float) -> Metrics:
    """Return the metrics of a repriced trial.

    Daily returns are those of the equity at each session's last bar, the first one against the
    starting capital; they are annualised with the sessions that the data set's calendar has in a
    year. A figure that cannot be computed (no trades, no volatility, fewer than two sessions) is
    None. An account that was wiped out (equity at or below zero at a close) keeps its total
    return and its drawdown, and nothing else: returns after that have no meaning.

    Args:
        repriced: The host's own account of the trial.
        capital: Starting cash, above zero.
    """
    equity = repriced.equity[repriced.ends]
    year = {"annualization": repriced.sessions_per_year}
    returns = _daily_returns(equity, capital)
    profits = repriced.profits
    alive = returns is not None

    def figure(function: Callable[..., float], **options: float) -> float | None:
        return _figure(function, returns, options) if returns is not None else None

    sharpe = figure(empyrical.sharpe_ratio, **year)
    return Metrics(
        cum_returns_final=figure(empyrical.cum_returns_final)
        if alive
        else float(equity[-1]) / capital - 1.0,
        annual_return=figure(empyrical.annual_return, **year),
        annual_volatility=figure(empyrical.annual_volatility, **year),
        sharpe_ratio=None if sharpe is None else AnnualSharpe(sharpe),
        sortino_ratio=figure(empyrical.sortino_ratio, **year),
        max_drawdown=figure(empyrical.max_drawdown) if alive else _drawdown(equity, capital),
        calmar_ratio=figure(empyrical.calmar_ratio, **year),
        win_rate=sum(profit > 0 for profit in profits) / len(profits) if profits else None,
        total_trades=len(profits),
        turnover=_turnover(repriced) if alive else None,
    )


def _daily_returns(equity: "NDArray[np.float64]", capital: float) -> "NDArray[np.float64] | None":
    if bool((equity <= 0).any()):
        return None
    with np.errstate(over="ignore"):
        return np.diff(equity, prepend=capital) / np.concatenate(([capital], equity[:-1]))


def _figure(
    function: Callable[..., float], returns: "NDArray[np.float64]", options: Mapping[str, float]
) -> float | None:
    # Empyrical divides by a zero deviation and says so; the result is what counts here.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value = float(function(returns, **options))
    return value if math.isfinite(value) else None


def _drawdown(equity: "NDArray[np.float64]", capital: float) -> float:
    path = np.concatenate(([capital], equity))
    return float((path / np.maximum.accumulate(path) - 1.0).min())


def _turnover(repriced: "Repricing") -> float:
    # Traded value per year over mean equity; both sides of a round trip count.
    traded = sum(abs(fill.amount) * fill.price for fill in repriced.fills)
    years = len(repriced.ends) / repriced.sessions_per_year
    return float(traded / years / repriced.equity[repriced.ends].mean())
