"""Uses the policy that cancels at the end of the day, which acts in its own way on daily bars."""

import warnings

from zipline.api import EODCancel, order, set_cancel_policy, symbols

warnings.simplefilter("ignore")


def initialize(context):
    set_cancel_policy(EODCancel(warn_on_cancel=False))
    context.assets = symbols("AMD", "THIN")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    for asset in context.assets:
        price = data.current(asset, "price")
        order(asset, 50, limit_price=price * 0.97)
        if context.bar % 5 == 0:
            order(asset, -120)
            order(asset, 80, stop_price=price * 1.02)
