"""Cross-Sectional Momentum Strategy.

=================================

Ranks the universe by 12-1 month momentum, scales by inverse volatility and rebalances monthly.
Backtest period: 2001-06-01 to 2006-12-31 (see the campaign's spec).

Author: Assistant
"""

import numpy as np
import pandas as pd
from zipline.api import (
    date_rules,
    get_datetime,
    order_target_percent,
    record,
    schedule_function,
    symbol,
    time_rules,
)

# ---------------------------------------------------------------------------
# Configuration
# ---------------------------------------------------------------------------
CONFIG = {
    "lookback": 252,
    "skip": 21,
    "vol_window": 63,
    "top_n": 2,
    "max_weight": 0.5,
}

pd.options.mode.chained_assignment = None


def initialize(context):
    """Initialize the strategy state and schedule the rebalance."""
    context.assets = [symbol(name) for name in context.symbols]
    context.lookback = CONFIG["lookback"]
    context.weights = {}
    schedule_function(rebalance, date_rules.month_start(), time_rules.market_open(hours=1))


def calculate_momentum(prices: pd.DataFrame) -> pd.Series:
    """Calculate the 12-1 month momentum of each asset."""
    recent = prices.shift(CONFIG["skip"])
    momentum = recent.iloc[-1] / recent.iloc[CONFIG["skip"]] - 1.0
    return momentum.replace([np.inf, -np.inf], np.nan).dropna()


def calculate_volatility(prices: pd.DataFrame) -> pd.Series:
    """Calculate the annualised volatility of each asset."""
    returns = prices.pct_change().tail(CONFIG["vol_window"])
    return returns.std() * np.sqrt(252)


def rank_assets(momentum, volatility):
    """Rank by risk adjusted momentum."""
    table = pd.DataFrame({"momentum": momentum, "volatility": volatility}).dropna()
    table["score"] = table["momentum"] / table["volatility"]
    table = table.sort_values(by="score", ascending=False)
    summary = table.agg({"score": ["mean", "std"], "momentum": "max"})
    print("ranked {} assets at {:%Y-%m-%d}".format(len(table), get_datetime()))
    print(summary.to_string())
    return table.head(CONFIG["top_n"])


def rebalance(context, data):
    """Rebalance the portfolio to the highest ranked assets."""
    try:
        prices = data.history(context.assets, "price", context.lookback, "1d").ffill()
    except (KeyError, ValueError) as error:
        print("no history: {0}".format(error))
        return
    if prices.isna().any().any() or len(prices) < context.lookback:
        return
    ranked = rank_assets(calculate_momentum(prices), calculate_volatility(prices))
    ranked = ranked[ranked["momentum"] > 0]
    inverse = 1.0 / ranked["volatility"]
    weights = (inverse / inverse.sum()).clip(upper=CONFIG["max_weight"])
    for asset in context.assets:
        if data.can_trade(asset):
            order_target_percent(asset, float(weights.get(asset, 0.0)))
    context.weights = weights.to_dict()
    record(positions=len(weights), leverage=context.account.leverage)
