"""Small made-up markets, as the container sees them and as the host does."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from stratlab.domain.market import Dividend, PricePanel, Split

Bar = tuple[float, float, float, float, float]
"""Open, high, low, close, volume; all zero where there is no bar."""

NO_BAR: Bar = (0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Market:
    """Bars per symbol from the first session on; actions are (session number, symbol, value)."""

    first: str
    last: str
    labels: list[int]
    bars: dict[str, list[Bar]]
    splits: list[tuple[int, str, float]] = field(default_factory=list)
    dividends: list[tuple[int, str, float]] = field(default_factory=list)

    def description(self) -> dict[str, Any]:
        """What ``make_tier.py`` reads."""
        names = ("first", "last", "bars", "splits", "dividends")
        return {name: getattr(self, name) for name in names}

    def panel(self) -> PricePanel:
        """The same for the host."""
        symbols = tuple(sorted(self.bars))
        count = len(self.labels)
        ended = {symbol: len(rows) for symbol, rows in self.bars.items() if len(rows) < count}
        padded = {name: rows + [NO_BAR] * (count - len(rows)) for name, rows in self.bars.items()}
        cube = np.array([padded[symbol] for symbol in symbols], dtype=float)
        # Zipline stores thousandths and multiplies: 50050 * 0.001 is not quite 50.05.
        exact = np.round(cube * 1000) * 0.001
        prices = np.where(cube[:, :, 4:] > 0, exact, np.nan)
        return PricePanel(
            np.array(self.labels),
            symbols,
            *(prices[:, :, column].T for column in range(4)),
            volume=cube[:, :, 4].T,
            splits=tuple(Split(self.labels[n], s, ratio) for n, s, ratio in sorted(self.splits)),
            dividends=tuple(
                Dividend(self.labels[n], self.labels[n + 2], s, amount)
                for n, s, amount in sorted(self.dividends)
            ),
            auto_close={symbol: self.labels[end] for symbol, end in ended.items()},
        )


def sessions(first: str, last: str, holidays: tuple[str, ...] = ()) -> list[int]:
    """UTC epoch seconds of the weekdays between two dates that are no holidays."""
    days = pd.bdate_range(first, last).difference(pd.DatetimeIndex(holidays))
    return [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days]


HOLIDAYS_2019_2020 = (
    "2019-01-21", "2019-02-18", "2019-04-19", "2019-05-27", "2019-07-04", "2019-09-02",
    "2019-11-28", "2019-12-25", "2020-01-01", "2020-01-20", "2020-02-17", "2020-04-10",
    "2020-05-25", "2020-07-03", "2020-09-07", "2020-11-26", "2020-12-25",
)  # fmt: skip


DELISTED_AFTER = 440


def random_market(seed: int) -> Market:
    """Two years of AAA, BBB and CCC, and of DDD until it is delisted."""
    generator = random.Random(seed)
    labels = sessions("2019-01-02", "2020-12-31", HOLIDAYS_2019_2020)
    splits = [(300, "AAA", 0.5), (400, "BBB", 3.0), (420, "AAA", 0.25)]
    dividends = [(280, "BBB", 0.5), (350, "AAA", 0.11), (450, "AAA", 0.07)]
    bars: dict[str, list[Bar]] = {}
    for symbol, start in (("AAA", 100.0), ("BBB", 50.0), ("CCC", 20.0), ("DDD", 30.0)):
        price, rows = start, []
        for number in range(len(labels)):
            for at, name, ratio in splits:
                price *= ratio if (at, name) == (number, symbol) else 1.0
            if generator.random() < 0.01:
                rows.append(NO_BAR)
                continue
            start_price = price * (1 + generator.gauss(0, 0.008))
            price = start_price * (1 + generator.gauss(0, 0.015))
            high = max(start_price, price) * (1 + abs(generator.gauss(0, 0.006)))
            low = min(start_price, price) * (1 - abs(generator.gauss(0, 0.006)))
            volume = generator.randint(500, 20_000)
            rows.append((*(round(each, 2) for each in (start_price, high, low, price)), volume))
        bars[symbol] = rows[:DELISTED_AFTER] if symbol == "DDD" else rows
    return Market("2019-01-02", "2020-12-31", labels, bars, splits, dividends)
