"""Trades fixed amounts of money and fractions of the portfolio, short ones too."""

from zipline.api import order_percent, order_value, symbols


def initialize(context):
    context.assets = symbols("AAPL", "MSFT", "INTC")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    first, second, third = context.assets
    if context.bar % 20 == 0:
        order_value(first, 2_500)
        order_percent(second, 0.01)
        order_value(third, -1_700, limit_price=data.current(third, "price") * 0.99)
    if context.bar % 55 == 0:
        order_percent(first, -0.03)
        order_value(third, 4_000, stop_price=data.current(third, "price") * 1.005)
