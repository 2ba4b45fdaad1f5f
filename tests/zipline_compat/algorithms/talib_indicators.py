"""Trades on indicators of TA-Lib."""

import numpy as np
import talib
from talib import abstract
from zipline.api import order_target, symbol


def initialize(context):
    context.asset = symbol("GPS")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    bars = data.history(context.asset, ["high", "low", "close"], 60, "1d")
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    strength = talib.RSI(close, timeperiod=14)[-1]
    upper, _, lower = talib.BBANDS(close, timeperiod=20)
    width = talib.ATR(high, low, close, timeperiod=14)[-1]
    trend = abstract.SMA(bars, timeperiod=30).iloc[-1]
    if np.isfinite([strength, width, trend]).all():
        target = int((60 - strength) * 5 + (100 if close[-1] > trend else -50))
        order_target(context.asset, target if lower[-1] < close[-1] < upper[-1] else 0)
    if context.bar % 100 == 0:
        print(round(strength, 9), round(width, 9), round(trend, 9))
