"""Gives execution styles as objects; zipline rounds their prices against the trader."""

from zipline.api import execution, order, order_target_percent, symbol
from zipline.finance.execution import LimitOrder, MarketOrder, StopLimitOrder, StopOrder


def initialize(context):
    context.asset = symbol("MMM")
    context.other = symbol("GPS")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    price = data.current(context.asset, "price")
    styles = [
        MarketOrder(),
        LimitOrder(price * 0.99333),
        StopOrder(price * 1.00777),
        StopLimitOrder(price * 1.01555, price * 1.00333),
        execution.LimitOrder(price * 1.00111, asset=context.asset),
    ]
    order(context.asset, 35, style=styles[context.bar % 5])
    if context.bar % 10 == 0:
        order_target_percent(
            context.other, 0.1, style=StopOrder(data.current(context.other, "high"))
        )
    if context.bar % 30 == 0:
        order(context.asset, -200, style=LimitOrder(price * 1.00222))
