"""The style of the old forums."""

from math import *

from zipline.api import *


def initialize(context):
    context.security = symbol('AAPL')
    context.max_notional = 1000000.1
    context.min_notional = -1000000.0
    set_long_only()


def handle_data(context, data):
    short = data.history(context.security, 'price', 5, '1d').mean()
    current = data.current(context.security, 'price')
    position = context.portfolio.positions[context.security].amount
    notional = position * current
    if current > 1.01 * short and notional > context.min_notional:
        order(context.security, -100)
    elif current < 0.99 * short and notional < context.max_notional:
        order(context.security, +100)
    record(stock_price=current, edge=log(current / short) if not isnan(short) else 0)
