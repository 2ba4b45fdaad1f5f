"""Strategies that look ahead, each by another way, and one that asks the clock.

All of them ask an oracle ``ahead(context, data, asset)`` for the return of the next bars and buy
when it is positive.
"""

from dataclasses import dataclass

from stratlab.domain.market import CostModelKind

_TRADER = """
from zipline.api import order_target, get_datetime, symbol
import numpy as np
import pandas as pd

SHARES = 200

def initialize(context):
    # Among them one that is born, one that dies and three that pay dividends.
    context.assets = [symbol(name) for name in context.symbols[5:11]]

def is_acting(context, data):
    return True

def handle_data(context, data):
    if not is_acting(context, data):
        return
    for asset in context.assets:
        if data.can_trade(asset):
            wanted = SHARES if ahead(context, data, asset) > 0 else 0
            if wanted != context.portfolio.positions[asset].amount:
                order_target(asset, wanted)
"""

_BY_PORTAL = """
def close_at(portal, asset, day):
    return portal.get_spot_value(asset, 'close', day, 'daily')

PORTALS = []

def ahead(context, data, asset):
    if not PORTALS:
        PORTALS.append(find_portal(context, data))
    portal = PORTALS[0]
    days = portal.trading_calendar.sessions
    here = days.searchsorted(get_datetime().tz_localize(None).normalize())
    try:
        return close_at(portal, asset, days[here + 3]) / data.current(asset, 'close') - 1
    except Exception:
        return 0.0
"""


@dataclass(frozen=True)
class Attack:
    """A dishonest strategy.

    Attributes:
        name: How it looks ahead.
        source: The strategy.
        outcome: What it must be found to be.
        is_rare: Whether it seldom looks, so that all cuts are needed.
        costs: Under which cost model it trades.
    """

    name: str
    source: str
    outcome: str = "LOOKAHEAD"
    is_rare: bool = False
    costs: CostModelKind = CostModelKind.NEXT_OPEN


def _attack(
    name: str,
    code: str,
    outcome: str = "LOOKAHEAD",
    *,
    is_rare: bool = False,
    costs: CostModelKind = CostModelKind.NEXT_OPEN,
) -> Attack:
    return Attack(name, f"{_TRADER}\n{code}", outcome, is_rare, costs)


_BY_MOUNT = """
CLOSES = np.load('/data/days/close.npy')

def ahead(context, data, asset):
    column = asset.sid
    now = data.current(asset, 'close')
    known = data.history(asset, 'close', 3, '1d')
    (here,) = np.where(np.isclose(CLOSES[:, column], now, atol=0.0005))
    rows = [row for row in here if row > 1 and row + 3 < len(CLOSES)
            and abs(CLOSES[row - 1, column] / known.iloc[-2] - 1) < 0.7]
    return CLOSES[rows[-1] + 3, column] / now - 1 if rows else 0.0
"""

ATTACKS = (
    _attack(
        "gc",
        "import gc\nfrom zipline.data.data_portal import DataPortal\n"
        + _BY_PORTAL
        + """
def find_portal(context, data):
    return next(each for each in gc.get_objects() if isinstance(each, DataPortal))
""",
    ),
    _attack(
        "frame walking",
        "import sys\n"
        + _BY_PORTAL
        + """
def find_portal(context, data):
    frame = sys._getframe()
    while frame is not None:
        for each in frame.f_locals.values():
            if hasattr(each, 'data_portal'):
                return each.data_portal
        frame = frame.f_back
""",
    ),
    _attack(
        "data portal",
        _BY_PORTAL
        + """
def find_portal(context, data):
    return context.data_portal
""",
    ),
    _attack("reading mounts", _BY_MOUNT),
    _attack(
        "one week a year",
        _BY_PORTAL
        + """
def find_portal(context, data):
    return context.data_portal

def is_acting(context, data):
    now = get_datetime()
    return now.month == 6 and now.day <= 7
""",
        is_rare=True,
    ),
    _attack(
        "dummy orders",
        "from zipline.api import cancel_order, order\n"
        + _BY_PORTAL
        + """
RESTING = {}

def find_portal(context, data):
    return context.data_portal

def is_acting(context, data):
    # Until the next order for the asset no execution at a close has earned anything.
    for asset in filter(data.can_trade, context.assets):
        if asset in RESTING:
            cancel_order(RESTING[asset])
        RESTING[asset] = order(asset, 1, limit_price=0.01)
    now = get_datetime()
    return now.month == 6 and now.day <= 7
""",
        costs=CostModelKind.ZIPLINE,
    ),
    _attack(
        "only when files are old",
        "import os, time\n"
        + _BY_PORTAL
        + """
def find_portal(context, data):
    return context.data_portal

def is_acting(context, data):
    return time.time() - os.stat('/data/days/close.npy').st_mtime > 1.0
""",
    ),
    _attack(
        "unless the future is a copy",
        _BY_PORTAL
        + """
CLOSES = np.load('/data/days/close.npy')
RETURNS = np.round(np.diff(np.log(np.where(CLOSES > 0, CLOSES, np.nan)), axis=0)[:, 0], 5)
RUNS = [tuple(RETURNS[row:row + 4]) for row in range(len(RETURNS) - 4)]
COPIES = len(RUNS) - len(set(RUNS))

def find_portal(context, data):
    return context.data_portal

def is_acting(context, data):
    return COPIES < 5
""",
    ),
    _attack(
        "future splits and dividends",
        """
import sqlite3
DISK = sqlite3.connect(':memory:')
DISK.deserialize(open('/data/adjustments.sqlite', 'rb').read())
DAYS = {}
for sid, day in DISK.execute('SELECT sid, ex_date FROM dividend_payouts'):
    DAYS.setdefault(sid, []).append(pd.Timestamp(day, unit='s'))

def ahead(context, data, asset):
    now = get_datetime().tz_localize(None).normalize()
    return float(any(0 < (day - now).days <= 5 for day in DAYS.get(asset.sid, ())))
""",
        is_rare=True,
    ),
    _attack(
        "wall clock",
        """
import time

def ahead(context, data, asset):
    return int(time.time() * 1e6) % 2
""",
        "NONDETERMINISTIC",
    ),
)

DYING = _attack(
    "end dates",
    """
def ahead(context, data, asset):
    return float((asset.end_date - get_datetime().tz_localize(None)).days > 15)
""",
)
"""For markets in which assets die: it leaves them in time."""

CLOSING = _attack(
    "auto-close dates",
    """
def ahead(context, data, asset):
    closing = asset.auto_close_date
    now = get_datetime().tz_localize(None)
    return float(closing is pd.NaT or closing is None or (closing - now).days > 15)
""",
)
"""The same by another date."""
