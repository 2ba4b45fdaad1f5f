"""RSI with TA-Lib, which may be missing."""

import os
import sys

from zipline.api import order_target_percent, record, symbol

try:
    import talib
except ImportError:
    talib = None

NAME = os.path.join("strategies", "rsi")
OVERSOLD, OVERBOUGHT = 30, 70


def initialize(context):
    if talib is None:
        raise RuntimeError("TA-Lib is needed")
    context.asset = symbol("IBM")
    context.invested = False
    print(NAME, sys.version_info[:2], file=sys.stderr)


def handle_data(context, data):
    prices = data.history(context.asset, "price", 50, "1d")
    rsi = talib.RSI(prices.to_numpy(), timeperiod=14)[-1]
    record(rsi=rsi)
    if rsi < OVERSOLD and not context.invested:
        order_target_percent(context.asset, 1.0)
        context.invested = True
    elif rsi > OVERBOUGHT and context.invested:
        order_target_percent(context.asset, 0.0)
        context.invested = False
