"""Decides by windows of every field, of one and of several assets, across splits."""

from zipline.api import order, order_target, symbols

FIELDS = ["price", "open", "high", "low", "close", "volume"]


def initialize(context):
    context.assets = symbols("AAPL", "CERN", "MMM")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    if context.bar % 5:
        return
    one = data.history(context.assets[0], "close", 20, "1d")
    several = data.history(context.assets, "price", 15, "1d")
    fields = data.history(context.assets[1], FIELDS, 10, "1d")
    both = data.history(context.assets, ["high", "low"], 8, "1d")
    order(context.assets[0], 10 if one.iloc[-1] > one.mean() else -10)
    best = several.iloc[-1].div(several.iloc[0]).idxmax()
    order_target(best, 40)
    order(context.assets[1], int((fields["high"] - fields["low"]).sum()))
    if context.bar % 100 == 0:
        print(one.index[-1].date(), round(both.sum().sum(), 6), int(fields["volume"].sum()))
