"""Volatility targeting with warnings silenced and templates for messages."""

import logging
import warnings

import numpy as np
import pandas as pd
from empyrical import annual_volatility, max_drawdown
from zipline.api import get_open_orders, order_target_percent, record, symbols

warnings.filterwarnings("ignore", category=FutureWarning)
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
logger = logging.getLogger("volatility")

MESSAGE = "target {target:.2f}, leverage {account.leverage:.2f}"
TARGET = 0.12


def initialize(context):
    context.assets = list(symbols("AAPL", "IBM", "MSFT"))
    context.history = pd.Series(dtype=float)


def handle_data(context, data):
    if get_open_orders():
        return
    prices = data.history(context.assets, "price", 64, "1d")
    returns = prices.pct_change().iloc[1:]
    ewma = returns.ewm(span=20).std().iloc[-1] * np.sqrt(252)
    rank = returns.rolling(20).mean().iloc[-1].rank(pct=True)
    weights = (rank > 0.3).astype(float) / ewma.replace(0, np.nan)
    weights = weights.fillna(0.0) / len(context.assets)
    portfolio = (returns * weights).sum(axis=1)
    scale = min(TARGET / max(annual_volatility(portfolio), 1e-6), 1.5)
    for asset, weight in (weights * scale).items():
        if data.can_trade(asset):
            order_target_percent(asset, float(min(weight, 0.6)))
    logger.info(MESSAGE.format(target=scale, account=context.account))
    record(scale=scale, drawdown=max_drawdown(portfolio))
