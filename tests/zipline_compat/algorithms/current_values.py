"""Decides by current values, also of assets that are not listed yet, gone, or without a bar."""

from zipline.api import order, symbols

FIELDS = ["price", "open", "high", "low", "close", "volume", "last_traded"]


def initialize(context):
    context.assets = symbols("LATE", "GONE", "THIN", "AMD")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    for asset in context.assets:
        if not data.can_trade(asset) or data.is_stale(asset):
            continue
        bar = data.current(asset, FIELDS)
        half = (bar["high"] + bar["low"]) / 2
        order(asset, 20 if bar["close"] > half else -15)
    if context.bar % 60 == 0:
        tradable = data.can_trade(context.assets).tolist()
        stale = data.is_stale(context.assets).tolist()
        prices = data.current(context.assets, "price").round(3).tolist()
        table = data.current(context.assets, ["open", "volume"])
        print(data.current_dt, data.current_session.date(), tradable, stale, prices)
        print(table.shape, len(data.fetcher_assets), len(data.current_session_minutes))
