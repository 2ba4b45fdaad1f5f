"""Turn of the month; asks for the calendar, not for a date of the past."""

import pandas as pd
from zipline.api import get_datetime, order_target_percent, record, symbol

LAST_DAYS = 2
FIRST_DAYS = 3


def initialize(context):
    context.asset = symbol("MSFT")
    context.month = None
    context.day = 0
    context.year_started = None


def is_turn(context, now):
    if now.month != context.month:
        context.month, context.day = now.month, 0
    context.day += 1
    left = (now + pd.offsets.BMonthEnd(0) - now).days
    return context.day <= FIRST_DAYS or left <= LAST_DAYS


def handle_data(context, data):
    now = get_datetime()
    if context.year_started != now.year:
        context.year_started = now.year
        print(f"year {now.year}, {now:%B}")
    weight = 1.0 if is_turn(context, now) and now.weekday() < 5 else 0.0
    if data.can_trade(context.asset):
        order_target_percent(context.asset, weight)
    record(weight=weight, elapsed=pd.Timedelta(days=context.day).days)
