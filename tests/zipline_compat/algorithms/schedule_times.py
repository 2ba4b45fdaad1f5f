"""Gives every kind of time rule; on daily bars each means the close, in the order of scheduling."""

from zipline.api import date_rules, events, order, schedule_function, symbol, time_rules


def initialize(context):
    context.asset = symbol("COST")
    context.calls = []
    schedule_function(trader("open", 3), date_rules.every_day(), time_rules.market_open(hours=1))
    schedule_function(trader("close", -2), time_rule=time_rules.market_close(minutes=15))
    schedule_function(trader("minute", 1), date_rules.week_end(), time_rules.every_minute())
    schedule_function(trader("whole days", 5), events.date_rules.month_end(), half_days=False)


def trader(name, amount):
    def trade(context, data):
        context.calls.append(name)
        order(context.asset, amount)
        if len(context.calls) % 300 == 0:
            print(context.calls[-6:])

    return trade
