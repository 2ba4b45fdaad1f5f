"""Heaps, bisection, regular expressions, named tuples and counters."""

import heapq
import re
from bisect import insort
from collections import Counter, namedtuple
from copy import deepcopy
from decimal import ROUND_DOWN, Decimal
from re import compile as pattern
from string import ascii_uppercase

from zipline.api import order, record, symbol

Signal = namedtuple("Signal", "strength name")
TICKER = pattern(r"[A-Z]{1,5}")


def initialize(context):
    names = [name for name in context.symbols if TICKER.fullmatch(name)]
    context.assets = {name: symbol(name) for name in names}
    context.counts = Counter()
    context.ranges = []
    context.letters = {letter: 0 for letter in ascii_uppercase}


def strengths(context, data):
    for name, asset in context.assets.items():
        prices = data.history(asset, "close", 11, "1d")
        if prices.isnull().any():
            continue
        insort(context.ranges, float(prices.max() - prices.min()))
        yield Signal(-(prices.iloc[-1] / prices.iloc[0] - 1), name)


def whole(shares):
    return int(Decimal(shares).quantize(Decimal(1), rounding=ROUND_DOWN))


def handle_data(context, data):
    queue = list(strengths(context, data))
    heapq.heapify(queue)
    before = deepcopy(context.counts)
    while queue and len(context.counts - before) < 2:
        best = heapq.heappop(queue)
        if best.strength >= 0:
            break
        context.counts[best.name] += 1
        asset = context.assets[best.name]
        if data.can_trade(asset):
            order(asset, whole(1_000 / data.current(asset, "close")))
    record(signals=sum(context.counts.values()), words=len(re.findall(r"\w+", repr(queue))))
