"""The strategies of the engine's benchmarks, as text."""

EMA_NUMPY = """
import numpy as np
from zipline.api import order_target, symbol

FAST, SLOW, ATR, MULTIPLE = 12, 26, 14, 3.0


def initialize(context):
    context.asset = symbol("IBM")
    context.stop = 0.0


def ema(values, span):
    weights = (1 - 2 / (span + 1)) ** np.arange(len(values))[::-1]
    return weights.dot(values) / weights.sum()


def handle_data(context, data):
    asset = context.asset
    bars = data.history(asset, ["high", "low", "close"], 60, "1d").to_numpy()
    high, low, close = bars[:, 0], bars[:, 1], bars[:, 2]
    previous = close[:-1]
    spread = np.maximum(high[1:], previous) - np.minimum(low[1:], previous)
    atr = spread[-ATR:].mean()
    held = context.portfolio.positions[asset].amount
    if held:
        context.stop = max(context.stop, close[-1] - MULTIPLE * atr)
        if close[-1] < context.stop or ema(close, FAST) < ema(close, SLOW):
            order_target(asset, 0)
    elif ema(close, FAST) > ema(close, SLOW):
        context.stop = close[-1] - MULTIPLE * atr
        order_target(asset, int(context.portfolio.portfolio_value * 0.95 / close[-1]))
"""
"""T1: EMA cross with a trailing stop of three ATR, indicators in numpy."""

EMA_PANDAS = """
import pandas as pd
from zipline.api import order_target_percent, record, symbol


def initialize(context):
    context.asset = symbol("IBM")
    context.stop = None


def handle_data(context, data):
    asset = context.asset
    if not data.can_trade(asset):
        return
    bars = data.history(asset, ["high", "low", "close"], 60, "1d")
    close = bars["close"]
    fast = close.ewm(span=12, adjust=False).mean().iloc[-1]
    slow = close.ewm(span=26, adjust=False).mean().iloc[-1]
    previous = close.shift(1)
    high, low = bars["high"], bars["low"]
    ranges = pd.concat(
        [high - low, (high - previous).abs(), (low - previous).abs()],
        axis=1,
    )
    atr = ranges.max(axis=1).rolling(14).mean().iloc[-1]
    price = data.current(asset, "price")
    if context.portfolio.positions[asset].amount > 0:
        context.stop = max(context.stop, price - 3 * atr)
        if price < context.stop or fast < slow:
            order_target_percent(asset, 0)
    elif fast > slow:
        context.stop = price - 3 * atr
        order_target_percent(asset, 0.95)
    record(fast=fast, slow=slow)
"""
"""T2: the same in the pandas code that language models write."""

EMA_WINDOW = EMA_NUMPY.replace(
    """    bars = data.history(asset, ["high", "low", "close"], 60, "1d").to_numpy()
    high, low, close = bars[:, 0], bars[:, 1], bars[:, 2]
""",
    """    names = ("high", "low", "close")
    high, low, close = (lab.window(asset, name, 60) for name in names)
""",
).replace("import numpy as np\n", "import numpy as np\nfrom stratlab_runner import lab\n")
"""T1 with the lab's window helper on both sides."""

MOMENTUM = """
from zipline.api import (attach_pipeline, date_rules, order_target_percent, pipeline_output,
                         schedule_function, time_rules)
from zipline.pipeline import Pipeline
from zipline.pipeline.factors import Returns


def initialize(context):
    returns = Returns(window_length=252)
    best = returns.percentile_between(90, 100)
    attach_pipeline(Pipeline({"returns": returns}, screen=best), "momentum")
    schedule_function(rebalance, date_rules.month_start(), time_rules.market_open())


def before_trading_start(context, data):
    context.best = pipeline_output("momentum").index


def rebalance(context, data):
    best = [asset for asset in context.best if data.can_trade(asset)]
    kept = set(best)
    for asset in context.portfolio.positions:
        if asset not in kept and data.can_trade(asset):
            order_target_percent(asset, 0)
    for asset in best:
        order_target_percent(asset, 0.98 / len(best))
"""
"""T3: every month the best tenth of all stocks by the return of a year."""
