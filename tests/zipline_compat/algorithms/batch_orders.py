"""Places market orders in batches."""

import pandas as pd
from zipline.api import batch_market_order, date_rules, schedule_function, symbols, time_rules


def initialize(context):
    context.assets = symbols("AAPL", "AMD", "CERN", "COST")
    schedule_function(trade, date_rules.month_start(days_offset=2), time_rules.market_open())


def trade(context, data):
    month = data.current_session.month
    counts = pd.Series([10 * month, -5, 0, 30 - 4 * month], index=context.assets, dtype="int64")
    placed = batch_market_order(counts)
    print(month, len(placed))
