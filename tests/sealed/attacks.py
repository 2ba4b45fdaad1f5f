"""Strategies that cheat in a sealed replay, each in another way."""

from dataclasses import dataclass

from stratlab.domain.trial import Outcome

_TRADER = """
from zipline.api import order_target, symbol
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.reporter import Reporter

def initialize(context):
    context.asset = symbol('IBM')
    context.days = 0

def cheat(context, data):
    pass

def handle_data(context, data):
    context.days += 1
    cheat(context, data)
    if context.days % 10 == 1:
        order_target(context.asset, 100 if context.days % 20 == 1 else 0)
"""


@dataclass(frozen=True)
class Attack:
    """A dishonest strategy.

    Attributes:
        name: What it does.
        source: The strategy.
        outcome: What it must be found to be.
        reason: Part of what is said about it.
    """

    name: str
    source: str
    outcome: Outcome
    reason: str


def _attack(name: str, outcome: Outcome, reason: str, code: str) -> Attack:
    return Attack(name, f"{_TRADER}\n{code}", outcome, reason)


_TELL = """
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.wire import write_frame
"""

ATTACKS = (
    _attack(
        "patched metrics",
        Outcome.FORGED,
        "equity",
        """
told = Reporter.equity
Reporter.equity = lambda self, bar, value, fraction: told(self, bar, value * 1.5, fraction)
""",
    ),
    _attack(
        "patched portfolio",
        Outcome.FORGED,
        "equity",
        """
def cheat(context, data):
    if context.days == 30:
        context.metrics_tracker._ledger._cash_flow(50_000.0)
""",
    ),
    _attack(
        "fills at the day's low",
        Outcome.FORGED,
        "the container reports",
        """
from stratlab_runner import lab
def process_order(self, data, order):
    return data.current(order.asset, 'low'), order.amount
lab.NextOpenSlippage.process_order = process_order
def simulate(self, data, asset, orders):
    from zipline.finance.transaction import create_transaction
    for order in orders:
        price = data.current(asset, 'low')
        yield order, create_transaction(order, data.current_dt, price, order.amount)
lab.NextOpenSlippage.simulate = simulate
""",
    ),
    _attack(
        "zero commission",
        Outcome.FORGED,
        "the container reports",
        """
from zipline.finance.commission import PerShare
PerShare.calculate = lambda self, order, transaction: 0.0
""",
    ),
    _attack(
        "orders sized on faked cash",
        Outcome.FORGED,
        "leverage",
        """
def cheat(context, data):
    context.account_controls.clear()
    if context.days == 5:
        order_target(context.asset, 100_000)
""",
    ),
    _attack(
        "forged end",
        Outcome.PROTOCOL_VIOLATION,
        "before the orders of its last bar",
        _TELL
        + """
def cheat(context, data):
    if context.days == 30:
        import os
        from stratlab_runner.reporter import Reporter
        name = context.metrics_tracker._ledger and TRIAL[0]
        write_frame(3, pb.AttachRequest(
            finished=pb.TrialFinished(trial_id=name)).SerializeToString())
        os._exit(0)

TRIAL = []
noted = Reporter.fill
import gc
# One that ran nothing but the rehearsal has no trial.
found = [each for each in gc.get_objects() if isinstance(each, Reporter)]
TRIAL += [each._trial_id for each in found if each._trial_id]
""",
    ),
    _attack(
        "run ahead and order at yesterday's bar",
        Outcome.PROTOCOL_VIOLATION,
        "another bar than the last",
        """
def cheat(context, data):
    if context.days == 9:
        days = context.trading_calendar.sessions
        here = days.get_loc(data.current_session)
        context._market.advance(days[here + 1])
        order_target(context.asset, 50)
""",
    ),
    _attack(
        "winner in a bar of the past",
        Outcome.PROTOCOL_VIOLATION,
        "another bar than the last",
        _TELL
        + """
def cheat(context, data):
    if context.days == 9:
        bar = int(data.current_session.timestamp()) - 7 * 86400
        context._market.feed.place(pb.LogEntry(
            number=900, bar=bar, phase=2, symbol='IBM', amount=1000, kind='market'))
""",
    ),
    _attack(
        "equity of a day to come",
        Outcome.PROTOCOL_VIOLATION,
        "outside the trial's window",
        _TELL
        + """
def cheat(context, data):
    if context.days == 30:
        import gc
        import time
        name = next(e._trial_id for e in gc.get_objects() if isinstance(e, Reporter))
        bar = int(data.current_session.timestamp()) + 7 * 86400
        write_frame(3, pb.AttachRequest(
            equity=pb.EquityBatch(trial_id=name, bars=[bar], values=[1e6])).SerializeToString())
        time.sleep(2)  # the day must still be to come when the controller reads this
""",
    ),
    _attack(
        "reading mounts",
        Outcome.STRATEGY_ERROR,
        "",
        """
import numpy as np
CLOSES = np.load('/data/days/close.npy')
""",
    ),
)

PEEKER = """
import gc, json, os, socket
import numpy as np
import pandas as pd
from zipline.api import order_target, symbol

def initialize(context):
    context.asset = symbol('AAPL')
    context.found = {}
    context.looks = 0

def tries(context, data):
    # The collector does not tell of what was there before the process was forked.
    portal, finder = context.data_portal, context.asset_finder
    days = portal.trading_calendar.sessions
    here = days.get_loc(data.current_session)
    ahead, asset, reader = days[here + 1:here + 6], context.asset, portal._pricing_readers['daily']
    row = portal.row(data.current_session)
    yield 'spot', lambda: [portal.get_spot_value(asset, 'close', day, 'daily') for day in ahead]
    yield 'history', lambda: portal.get_history_window(
        [asset], ahead[-1], 5, '1d', 'close', 'daily').to_numpy().ravel().tolist()
    yield 'raw', lambda: reader.load_raw_arrays(['close'], ahead[0], ahead[-1], [asset])[0].ravel()
    yield 'arrays', lambda: portal._arrays['close'][row + 1:, :].ravel()
    yield 'value', lambda: [reader.get_value(asset, day, 'close') for day in ahead]
    yield 'actions', lambda: [
        when for table in ('splits', 'dividends')
        for when, _ in portal._adjustment_reader.get_adjustments_for_sid(table, asset.sid)
        if when > data.current_session]
    yield 'payouts', lambda: [
        day for (day,) in portal._adjustment_reader.conn.execute(
            'SELECT ex_date FROM dividend_payouts')
        if day > data.current_session.timestamp()]
    yield 'ends', lambda: [
        each.symbol for each in finder.retrieve_all(finder.sids)
        if each.end_date.year < 2100 or each.auto_close_date is not None]
    yield 'mount', lambda: os.listdir('/data')
    yield 'feed', lambda: socket.socket(socket.AF_UNIX).connect('/run/stratlab/feed.sock')
    yield 'link', lambda: socket.socket(socket.AF_UNIX).connect('/run/stratlab/link.sock')

def is_something(value):
    if value is None:
        return False
    return any(not isinstance(each, float) or each == each for each in list(value))

def handle_data(context, data):
    context.looks += 1
    if context.looks % 20:
        return
    for name, look in tries(context, data):
        try:
            seen = look()
        except Exception:
            continue
        if is_something(seen):
            context.found[name] = str(seen)[:200]
    print(json.dumps({'looks': context.looks, 'found': context.found}))
"""
"""Looks ahead by every way that is known, buys nothing, and prints what it has found."""
