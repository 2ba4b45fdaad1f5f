"""Ranks the universe by the built-in factors."""

import numpy as np
from zipline.api import (
    attach_pipeline,
    date_rules,
    order_target_percent,
    pipeline_output,
    schedule_function,
    symbol,
)
from zipline.pipeline import Pipeline
from zipline.pipeline.data import EquityPricing, USEquityPricing
from zipline.pipeline.factors import (
    EWMA,
    EWMSTD,
    RSI,
    VWAP,
    AnnualizedVolatility,
    Aroon,
    AverageDollarVolume,
    BollingerBands,
    DailyReturns,
    ExponentialWeightedMovingAverage,
    ExponentialWeightedMovingStdDev,
    FastStochasticOscillator,
    IchimokuKinkoHyo,
    LinearWeightedMovingAverage,
    MACDSignal,
    MaxDrawdown,
    MovingAverageConvergenceDivergenceSignal,
    PercentChange,
    RateOfChangePercentage,
    Returns,
    RollingLinearRegressionOfReturns,
    RollingPearson,
    RollingPearsonOfReturns,
    RollingSpearman,
    RollingSpearmanOfReturns,
    SimpleBeta,
    SimpleMovingAverage,
    TrueRange,
    WeightedAverageValue,
)


def factors(market):
    close, volume = EquityPricing.close, USEquityPricing.volume
    window = {"inputs": [close], "window_length": 15}
    decayed = {**window, "decay_rate": 0.9}
    returns, daily = Returns(window_length=5), DailyReturns()
    against = {"target": market, "returns_length": 2, "correlation_length": 20}
    bands = BollingerBands(window_length=20, k=2)
    regression = RollingLinearRegressionOfReturns(
        target=market, returns_length=2, regression_length=20
    )
    pair = {"base_factor": returns, "target": daily, "correlation_length": 10}
    return {
        "volatility": AnnualizedVolatility(window_length=20),
        "aroon": Aroon(window_length=14).up,
        "dollars": AverageDollarVolume(window_length=10),
        "upper": bands.upper,
        "daily": daily,
        "ewma": EWMA(**decayed) + ExponentialWeightedMovingAverage(**decayed),
        "ewmstd": EWMSTD(**decayed) + ExponentialWeightedMovingStdDev(**decayed),
        "stochastic": FastStochasticOscillator(),
        "cloud": IchimokuKinkoHyo().tenkan_sen,
        "linear": LinearWeightedMovingAverage(**window),
        "macd": MACDSignal() + MovingAverageConvergenceDivergenceSignal(),
        "drawdown": MaxDrawdown(**window),
        "change": PercentChange(**window),
        "rate": RateOfChangePercentage(**window),
        "rsi": RSI(),
        "beta": SimpleBeta(target=market, regression_length=20),
        "slope": regression.beta,
        "pearson": RollingPearson(**pair) + RollingPearsonOfReturns(**against),
        "spearman": RollingSpearman(**pair) + RollingSpearmanOfReturns(**against),
        "average": SimpleMovingAverage(**window),
        "range": TrueRange(),
        "vwap": VWAP(window_length=10),
        "weighted": WeightedAverageValue(inputs=[close, volume], window_length=10),
        "returns": returns,
    }


def initialize(context):
    columns = factors(symbol("MSFT"))
    context.names = sorted(columns)
    liquid = AverageDollarVolume(window_length=10).top(8)
    attach_pipeline(Pipeline(columns, screen=liquid), "factors", chunks=60)
    schedule_function(rebalance, date_rules.month_start())
    context.turn = 0


def before_trading_start(context, data):
    context.table = pipeline_output("factors")


def rebalance(context, data):
    table = context.table
    for asset in context.portfolio.positions:
        if data.can_trade(asset):
            order_target_percent(asset, 0)
    # Every factor leads in turn.
    for name in (context.names[(context.turn + step) % len(context.names)] for step in range(3)):
        ranked = table[name].dropna().sort_values(kind="stable")
        if len(ranked) and data.can_trade(ranked.index[-1]):
            order_target_percent(ranked.index[-1], 0.2)
    context.turn += 1
    if context.turn % 6 == 0:
        print(table.shape, round(float(np.nansum(table.to_numpy(dtype=float))), 3))
