"""Our runner against zipline's own run_algorithm, on the same bundle."""

import json
from pathlib import Path

import pytest
from tests.runner.conftest import run_inside
from tests.runner.host import day, host_log
from tests.runner.market import Market
from tests.runner.member import Member, Result

from stratlab.domain.market import CostModel, CostModelKind, Tier, Window
from stratlab.evaluation.order_log import find_impossible
from stratlab.evaluation.repricing import reprice

pytestmark = pytest.mark.docker

START, END, CAPITAL = "2019-06-03", "2020-12-31", 250_000.0

# Trades every kind of order at random, from a seed; sizes go beyond the volume limit. What it
# reads before the open decides, so that readings that differ from plain zipline's would show.
RANDOM_ORDERS = """
import random
import pandas as pd
from zipline.api import *
def initialize(context):
    context.random = random.Random(5)
    batch_market_order(pd.Series({symbol("AAA"): 70, symbol("BBB"): -30}))
    schedule_function(rebalance, date_rules.month_end())
def rebalance(context, data):
    order_target_percent(symbol("AAA"), 0.4)
def before_trading_start(context, data):
    readings = (
        data.current(symbol("AAA"), "price"),
        data.history(symbol("BBB"), "close", 3, "1d").sum(),
        context.portfolio.portfolio_value,
        len(get_open_orders()),
    )
    context.random = random.Random(str(readings))
def handle_data(context, data):
    for orders in get_open_orders().values():
        for each in orders:
            if context.random.random() < 0.1:
                cancel_order(each)
    for name in ("AAA", "BBB", "DDD"):
        asset = symbol(name)
        if context.random.random() > 0.15 or not data.can_trade(asset):
            continue
        price = data.current(asset, "price")
        amount = context.random.choice([-300, -50, 20, 60, 400])
        level, other = (price * (1 + context.random.uniform(-0.03, 0.03)) for _ in "ab")
        kind = context.random.randrange(4)
        if kind == 0:
            order(asset, amount)
        elif kind == 1:
            order(asset, amount, limit_price=level)
        elif kind == 2:
            order(asset, amount, stop_price=level)
        else:
            order(asset, amount, limit_price=level, stop_price=other)
"""

RANDOM_BRACKETS = """
import random
from zipline.api import *
def initialize(context):
    context.random = random.Random(6)
    context.brackets = {}
def handle_data(context, data):
    for bracket in context.brackets.values():
        if bracket.is_open and context.random.random() < 0.05:
            bracket.move_stop(bracket.entry_price * context.random.uniform(0.95, 1.05))
    for name in ("AAA", "BBB", "DDD"):
        if context.random.random() < 0.05 and data.can_trade(symbol(name)):
            order(symbol(name), context.random.choice([-200, -60, 30, 150]))
    for name in ("AAA", "BBB", "CCC", "DDD"):
        asset = symbol(name)
        bracket = context.brackets.get(name)
        if bracket is not None and (bracket.is_open or bracket.is_pending):
            if context.random.random() < 0.05:
                bracket.close()
            elif bracket.is_open and context.random.random() < 0.1 and data.can_trade(asset):
                step = context.random.uniform(0.97, 1.03)
                bracket.move_stop(data.current(asset, "price") * step)
        elif context.random.random() < 0.3 and data.can_trade(asset):
            price = data.current(asset, "price")
            amount = context.random.choice([-90, -40, 45, 75, 120])
            stop, take = (
                context.random.choice([None, price * context.random.uniform(0.001, 0.04)])
                for _ in "ab"
            )
            context.brackets[name] = ORDER_BRACKET(asset, amount, stop, take)
"""
OWN_COSTS = """
from zipline.finance.commission import PerShare
strategy_initialize = initialize
def initialize(context):
    strategy_initialize(context)
    set_slippage(NextOpenSlippage(10.0, 0.1))
    set_commission(PerShare(cost=0.01, min_trade_cost=0.0))
"""
IN_THE_LAB = "from stratlab_runner import lab\n" + RANDOM_BRACKETS.replace(
    "ORDER_BRACKET", "lab.order_bracket"
)
EXPORTED = RANDOM_BRACKETS.replace("ORDER_BRACKET", "order_bracket") + OWN_COSTS


