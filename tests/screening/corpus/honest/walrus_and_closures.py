"""Closures, getattr with literals, walrus, f-strings, nested functions and generators."""

import numpy as np
from zipline.api import date_rules, order_target_percent, record, schedule_function, symbols


def make_signal(window, threshold=0.0):
    calls = 0

    def signal(prices):
        nonlocal calls
        calls += 1
        if (count := prices.notna().sum()) < window:
            return None
        return float(prices.iloc[-1] / prices.iloc[-window] - 1 > threshold) if count else None

    return signal


def initialize(context):
    context.assets = symbols("AAPL", "MSFT")
    context.signals = {n: make_signal(n) for n in (20, 60, 120)}
    context.limit = getattr(context, "limit", 0.5)
    schedule_function(vote, date_rules.week_end())


def votes(context, prices):
    yield from (
        value for signal in context.signals.values() if (value := signal(prices)) is not None
    )


def vote(context, data):
    frame = data.history(list(context.assets), "price", 130, "1d")
    for asset in context.assets:
        cast = list(votes(context, frame[asset]))
        share = np.mean(cast) if cast else 0.0
        if hasattr(asset, "symbol"):
            record(**{f"share_{asset.symbol}": share})
        if data.can_trade(asset):
            order_target_percent(asset, context.limit * (share if share > context.limit else 0))
