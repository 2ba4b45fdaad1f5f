"""Rules as objects: recursion with an end, operators, abstract classes."""

import abc
import operator
from functools import reduce

from zipline.api import order_target_percent, symbol

COMPARE = {"above": operator.gt, "below": operator.lt}


class Rule(abc.ABC):
    @abc.abstractmethod
    def holds(self, bar):
        """Return whether the rule holds."""

    def __and__(self, other):
        return All([self, other])

    def __invert__(self):
        return Not(self)


class Compare(Rule):
    def __init__(self, left, how, right):
        super().__init__()
        self.left, self.how, self.right = left, COMPARE[how], right

    def holds(self, bar):
        right = bar[self.right] if isinstance(self.right, str) else self.right
        return self.how(bar[self.left], right)


class All(Rule):
    def __init__(self, parts):
        self.parts = parts

    def holds(self, bar):
        return reduce(operator.and_, (part.holds(bar) for part in self.parts), True)


class Not(Rule):
    def __init__(self, part):
        self.part = part

    def holds(self, bar):
        return not self.part.holds(bar)


def depth(rule):
    if isinstance(rule, All):
        return 1 + max(depth(part) for part in rule.parts)
    if isinstance(rule, Not):
        return 1 + depth(rule.part)
    return 1


def initialize(context):
    context.asset = symbol("AAPL")
    context.rule = Compare("close", "above", "average") & ~Compare("volume", "below", 1_000)
    assert depth(context.rule) < 10


def handle_data(context, data):
    closes = data.history(context.asset, "close", 20, "1d").dropna()
    bar = {
        "close": data.current(context.asset, "close"),
        "volume": data.current(context.asset, "volume"),
        "average": closes.mean(),
    }
    order_target_percent(context.asset, 1.0 if context.rule.holds(bar) else 0.0)
