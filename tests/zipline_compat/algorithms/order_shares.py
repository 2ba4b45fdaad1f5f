"""Buys and sells numbers of shares, and reads back what became of each order."""

from zipline.api import get_order, order, record, symbol


def initialize(context):
    context.asset = symbol("AAPL")
    context.bar = 0
    context.last = None


def handle_data(context, data):
    context.bar += 1
    if context.last is not None:
        placed = get_order(context.last)
        record(filled=placed.filled, commission=placed.commission)
        if context.bar % 50 == 0:
            print(context.bar, placed.amount, placed.filled, round(placed.commission, 6))
    if context.bar % 7 == 0:
        context.last = order(context.asset, 40)
    elif context.bar % 11 == 0:
        context.last = order(context.asset, -25)
