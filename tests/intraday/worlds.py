"""Random intraday markets on every calendar, and data sets made of them."""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import exchange_calendars
import numpy as np
import pandas as pd
from tests.evaluation.markets import SYMBOLS, WARM_UP

from stratlab.domain.market import (
    INTRADAY_MINUTES,
    MarketSet,
    PricePanel,
    Tier,
    TierRange,
)
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.calendars import sessions_between
from stratlab.market_data.catalogue import Catalogue
from stratlab.market_data.content import PRICE_FIELDS, canonical

# In this autumn clocks change, and the exchange closes early twice.
START = date(2003, 10, 13)


def bar_ends(calendar, timeframe, day):
    """The labels of a session without gaps, UTC without time zone."""
    opened = exchange_calendars.get_calendar(
        calendar, start="1990-01-01", end="2012-01-01", side="right"
    )
    first, last = (
        moment.tz_localize(None) for moment in (opened.session_open(day), opened.session_close(day))
    )
    step = pd.Timedelta(minutes=INTRADAY_MINUTES[timeframe])
    ends = pd.date_range(first + step, last, freq=step)
    return ends if len(ends) and ends[-1] == last else ends.append(pd.DatetimeIndex([last]))


@dataclass
class World:
    """One market; ``files`` is the input of the trusted data job.

    ``days`` and ``start`` (row of the first traded bar) are what scripts of orders need.
    """

    calendar: str
    timeframe: str
    days: list
    content: object
    panel: PricePanel
    files: dict
    start: int


class CapturedJobs:
    """Stands for the trusted job: keeps what it would read."""

    def __init__(self):
        self.files = {}

    def run(self, module, *, read, write):
        self.files = {path.name: path.read_text() for path in read["/input"].iterdir()}
        (write["/output"] / "train").mkdir()
        (write["/output"] / "train" / "tier.json").write_text("{}")


def random_world(rng, home, calendar="XNYS", timeframe="1h", count=45):
    """AAA trades nearly always, BBB lists late and has gaps, CCC is delisted.

    On the exchange they have splits and dividends, which take effect at the start of a session
    whether or not the symbol has a bar there.
    """
    days = [day.date() for day in sessions_between(calendar, START, START + timedelta(count * 2))]
    days = days[:count]
    labels = {day: bar_ends(calendar, timeframe, pd.Timestamp(day)) for day in days}
    # Bars that no symbol has.
    labels = {day: ends[rng.random(len(ends)) > 0.06] for day, ends in labels.items()}
    rows, splits, dividends = [], [], []
    lives = [(0, count), (int(rng.integers(8, 12)), count), (0, int(rng.integers(25, 35)))]
    for symbol, (first, last) in zip(SYMBOLS, lives, strict=True):
        price = float(rng.uniform(20, 80))
        for number in range(first, last):
            day = days[number]
            if calendar == "XNYS" and number > first and rng.random() < 0.1:
                ratio = float(rng.choice([0.5, 1 / 3, 2 / 3, 0.25, 2.0, 5.0]))
                splits.append((symbol, day, ratio))
                price *= ratio
            if calendar == "XNYS" and number > first and rng.random() < 0.15:
                pay = days[min(number + int(rng.integers(0, 6)), count - 1)]
                dividends.append((symbol, day, pay, round(float(rng.uniform(0.05, 1.0)), 3)))
            present = rng.random(len(labels[day])) > (0.3 if symbol == "BBB" else 0.03)
            for label in labels[day][present]:
                open_ = price * math.exp(rng.normal(0, 0.004))
                price = open_ * math.exp(rng.normal(0, 0.008))
                high = max(open_, price) * (1 + abs(rng.normal(0, 0.004)))
                low = min(open_, price) * (1 - abs(rng.normal(0, 0.004)))
                volume = int(10 ** rng.uniform(1, 6))
                rows.append((symbol, label, open_, high, low, price, volume))
    prices = pd.DataFrame(rows, columns=["symbol", "label", *PRICE_FIELDS, "volume"])
    # Actions on sessions without any bar are not possible.
    known = set(days) & {label.date() for label in prices["label"]}
    content = canonical(
        calendar=calendar,
        timeframe=timeframe,
        prices=prices,
        splits=table(["symbol", "session", "ratio"], splits, known),
        dividends=table(["symbol", "ex_session", "pay_session", "amount"], dividends, known),
        tiers={Tier.TRAIN: TierRange(days[WARM_UP], days[-1])},
    )
    panel, files = built(home, content)
    begin = int(np.searchsorted(panel.sessions, pd.Timestamp(days[WARM_UP]).timestamp()))
    return World(calendar, timeframe, days, content, panel, files, begin)


def built(home, content):
    """The host's panel of a data set, and what the trusted data job reads of it."""
    jobs = CapturedJobs()
    build_data_set(home, "random", content, jobs, provenance="random")
    market = MarketSet("random", content.symbols, content.timeframe)
    return Catalogue(home).prices(market, Tier.TRAIN), jobs.files


def table(columns, rows, known):
    """Rows of actions on sessions that have bars."""
    frame = pd.DataFrame([row for row in rows if row[1] in known], columns=columns)
    return frame.astype({name: "datetime64[ns]" for name in columns if name.endswith("session")})
