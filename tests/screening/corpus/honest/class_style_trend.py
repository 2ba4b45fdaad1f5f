"""A trend follower as a class."""

import logging
from collections import deque

from stratlab_runner import lab
from zipline.api import symbol

log = logging.getLogger(__name__)


class TrendStrategy:
    """Buys new highs, with a stop below."""

    def __init__(self, window=50, stop=0.05):
        self.window = window
        self.stop = stop
        self.highs = deque(maxlen=window)
        self.bracket = None

    def initialize(self, context):
        self.asset = symbol(context.symbols[0])

    def should_trade(self, context, data):
        if not data.can_trade(self.asset):
            return False
        high = data.current(self.asset, "high")
        full = len(self.highs) == self.window
        is_new = full and high > max(self.highs)
        self.highs.append(high)
        flat = self.bracket is None or not (self.bracket.is_open or self.bracket.is_pending)
        return is_new and flat

    def execute(self, context, data):
        close = data.current(self.asset, "close")
        shares = int(context.portfolio.portfolio_value * 0.5 / close)
        if shares > 0:
            self.bracket = lab.order_bracket(
                self.asset, shares, stop_distance=close * self.stop
            )
            log.info("bought %d of %s", shares, self.asset.symbol)