def run_plainly(strategy: str, market: Market, scratch: Path) -> dict[str, list[object]]:
    (scratch / "market.json").write_text(json.dumps(market.description()))
    (scratch / "strategy.py").write_text(strategy)
    printed = run_inside(
        "plain_zipline.py",
        "/scratch/market.json",
        "/scratch/strategy.py",
        START,
        END,
        str(CAPITAL),
        mounts={scratch: "/scratch"},
    )
    return json.loads(printed.splitlines()[-1])


def run_in_the_lab(member: Member, source: str, cost_model: str) -> Result:
    result = member.run(
        source,
        cost_model=cost_model,
        start=START,
        end=END,
        capital=CAPITAL,
        symbols=["AAA", "BBB", "CCC", "DDD"],
    )
    assert result.failed is None, result.failed
    return result


def assert_same(result: Result, plain: dict[str, list[object]]) -> None:
    fills = [[fill.bar, fill.symbol, fill.amount, fill.price] for fill in result.fills]
    assert len(fills) > 60
    assert fills == plain["fills"]
    assert [value for _, value in result.equity] == plain["values"]


def assert_host_agrees(result: Result, market: Market, kind: CostModelKind) -> None:
    log, panel = host_log(result), market.panel()
    labels = [label for label, _ in result.equity]
    bars = {label: number for number, label in enumerate(labels)}
    assert find_impossible(log, bars, panel.symbols, kind) is None
    costs = CostModel(kind, slippage_bps=10.0, commission_per_share=0.01, volume_limit=0.1)
    window = Window(Tier.TRAIN, day(labels[0]), day(labels[-1]))
    rebuilt = reprice(log, panel, window, CAPITAL, costs)
    mine = sorted(result.fills, key=lambda fill: (fill.bar, fill.number))
    assert [(f.number, f.bar, f.amount) for f in mine] == [
        (f.number, f.bar, f.amount) for f in rebuilt.fills
    ]
    assert [f.price for f in mine] == pytest.approx([f.price for f in rebuilt.fills], rel=1e-9)
    assert [value for _, value in result.equity] == pytest.approx(rebuilt.equity, rel=1e-9)


def test_zipline_model_equals_run_algorithm_exactly(
    member: Member, market: Market, tmp_path: Path
) -> None:
    result = run_in_the_lab(member, RANDOM_ORDERS, "zipline")
    assert_same(result, run_plainly(RANDOM_ORDERS, market, tmp_path))
    numbers = [fill.number for fill in result.fills]
    assert len(numbers) > len(set(numbers))  # some orders filled in parts
    assert_host_agrees(result, market, CostModelKind.ZIPLINE)


def test_next_open_random_orders_agree_with_the_host(member: Member, market: Market) -> None:
    result = run_in_the_lab(member, RANDOM_ORDERS, "next_open")
    assert len(result.fills) > 60
    assert_host_agrees(result, market, CostModelKind.NEXT_OPEN)


def test_brackets_in_the_lab_equal_an_exported_strategy_exactly(
    member: Member, market: Market, tmp_path: Path
) -> None:
    result = run_in_the_lab(member, IN_THE_LAB, "next_open")
    assert_same(result, run_plainly(EXPORTED, market, tmp_path))
    kinds = {entry.kind for entry in result.log}
    assert kinds == {"market", "bracket_stop", "bracket_take", ""}
    assert_host_agrees(result, market, CostModelKind.NEXT_OPEN)


def test_exported_strategy_in_the_lab_gives_the_same_orders(member: Member) -> None:
    lab = (Path(__file__).parents[2] / "sandbox_image/stratlab_runner/lab.py").read_text()
    with_own_copy = run_in_the_lab(member, lab + EXPORTED, "next_open")
    assert with_own_copy.log == run_in_the_lab(member, IN_THE_LAB, "next_open").log
