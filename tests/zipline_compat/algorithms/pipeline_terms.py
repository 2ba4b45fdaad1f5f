"""Builds a pipeline of its own terms, filters, classifiers and screens."""

import warnings

import numpy as np
from zipline.api import attach_pipeline, order_target_percent, pipeline_output, symbol, symbols
from zipline.pipeline import CustomClassifier, CustomFactor, CustomFilter, Pipeline
from zipline.pipeline.classifiers import Everything, Quantiles
from zipline.pipeline.data import EquityPricing
from zipline.pipeline.factors import AverageDollarVolume, Latest, PeerCount, Returns
from zipline.pipeline.filters import (
    All,
    AllPresent,
    Any,
    AtLeastN,
    SingleAsset,
    StaticAssets,
    StaticSids,
)

warnings.simplefilter("ignore")


class Spread(CustomFactor):
    """High over low, averaged."""

    inputs = (EquityPricing.high, EquityPricing.low)
    window_length = 10
    params = ("power",)

    def compute(self, today, assets, out, high, low, power):
        out[:] = np.nanmean(high / low, axis=0) ** power


class Rising(CustomFilter):
    """Whether the last close is the highest of the window."""

    inputs = (EquityPricing.close,)
    window_length = 5

    def compute(self, today, assets, out, close):
        out[:] = close[-1] >= np.nanmax(close, axis=0)


class Parity(CustomClassifier):
    """Whether an asset's number is odd."""

    inputs = (EquityPricing.volume,)
    window_length = 1
    dtype = np.int64
    missing_value = -1

    def compute(self, today, assets, out, volume):
        out[:] = np.where(volume[-1] > 0, assets % 2, self.missing_value)


def initialize(context):
    close = Latest(inputs=[EquityPricing.close])
    momentum = Returns(window_length=20)
    groups = Parity()
    spread = Spread(power=2)
    recent = {"inputs": [momentum > 0], "window_length": 3}
    quartile = Quantiles(inputs=[spread], bins=4)
    universe = (
        AllPresent(inputs=[EquityPricing.close], window_length=10)
        & (close > 5)
        & ~StaticAssets(symbols("LATE"))
        & ~StaticSids([10**6])
        & ~SingleAsset(symbol("COST"))
        & AverageDollarVolume(window_length=10).percentile_between(10, 100)
    )
    columns = {
        "momentum": momentum.zscore(mask=universe),
        "neutral": momentum.demean(mask=universe, groupby=groups),
        "rank": spread.rank(mask=universe, groupby=groups, ascending=False),
        "peers": PeerCount(inputs=[quartile]),
        "quartile": momentum.quartiles(mask=universe),
        "odd": groups.eq(1),
        "steady": All(**recent) | AtLeastN(N=2, **recent) | ~Any(**recent),
        "rising": Rising(),
        "alone": momentum.demean(groupby=Everything()),
        "clipped": momentum.winsorize(0.1, 0.9).clip(-0.1, 0.1).fillna(0.0).abs(),
    }
    attach_pipeline(Pipeline(columns, screen=universe), "terms", eager=False)
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    if context.bar % 10:
        return
    table = pipeline_output("terms")
    chosen = table[(table["quartile"] == 3) | (table["rising"] & table["steady"])].index
    for asset in {*context.portfolio.positions} | {*chosen}:
        if data.can_trade(asset):
            order_target_percent(asset, 0.6 / len(chosen) if asset in chosen else 0)
    if context.bar % 120 == 0:
        print(len(table), round(float(table["neutral"].abs().sum()), 9), table["peers"].tolist())
