"""Sets guards on its orders, runs into each, and goes on."""

from collections import Counter

from zipline.api import (
    order,
    set_long_only,
    set_max_order_count,
    set_max_order_size,
    set_max_position_size,
    symbols,
)
from zipline.errors import TradingControlViolation


def initialize(context):
    context.assets = symbols("DELL", "INTC")
    context.bar = 0
    context.refused = Counter()
    set_long_only()
    set_max_order_size(asset=context.assets[0], max_shares=150)
    set_max_position_size(asset=context.assets[1], max_shares=400, max_notional=15_000)
    set_max_order_count(3)


def handle_data(context, data):
    context.bar += 1
    for asset in context.assets:
        for amount in (20, 90 + context.bar % 90, -60):
            try:
                order(asset, amount)
            except TradingControlViolation as violation:
                constraint = str(violation).splitlines()[-1].split("(")[0]
                context.refused[constraint] += 1
    if context.bar % 200 == 0:
        print(sorted(context.refused.items()))
