"""Buys and sells numbers of shares, and reads back what became of each order."""

from zipline.api import get_order, order, record, symbol


def initialize(context):
    context.asset = symbol("AAPL")
    context.bars = 0
    context.last = None


def handle_data(context, data):
    context.bars += 1
    if context.last is not None:
        placed = get_order(context.last)
        record(filled=placed.filled, commission=placed.commission)
        if context.bars % 50 == 0:
            print(context.bars, placed.amount, placed.filled, round(placed.commission, 6))
    if context.bars % 7 == 0:
        context.last = order(context.asset, 40)
    elif context.bars % 11 == 0:
        context.last = order(context.asset, -25)
