"""Minimum variance by scipy."""

from functools import lru_cache, partial

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from zipline.api import (
    date_rules,
    order_target_percent,
    record,
    schedule_function,
    symbols,
)


def initialize(context):
    context.assets = symbols("AAPL", "IBM", "MSFT")
    context.rng = np.random.default_rng(7)
    schedule_function(rebalance, date_rules.week_start())


def variance(weights, covariance):
    return float(weights @ covariance @ weights)


@lru_cache(maxsize=None)
def start(count):
    return tuple(1.0 / count for _ in range(count))


def solve(covariance):
    count = len(covariance)
    return minimize(
        partial(variance, covariance=covariance),
        np.array(start(count)),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints=({"type": "eq", "fun": lambda w: w.sum() - 1.0},),
    )


def rebalance(context, data):
    prices = data.history(context.assets, "close", 100, "1d")
    returns = np.log(prices).diff().dropna().to_numpy()
    if not np.isfinite(returns).all():
        return
    covariance = np.cov(returns, rowvar=False)
    covariance += np.eye(len(covariance)) * 1e-6
    solved = solve(covariance)
    skew = stats.skew(returns @ solved.x)
    jitter = context.rng.normal(0, 1e-4, len(solved.x))
    record(variance=solved.fun, skew=skew)
    if solved.success:
        for asset, weight in zip(context.assets, np.clip(solved.x + jitter, 0, 1)):
            order_target_percent(asset, weight)
