"""Rebalances to targets in shares, in money and in fractions, across splits and dividends."""

from zipline.api import (
    date_rules,
    order_target,
    order_target_percent,
    order_target_value,
    schedule_function,
    symbol,
)


def initialize(context):
    context.shares = symbol("CERN")
    context.money = symbol("MMM")
    context.fraction = symbol("AAPL")
    schedule_function(rebalance, date_rules.week_start())


def rebalance(context, data):
    month = data.current_session.month
    order_target(context.shares, 30 * month - 100)
    order_target_value(context.money, 1_500 * month)
    order_target_percent(context.fraction, 0.25 if month % 2 else -0.1)
