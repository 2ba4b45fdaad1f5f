"""Orders far more than a bar's volume allows, so that orders fill in parts over many bars."""

from zipline.api import (
    NeverCancel,
    cancel_order,
    cancel_policy,
    get_open_orders,
    order,
    set_cancel_policy,
    symbol,
)


def initialize(context):
    set_cancel_policy(cancel_policy.EODCancel())
    set_cancel_policy(NeverCancel())
    context.asset = symbol("THIN")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    if context.bar % 40 == 1:
        order(context.asset, 4_000)
    if context.bar % 40 == 21:
        order(context.asset, -4_000)
    if context.bar % 160 == 0:
        for asset, waiting in get_open_orders().items():
            print(asset.symbol, [(each.amount, each.filled) for each in waiting])
            for each in waiting:
                cancel_order(each.id)
