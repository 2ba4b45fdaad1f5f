"""Trades residuals of a regression on the market."""

import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tsa.stattools import adfuller
from zipline.api import order_target_value, symbols

import pandas as pd

WINDOW = 120
THRESHOLD = 1.5


def initialize(context):
    context.market, context.stock = symbols("MSFT", "AAPL")


def residuals(market, stock):
    returns = pd.DataFrame({"y": stock.pct_change(), "x": market.pct_change()}).dropna()
    model = sm.OLS(returns["y"], sm.add_constant(returns["x"])).fit()
    robust = smf.ols("y ~ x + I(x ** 2)", data=returns).fit()
    return model.resid if model.rsquared > robust.rsquared_adj else robust.resid


def handle_data(context, data):
    prices = data.history([context.market, context.stock], "close", WINDOW, "1d")
    if prices.isnull().values.any():
        return
    found = residuals(prices[context.market], prices[context.stock])
    if adfuller(found)[1] > 0.05:
        order_target_value(context.stock, 0)
        return
    score = found.iloc[-5:].sum() / (found.std() * 5**0.5)
    if score < -THRESHOLD:
        order_target_value(context.stock, 50_000)
    elif score > THRESHOLD:
        order_target_value(context.stock, -50_000)
    elif abs(score) < 0.2:
        order_target_value(context.stock, 0)
