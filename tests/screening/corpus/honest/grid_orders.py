"""A ladder of limit orders, with loops that end."""

from collections import defaultdict
from itertools import count, islice, takewhile

from zipline.api import cancel_order, get_open_orders, order, symbols
from zipline.finance.execution import LimitOrder, StopOrder

STEPS = 4
SPACING = 0.01


def initialize(context):
    context.assets = symbols("AAPL", "MSFT")
    context.fills = defaultdict(int)


def rungs(price):
    for step in count(1):
        level = price * (1 - step * SPACING)
        if step > STEPS:
            return
        yield level


def lowest_free(levels):
    number = 0
    while True:
        if number not in levels:
            break
        number += 1
    return number


def handle_data(context, data):
    for asset in context.assets:
        for waiting in get_open_orders(asset):
            cancel_order(waiting)
        price = data.current(asset, "close")
        if not data.can_trade(asset) or price <= 0:
            continue
        for level in islice(rungs(price), STEPS):
            order(asset, 10, style=LimitOrder(level))
        held = context.portfolio.positions[asset].amount
        if held > 0:
            order(asset, -held, style=StopOrder(price * 0.9))
        context.fills[asset] = lowest_free(set(takewhile(lambda n: n < held, count())))
