"""A regression learnt inside the window: the label is inside it, too."""

import numpy as np
from zipline.api import order_target_percent, record, schedule_function, symbol
from zipline.api import date_rules, time_rules

FEATURES = 5
WINDOW = 250
RIDGE = 1e-2


def initialize(context):
    context.asset = symbol("IBM")
    context.model = None
    schedule_function(fit, date_rules.month_start(), time_rules.market_open())
    schedule_function(trade, date_rules.every_day(), time_rules.market_close(minutes=30))


def features(returns):
    return np.column_stack([returns[i : len(returns) - FEATURES + i] for i in range(FEATURES)])


def fit(context, data):
    closes = data.history(context.asset, "close", WINDOW, "1d").to_numpy()
    returns = np.diff(np.log(closes))
    if not np.isfinite(returns).all():
        return
    inputs = features(returns)
    labels = returns[FEATURES:]
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    scaled = (inputs - mean) / spread
    gram = scaled.T @ scaled + RIDGE * np.eye(FEATURES)
    context.model = np.linalg.solve(gram, scaled.T @ labels), mean, spread


def trade(context, data):
    if context.model is None or not data.can_trade(context.asset):
        return
    weights, mean, spread = context.model
    closes = data.history(context.asset, "close", FEATURES + 1, "1d").to_numpy()
    forecast = float((np.diff(np.log(closes)) - mean) / spread @ weights)
    record(forecast=forecast)
    order_target_percent(context.asset, 1.0 if forecast > 0 else 0.0)
