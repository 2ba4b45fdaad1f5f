"""Honest strategies: templates, own ones in many styles, and the algorithms of other tests."""

import json
import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from tests.conftest import IMAGE

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import CostModelKind
from stratlab.generation import load_templates

TESTS = Path(__file__).parents[1]
# Of zipline's published ones those that trade often; buy_and_hold orders once.
EXAMPLES = ("buyapple", "dual_ema_talib", "momentum_pipeline", "olmar")

# Zipline's SingleAsset refuses an asset that does not live through the half-year that a pipeline
# computes at once: what it does today depends on a death to come, and a world with one shows it.
_PEEKING = ("pipeline_terms",)

_HEAD = """
import random
from zipline.api import (cancel_order, date_rules, get_open_orders, order, order_target,
                         order_target_percent, schedule_function, symbol, time_rules)
from stratlab_runner import lab

def initialize(context):
    context.assets = [symbol(name) for name in context.symbols[:5]]
    {initialize}
"""
_MOMENTUM = """
def rebalance(context, data):
    closes = data.history(context.assets, 'close', {window}, '1d')
    gains = (closes.iloc[-1] / closes.iloc[0] - 1) * {sign}
    best = gains.sort_values().index[-2:]
    for asset in context.assets:
        if data.can_trade(asset):
            order_target_percent(asset, 0.4 if asset in best else 0.0)
"""
_SCHEDULES = {
    "weekly": "date_rules.week_start()",
    "monthly": "date_rules.month_end(days_offset=2)",
}
_BREAKOUT = """
def handle_data(context, data):
    for asset in context.assets:
        if not data.can_trade(asset):
            continue
        highs = data.history(asset, 'high', {window}, '1d')[:-1].max()
        lows = data.history(asset, 'low', {window}, '1d')[:-1].min()
        now, held = data.current(asset, 'close'), context.portfolio.positions[asset].amount
        if now > highs and held == 0:
            order(asset, 100)
        elif now < lows and held > 0:
            order_target(asset, 0)
"""
_AVERAGES = """
def handle_data(context, data):
    for asset in context.assets:
        closes = data.history(asset, 'close', {slow}, '1d')
        if data.can_trade(asset) and closes.notna().all():
            up = closes[-{fast}:].mean() > closes.mean()
            order_target(asset, 150 if up else -50)
"""
_BRACKETS = """
def handle_data(context, data):
    for asset in context.assets[:3]:
        bracket = context.open.get(asset)
        if bracket is not None and bracket.is_open:
            if bracket.stop_level and data.current(asset, 'close') > bracket.entry_price * 1.02:
                bracket.move_stop(max(bracket.stop_level, round(bracket.entry_price, 2)))
        elif bracket is None or not bracket.is_pending:
            closes = data.history(asset, 'close', {window}, '1d')
            if closes.iloc[-1] < closes.mean() and data.can_trade(asset):
                reach = float(closes.std()) + 0.1
                context.open[asset] = lab.order_bracket(asset, 100, reach, 2 * reach)
"""
_LIMITS = """
def handle_data(context, data):
    for asset in context.assets:
        for waiting in get_open_orders(asset):
            cancel_order(waiting)
        if data.can_trade(asset):
            now = data.current(asset, 'close')
            held = context.portfolio.positions[asset].amount
            if held == 0:
                order(asset, 100, limit_price=round(now * {below}, 2))
            else:
                order(asset, -held, limit_price=round(now * {above}, 2))
"""
_CHANCE = """
def handle_data(context, data):
    asset = random.choice(context.assets)
    if data.can_trade(asset) and random.random() < {often}:
        order_target(asset, random.randrange(-100, 101, 10))
"""
_VOLATILITY = """
def rebalance(context, data):
    for asset in context.assets:
        closes = data.history(asset, 'close', {window}, '1d').pct_change().std()
        if data.can_trade(asset) and closes > 0:
            order_target_percent(asset, min(0.15, 0.002 / closes))
"""


def _source(body: str, initialize: str = "pass", **values: object) -> str:
    return _HEAD.format(initialize=initialize) + body.format(**values)


def _scheduled(schedule: str) -> str:
    return f"schedule_function(rebalance, {_SCHEDULES[schedule]}, time_rules.market_open())"


OWN: Mapping[str, str] = {
    **{
        f"{name} {when} {window}": _source(_MOMENTUM, _scheduled(when), window=window, sign=sign)
        for (name, sign), when, window in product(
            (("momentum", 1), ("reversal", -1)), _SCHEDULES, (20, 60)
        )
    },
    **{f"breakout {n}": _source(_BREAKOUT, window=n) for n in (10, 20, 40)},
    **{f"averages {f} {s}": _source(_AVERAGES, fast=f, slow=s) for f, s in ((3, 10), (10, 50))},
    **{f"brackets {n}": _source(_BRACKETS, "context.open = {}", window=n) for n in (10, 30)},
    **{f"limits {b}": _source(_LIMITS, below=b, above=2 - b) for b in (0.99, 0.98, 0.97)},
    **{f"seeded chance {p}": _source(_CHANCE, often=p) for p in (0.1, 0.5)},
    **{f"volatility {n}": _source(_VOLATILITY, _scheduled("weekly"), window=n) for n in (10, 40)},
}


def honest_strategies() -> Mapping[str, tuple[str, CostModelKind]]:
    """Return sources, by name, with the costs that they are written for."""
    templates = {
        f"template/{name}": compile_to_zipline(contract)
        for name, contract in load_templates().items()
    }
    own = {f"own/{name}": source for name, source in OWN.items()}
    folder = TESTS / "zipline_compat" / "algorithms"
    compat = {
        f"compat/{file.stem}": file.read_text()
        for file in sorted(folder.glob("*.py"))
        if file.stem not in _PEEKING
    }
    published = {f"zipline/{name}": source for name, source in _examples().items()}
    return {
        **{name: (source, CostModelKind.NEXT_OPEN) for name, source in (templates | own).items()},
        **{name: (source, CostModelKind.ZIPLINE) for name, source in (compat | published).items()},
    }


def _examples() -> dict[str, str]:
    inside = TESTS / "screening" / "inside"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", f"--volume={inside}:/inside:ro"),
            *("--entrypoint=python", IMAGE, "-P", "-W", "ignore", "/inside/examples.py"),
            *EXAMPLES,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found
