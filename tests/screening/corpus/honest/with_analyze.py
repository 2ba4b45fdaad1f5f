"""Plots in analyze, which no backtest calls."""

import matplotlib.pyplot as plt
import numpy as np
from zipline.api import order_target_percent, record, symbol


def initialize(context):
    context.asset = symbol("AAPL")


def handle_data(context, data):
    prices = data.history(context.asset, "price", 100, "1d")
    fast, slow = prices[-20:].mean(), prices.mean()
    record(fast=fast, slow=slow)
    if np.isnan(slow):
        return
    order_target_percent(context.asset, 0.95 if fast > slow else 0)


def analyze(context, perf):
    figure, (top, bottom) = plt.subplots(2, 1)
    perf.portfolio_value.plot(ax=top)
    perf[["fast", "slow"]].plot(ax=bottom)
    figure.savefig("result.png")
    perf.to_csv("result.csv")


def _test_args():
    import pandas as pd

    return {"start": pd.Timestamp("2004-01-01"), "end": pd.Timestamp("2006-01-01")}
