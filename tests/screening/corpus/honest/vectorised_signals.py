"""Pandas throughout: groupby, resample, merge, rolling apply, where, stack."""

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from zipline.api import order_target_percent, record, symbols


def initialize(context):
    context.assets = symbols("AAPL", "IBM", "MSFT")
    context.log = []


def weekly(frame):
    return frame.resample("W-FRI").last().pct_change().dropna()


def zscore(series):
    rolled = series.rolling(window=20, min_periods=20)
    return (series - rolled.mean()) / rolled.std()


def table(prices):
    long = prices.stack().rename("price").reset_index()
    long.columns = ["date", "asset", "price"]
    long["return"] = long.groupby("asset")["price"].transform(lambda s: s.pct_change())
    long["rank"] = long.groupby("date")["return"].rank(ascending=False)
    stats = long.groupby("asset").agg(mean=("return", "mean"), worst=("return", "min"))
    merged = pd.merge_asof(
        long.dropna().sort_values("date"), stats.reset_index().assign(date=long["date"].min()),
        on="date", by="asset", direction="backward",
    )
    return merged.pivot_table(index="date", columns="asset", values="rank")


def handle_data(context, data):
    prices = data.history(list(context.assets), "price", 130, "1d")
    assert all(is_numeric_dtype(kind) for kind in prices.dtypes)
    scores = prices.apply(zscore).iloc[-1]
    ranks = table(prices).iloc[-1] if len(prices.dropna()) > 100 else scores * np.nan
    trend = weekly(prices).mean()
    wanted = pd.Series(np.where((scores < 1) & (trend > 0), 1.0, 0.0), index=scores.index)
    wanted = wanted.where(ranks.reindex(wanted.index).fillna(9) < 3, 0.0)
    context.log.append(wanted.sum())
    record(invested=wanted.sum(), text=len(wanted.to_json()), best=str(scores.idxmax()))
    for asset, weight in wanted.items():
        if data.can_trade(asset):
            order_target_percent(asset, weight / len(wanted))
