"""A pipeline with a factor of its own."""

import numpy as np
from zipline.api import attach_pipeline, order_target_percent, pipeline_output
from zipline.pipeline import CustomFactor, Pipeline
from zipline.pipeline.data import USEquityPricing
from zipline.pipeline.factors import AverageDollarVolume, Returns


class Skew(CustomFactor):
    inputs = [Returns(window_length=2)]
    window_length = 60

    def compute(self, today, assets, out, returns):
        centred = returns - np.nanmean(returns, axis=0)
        spread = np.nanstd(returns, axis=0)
        out[:] = np.nanmean(centred**3, axis=0) / spread**3


def make_pipeline():
    liquid = AverageDollarVolume(window_length=30).top(3)
    skew = Skew(mask=liquid)
    return Pipeline(columns={"skew": skew, "close": USEquityPricing.close.latest}, screen=liquid)


def initialize(context):
    attach_pipeline(make_pipeline(), "skew")
    context.held = set()


def before_trading_start(context, data):
    context.table = pipeline_output("skew").sort_values("skew")


def handle_data(context, data):
    wanted = set(context.table.index[:2])
    for asset in context.held | wanted:
        if data.can_trade(asset):
            order_target_percent(asset, 0.45 if asset in wanted else 0)
    context.held = wanted
