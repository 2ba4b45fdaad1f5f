"""Restricts what may be ordered, for always and from a date on."""

import pandas as pd
from zipline.api import (
    RESTRICTION_STATES,
    HistoricalRestrictions,
    Restriction,
    StaticRestrictions,
    order,
    set_asset_restrictions,
    set_do_not_order_list,
    symbols,
)
from zipline.errors import TradingControlViolation


def initialize(context):
    context.assets = symbols("AAPL", "AMD", "GPS", "MSFT")
    _, always, later, listed = context.assets
    set_asset_restrictions(StaticRestrictions([always]))
    frozen, allowed = RESTRICTION_STATES.FROZEN, RESTRICTION_STATES.ALLOWED
    set_asset_restrictions(
        HistoricalRestrictions(
            [
                Restriction(later, pd.Timestamp("2009-02-02", tz="UTC"), frozen),
                Restriction(later, pd.Timestamp("2009-11-02", tz="UTC"), allowed),
            ]
        ),
        on_error="log",
    )
    set_do_not_order_list([listed])
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    if context.bar % 25:
        return
    for asset in context.assets:
        if not data.can_trade(asset) and context.bar % 2:
            continue
        try:
            order(asset, 12)
        except TradingControlViolation:
            print(data.current_session.date(), asset.symbol, "refused")
