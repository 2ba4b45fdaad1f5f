"""Trades on every kind of date rule."""

from zipline.api import calendars, date_rules, order, schedule_function, symbol

AMOUNTS = {"day": 1, "week_start": 7, "week_end": -5, "month_start": 40, "month_end": -25}


def initialize(context):
    context.asset = symbol("MSFT")
    rules = {
        "day": date_rules.every_day(),
        "week_start": date_rules.week_start(days_offset=1),
        "week_end": date_rules.week_end(),
        "month_start": date_rules.month_start(),
        "month_end": date_rules.month_end(days_offset=3),
    }
    for name, rule in rules.items():
        schedule_function(trader(AMOUNTS[name]), rule, calendar=calendars.US_EQUITIES)


def trader(amount):
    def trade(context, data):
        order(context.asset, amount)

    return trade
