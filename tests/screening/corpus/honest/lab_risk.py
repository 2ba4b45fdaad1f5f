"""Sizes by what is lost at the stop, with exits as far away as bars are long."""
from zipline.api import symbol
from stratlab_runner import lab


def initialize(context):
    context.assets = [symbol(name) for name in context.symbols]
    context.brackets = {}


def handle_data(context, data):
    for asset in context.assets:
        held = context.brackets.get(asset)
        if held is not None and (held.is_pending or held.is_open):
            continue
        if not data.can_trade(asset):
            continue
        stop = lab.risk.range_distance(data, asset, 10, 2.0)
        take = lab.risk.percent_distance(data, asset, 4.0)
        shares = lab.risk.risk_percent(context, data, asset, context.params["percent"], stop)
        if shares:
            context.brackets[asset] = lab.order_bracket(asset, shares, stop, take)
