"""Breakouts with brackets of the lab, and parameters of the campaign."""

import math

from stratlab_runner.lab import Bracket, BracketError, order_bracket
from zipline.api import record, symbol
from zipline.errors import SymbolNotFound

DEFAULTS = {"window": 40, "risk": 0.01, "stop": 2.5, "take": 5.0}


def parameter(context, name):
    return context.params.get(name, DEFAULTS[name])


def initialize(context):
    context.assets = []
    for name in context.symbols:
        try:
            context.assets.append(symbol(name))
        except SymbolNotFound as error:
            print(f"without {name}: {error}")
    context.brackets: dict[object, Bracket] = {}


def true_range(bars):
    previous = bars["close"].shift(1)
    ranges = (bars["high"] - bars["low"]).combine((bars["high"] - previous).abs(), max)
    return ranges.combine((bars["low"] - previous).abs(), max)


def size(context, distance):
    cash = context.portfolio.portfolio_value * parameter(context, "risk")
    return math.floor(cash / distance)


def handle_data(context, data):
    window = int(parameter(context, "window"))
    for asset in context.assets:
        bracket = context.brackets.get(asset)
        if bracket is not None and (bracket.is_open or bracket.is_pending):
            trail(bracket, data.current(asset, "close"))
            continue
        bars = data.history(asset, ["high", "low", "close"], window + 1, "1d")
        if bars.isna().any(axis=None) or not data.can_trade(asset):
            continue
        atr = true_range(bars).iloc[1:].mean()
        if bars["close"].iloc[-1] >= bars["high"].iloc[:-1].max():
            enter(context, asset, atr)
    record(open_positions=sum(b.is_open for b in context.brackets.values()))


def enter(context, asset, atr):
    distance = parameter(context, "stop") * atr
    amount = size(context, distance)
    if amount < 1:
        return
    try:
        context.brackets[asset] = order_bracket(
            asset, amount, stop_distance=distance, take_distance=parameter(context, "take") * atr
        )
    except BracketError as error:
        print(f"{asset.symbol}: {error}")


def trail(bracket, close):
    if bracket.is_open and bracket.stop_level is not None:
        level = close - (bracket.entry_price - bracket.stop_level)
        if level > bracket.stop_level:
            bracket.move_stop(level)
