"""Small random markets with splits, dividends, gaps, a late listing and a delisting."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from stratlab.domain.market import Dividend, PricePanel, Split

HOLIDAYS = {date(2003, 1, 20), date(2003, 2, 17), date(2003, 4, 18), date(2003, 5, 26)}
SYMBOLS = ("AAA", "BBB", "CCC")
WARM_UP = 5


def sessions(count):
    """The first sessions of the New York exchange in 2003, before the holidays of July."""
    days, day = [], date(2003, 1, 2)
    while len(days) < count:
        if day.weekday() < 5 and day not in HOLIDAYS:
            days.append(day)
        day += timedelta(days=1)
    return days


def label(day):
    """UTC epoch seconds of a session."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@dataclass
class Market:
    """A price panel and the same content as the input of the trusted data job.

    ``start`` is the row of the first traded bar.
    """

    days: list
    panel: PricePanel
    files: dict
    start: int = WARM_UP


def random_market(rng, count=60, calendar="XNYS", days=None):
    """AAA trades always, BBB lists late and has gaps, CCC is delisted; all have actions."""
    days = days or sessions(count)
    bars = [label(day) for day in days]
    shape = (count, len(SYMBOLS))
    splits, dividends = [], []
    open_, high, low, close = (np.full(shape, np.nan) for _ in range(4))
    volume = np.zeros(shape)
    lives = [(0, count), (int(rng.integers(8, 15)), count), (0, int(rng.integers(35, 50)))]
    for column, (symbol, (first, last)) in enumerate(zip(SYMBOLS, lives, strict=True)):
        price = float(rng.uniform(20, 80))
        for row in range(first, last):
            if row > first and rng.random() < 0.06:
                ratio = float(rng.choice([0.5, 1 / 3, 2 / 3, 0.25, 2.0, 5.0, 10.0]))
                splits.append(Split(bars[row], symbol, ratio))
                price *= ratio
            if row > first and rng.random() < 0.08:
                pay = row + int(rng.integers(0, 6))
                amount = round(float(rng.uniform(0.05, 1.0)), 3)
                if pay < count:
                    dividends.append(Dividend(bars[row], bars[pay], symbol, amount))
            start = price * math.exp(rng.normal(0, 0.01))
            price = start * math.exp(rng.normal(0, 0.02))
            if symbol == "BBB" and first < row < last - 1 and rng.random() < 0.15:
                continue
            top = max(start, price) * (1 + abs(rng.normal(0, 0.01)))
            bottom = min(start, price) * (1 - abs(rng.normal(0, 0.01)))
            quotes = (start, top, bottom, price)
            for table, quote in zip((open_, high, low, close), quotes, strict=True):
                table[row, column] = np.rint(quote * 1000) * 0.001
            volume[row, column] = int(10 ** rng.uniform(1, 6))
    ended = {SYMBOLS[2]: bars[lives[2][1]]}
    panel = PricePanel(
        np.array(bars, dtype=np.int64),
        SYMBOLS,
        open_,
        high,
        low,
        close,
        volume,
        tuple(sorted(splits, key=lambda split: split.bar)),
        tuple(sorted(dividends, key=lambda dividend: dividend.ex_bar)),
        ended,
    )
    return Market(days, panel, _files(days, panel, calendar))


def _files(days, panel, calendar):
    day_of = {label(day): day.isoformat() for day in days}
    prices = ["symbol,session,open,high,low,close,volume"]
    for column, symbol in enumerate(panel.symbols):
        for row, day in enumerate(days):
            if panel.volume[row, column] > 0:
                quotes = (
                    table[row, column] for table in (panel.open, panel.high, panel.low, panel.close)
                )
                text = ",".join(f"{quote:.3f}" for quote in quotes)
                prices.append(f"{symbol},{day},{text},{int(panel.volume[row, column])}")
    splits = ["symbol,session,ratio"] + [
        f"{split.symbol},{day_of[split.bar]},{split.ratio!r}" for split in panel.splits
    ]
    dividends = ["symbol,ex_session,pay_session,amount"] + [
        f"{item.symbol},{day_of[item.ex_bar]},{day_of[item.pay_bar]},{item.amount!r}"
        for item in panel.dividends
    ]
    plan = {
        "data_set": "random",
        "digest": "0" * 64,
        "calendar": calendar,
        "timeframe": "1d",
        "tiers": {"train": days[-1].isoformat()},
        "empty_sessions": [],
    }
    return {
        "plan.json": json.dumps(plan),
        "prices.csv": "\n".join(prices) + "\n",
        "splits.csv": "\n".join(splits) + "\n",
        "dividends.csv": "\n".join(dividends) + "\n",
    }


def random_script(rng, market, steps, *, brackets):
    """Orders of every kind around the market, cancels, and bracket steps when asked for.

    The market has the symbols AAA, BBB and CCC and bars of any length.

    Steps of the phase ``initialize`` come first; those of ``before_open`` must be refused.
    """
    panel = market.panel
    script = [
        {
            "do": "batch",
            "phase": "initialize",
            "bar": int(panel.bars[market.start]),
            "amounts": {
                symbol: int(10 ** rng.uniform(0, 4)) * int(rng.choice([-1, 1]))
                for symbol in rng.permutation(SYMBOLS).tolist()
            },
        },
        {
            "do": "cancel",
            "phase": "initialize",
            "bar": int(panel.bars[market.start]),
            "which": int(rng.integers(1000)),
        },
    ]
    for row in sorted(rng.integers(market.start, len(panel.bars), size=steps).tolist()):
        step = {"bar": int(panel.bars[row]), "phase": "bar", "which": int(rng.integers(1000))}
        column = int(rng.integers(len(SYMBOLS)))
        close = float(panel.close[row, column])
        choice = rng.random()
        if choice < 0.3:
            step["phase"] = "before_open" if rng.random() < 0.3 else "bar"
        if choice < 0.15:
            step["do"] = "cancel"
        elif brackets and choice < 0.3:
            step["do"] = "move_stop" if rng.random() < 0.7 else "close"
            step["factor"] = math.exp(rng.normal(0, 0.04))
        elif math.isnan(close):
            continue
        else:
            step["symbol"] = SYMBOLS[column]
            step["amount"] = int(10 ** rng.uniform(0, 4)) * int(rng.choice([-1, 1]))
            if brackets and choice < 0.7:
                step["do"] = "bracket"
                distances = [close * float(rng.uniform(0.001, 0.1)) for _ in range(2)]
                step["stop_distance"], step["take_distance"] = (
                    distance if rng.random() < 0.8 else None for distance in distances
                )
            else:
                step["do"] = "order"
                limit, stop = (close * math.exp(rng.normal(0, 0.03)) for _ in range(2))
                kind = int(rng.integers(4))
                step["limit_price"] = limit if kind in (1, 3) else None
                step["stop_price"] = stop if kind in (2, 3) else None
        script.append(step)
    return script
