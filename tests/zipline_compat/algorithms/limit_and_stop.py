"""Places limit, stop and stop-limit orders around the price, and cancels those that grow old."""

from zipline.api import cancel_order, get_open_orders, order, symbols

OLD = 5


def initialize(context):
    context.assets = symbols("DELL", "COST", "THIN")
    context.bar = 0
    context.born = {}


def handle_data(context, data):
    context.bar += 1
    for asset in context.assets:
        for waiting in get_open_orders(asset):
            if context.bar - context.born[waiting.id] >= OLD:
                cancel_order(waiting)
        price = data.current(asset, "price")
        kinds = [
            {"limit_price": price * 0.985},
            {"stop_price": price * 1.01},
            {"limit_price": price * 1.02, "stop_price": price * 1.008},
        ]
        amount = 60 if context.bar % 4 else -90
        placed = order(asset, amount, **kinds[context.bar % 3])
        context.born[placed] = context.bar
