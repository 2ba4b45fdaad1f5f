"""Hourly bars through the lab."""

from stratlab_runner import lab
from zipline.api import order_target_percent, symbol

import numpy as np


def initialize(context):
    context.assets = [symbol(name) for name in context.symbols]
    context.per_session = None
    lab.on_bar(decide)


def decide(context, data):
    if context.per_session is None:
        context.per_session = lab.bars_per_session(data)
    for asset in context.assets:
        bars = lab.session_bars(data, asset, ("high", "low", "close"), 5)
        if len(bars) < 10 or not data.can_trade(asset):
            continue
        highs, lows, closes = np.array(bars).T
        typical = (highs + lows + closes) / 3
        order_target_percent(asset, 0.3 if closes[-1] > typical.mean() else 0.0)
