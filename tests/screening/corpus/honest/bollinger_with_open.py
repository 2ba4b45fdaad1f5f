"""Mean reversion; names variables after fields, `open` too."""

import math

from zipline.api import order_target_percent, record, schedule_function, symbol
from zipline.api import date_rules, time_rules

WINDOW = 20
WIDTH = 2.0


def initialize(context):
    context.asset = symbol("AAPL")
    schedule_function(decide, date_rules.every_day(), time_rules.market_close(minutes=5))


def bands(closes):
    middle = closes.mean()
    spread = closes.std(ddof=0)
    return middle - WIDTH * spread, middle, middle + WIDTH * spread


def decide(context, data):
    if not data.can_trade(context.asset):
        return
    closes = data.history(context.asset, "close", WINDOW, "1d")
    open = data.current(context.asset, "open")
    close = data.current(context.asset, "close")
    low, middle, high = bands(closes)
    if any(math.isnan(value) for value in (open, close, low)):
        return
    record(low=low, high=high, gap=close / open - 1)
    if close < low and open < middle:
        order_target_percent(context.asset, 0.9)
    elif close > middle:
        order_target_percent(context.asset, 0.0)
