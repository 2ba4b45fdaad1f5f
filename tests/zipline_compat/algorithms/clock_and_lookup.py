"""Asks for the time, the environment and assets by number; sets a benchmark."""

from datetime import UTC

import pandas as pd
import pytz
from zipline.api import (
    get_datetime,
    get_environment,
    math_utils,
    order,
    set_benchmark,
    set_symbol_lookup_date,
    sid,
    symbol,
    symbols,
)


def initialize(context):
    set_symbol_lookup_date(pd.Timestamp("2009-06-01"))
    context.assets = [*symbols("AAPL", "GONE"), symbol("MSFT")]
    context.assets.append(sid(context.assets[0].sid + 1))
    set_benchmark(context.assets[2])
    for field in ("platform", "arena", "data_frequency", "start", "end", "capital_base"):
        print(field, get_environment(field))
    print(sorted(get_environment("*")))


def handle_data(context, data):
    now = get_datetime()
    local = get_datetime(pytz.timezone("US/Eastern"))
    if now.day % 10 == 0:
        print(now, local.hour, get_datetime(UTC).minute)
    weekday = data.current_session.weekday()
    asset = context.assets[weekday % len(context.assets)]
    if data.can_trade(asset) and math_utils.tolerant_equals(weekday, local.weekday()):
        order(asset, weekday - 1)
