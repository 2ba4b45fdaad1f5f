"""Pairs trading as a class with helpers, properties and a repr."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from zipline.api import order_target_percent, record, symbols


@dataclass
class Spread:
    """Log spread of two price series."""

    hedge: float = 1.0
    values: list = field(default_factory=list)

    def update(self, first: pd.Series, second: pd.Series) -> float:
        left, right = np.log(first), np.log(second)
        self.hedge = float(np.polyfit(right, left, 1)[0])
        spread = left - self.hedge * right
        self.values.append(float(spread.iloc[-1]))
        return float((spread.iloc[-1] - spread.mean()) / spread.std())

    def __len__(self):
        return len(self.values)

    def __repr__(self):
        return f"{self.__class__.__name__}({self.hedge:.3f}, {len(self)} values)"


class PairsStrategy:
    entry = 2.0
    leave = 0.5

    def initialize(self, context):
        self.first, self.second = symbols("AAPL", "MSFT")
        self.spread = Spread()
        self.side = 0

    @property
    def assets(self):
        return [self.first, self.second]

    def should_trade(self, context, data):
        if not all(data.can_trade(asset) for asset in self.assets):
            return False
        closes = data.history(self.assets, "close", 60, "1d").dropna()
        self.score = self.spread.update(closes[self.first], closes[self.second])
        record(score=self.score, hedge=self.spread.hedge)
        return (self.side == 0 and abs(self.score) > self.entry) or (
            self.side != 0 and abs(self.score) < self.leave
        )

    def execute(self, context, data):
        self.side = 0 if self.side else (-1 if self.score > 0 else 1)
        order_target_percent(self.first, 0.4 * self.side)
        order_target_percent(self.second, -0.4 * self.side)
