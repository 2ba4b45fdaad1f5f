"""Trials in the real runner: reports, limits, endings."""

import pytest
from tests.runner.market import Market
from tests.runner.member import Member

from stratlab_proto.runner.v1 import runner_service_pb2 as pb

pytestmark = pytest.mark.docker

HEADER = "from zipline.api import *\nfrom stratlab_runner import lab\n"
TRADER = (
    HEADER
    + """
def initialize(context):
    schedule_function(rebalance, date_rules.week_start())
def rebalance(context, data):
    for name in context.symbols:
        order_target_percent(symbol(name), 0.3)
"""
)


def strategy(initialize: str = "pass", handle_data: str = "pass") -> str:
    return (
        f"{HEADER}def initialize(context):\n    {initialize}\n"
        f"def handle_data(context, data):\n    {handle_data}\n"
    )


def test_trial_honest_strategy_reports_everything_in_batches(
    member: Member, market: Market
) -> None:
    result = member.run(TRADER)
    assert result.failed is None, result.failed
    labels = [label for label in market.labels if label >= 1577836800]
    assert result.kinds[0] == "started"
    assert result.kinds[-1] == "finished"
    assert result.bars == len(labels)
    assert [bar for bar, _ in result.equity] == labels
    assert result.kinds.count("equity") == 1
    assert len(result.log) > 80
    assert [entry.number for entry in result.log] == list(range(1, len(result.log) + 1))
    assert 10 <= len(result.progress) <= 60
    assert result.progress[-1].fraction <= 1
    assert 0 < result.usage.cpu_seconds <= result.usage.wall_seconds * 1.2
    assert result.usage.max_rss_bytes > 50 << 20


def test_trial_same_seed_gives_the_same_numbers_and_another_seed_others(member: Member) -> None:
    source = strategy(
        "import random, numpy; print(random.random(), numpy.random.rand(), hash('stratlab'))"
    )
    first, again, other = (member.run(source, seed=seed).output.tail for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_trial_repeated_gives_the_same_orders_fills_and_equity(member: Member) -> None:
    first, again = member.run(TRADER), member.run(TRADER)
    assert (first.log, first.fills, first.equity) == (again.log, again.fills, again.equity)


def test_trial_context_has_parameters_and_symbols(member: Member) -> None:
    result = member.run(
        strategy(
            "assert context.params['fast'] == 5 and context.params['level'] == 0.5; "
            "assert context.symbols == ('BBB', 'AAA'); "
            "assert [a.symbol for a in symbols('AAA', 'BBB')] == ['AAA', 'BBB']; "
            "context.params['fast'] = 6"
        ),
        parameters={"fast": 5, "level": 0.5},
        symbols=["BBB", "AAA"],
    )
    assert result.failed is not None
    assert (result.failed.type, result.failed.line) == ("TypeError", 4)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("symbol('CCC')", "CCC"),
        ("symbol('nowhere')", "nowhere"),
        ("symbols('AAA', 'CCC')", "CCC"),
        ("sid(2)", "CCC"),
    ],
)
def test_trial_symbol_outside_the_market_set_is_refused_by_name(
    member: Member, statement: str, name: str
) -> None:
    result = member.run(strategy(statement))
    assert result.cause == "CAUSE_EXCEPTION"
    assert result.failed is not None
    assert result.failed.type == "SymbolNotInMarketError"
    assert repr(name) in result.failed.message
    assert (result.failed.line, result.failed.text) == (4, statement)


def test_trial_order_outside_the_market_set_is_refused(member: Member) -> None:
    source = strategy(
        handle_data="order(context.asset_finder.retrieve_asset(2), 1)",
    )
    result = member.run(source)
    assert result.failed is not None
    assert result.failed.type == "SymbolNotInMarketError"
    assert result.log == []


COSTS_OF_ITS_OWN = """
from zipline.finance.slippage import NoSlippage
from zipline.finance.commission import NoCommission
from zipline.assets import Equity
"""


@pytest.mark.parametrize(
    "act",
    [
        "set_slippage(NoSlippage()); set_commission(NoCommission())",
        "context.blotter.slippage_models[Equity] = NoSlippage()",
        "context.blotter.commission_models[Equity] = NoCommission()",
    ],
)
def test_trial_costs_set_by_the_strategy_have_no_effect(member: Member, act: str) -> None:
    plain = member.run(TRADER)
    body = TRADER.replace("def initialize(context):", f"def initialize(context):\n    {act}")
    own = member.run(COSTS_OF_ITS_OWN + body)
    assert own.failed is None, own.failed
    assert own.fills == plain.fills
    assert all(fill.commission > 0 for fill in own.fills)


def test_trial_costs_set_later_have_no_effect(member: Member) -> None:
    plain = member.run(TRADER)
    late = (
        "    context.blotter.slippage_models[Equity] = NoSlippage()\n"
        "    context.blotter.commission_models[Equity] = NoCommission()\n"
    )
    own = member.run(COSTS_OF_ITS_OWN + TRADER + late)
    assert own.failed is None, own.failed
    assert own.fills == plain.fills
    refused = member.run(
        COSTS_OF_ITS_OWN + strategy(handle_data="set_slippage(NoSlippage())")
    ).failed
    assert refused is not None
    assert refused.type == "SetSlippagePostInit"


def test_trial_brackets_under_the_zipline_model_are_refused(member: Member) -> None:
    source = strategy(handle_data="lab.order_bracket(symbol('AAA'), 10, 1.0)")
    result = member.run(source, cost_model="zipline")
    assert result.failed is not None
    assert result.failed.type == "BracketError"
    assert "next_open" in result.failed.message
    assert result.log == []


@pytest.mark.parametrize(
    "call",
    ["0, 1.0", "1.5, 1.0", "10, 0.0", "10, -1.0", "10, float('nan')", "10, None, float('inf')"],
)
def test_trial_bracket_with_a_wrong_argument_is_refused(member: Member, call: str) -> None:
    source = strategy(handle_data=f"lab.order_bracket(symbol('AAA'), {call})")
    result = member.run(source, end="2020-01-10")
    assert result.failed is not None
    assert result.failed.type == "BracketError"
    assert result.log == []


BEFORE_OPEN = """
import pandas as pd
from zipline.api import *
from stratlab_runner import lab
def initialize(context):
    context.bracket = None
def before_trading_start(context, data):
    asset = symbol("AAA")
    # The close of a session that has not begun.
    is_bad = data.current(asset, "close") < data.current(asset, "open")
    {before}
def handle_data(context, data):
    asset = symbol("AAA")
    {handle}
"""
BRACKET = "context.bracket = context.bracket or lab.order_bracket(asset, 10, {legs})"
IF_OPEN = "if is_bad and context.bracket and context.bracket.is_open: context.bracket."
CANCEL = "is_bad and [cancel_order(each) for each in get_open_orders(asset)]"
BATCH = "if not is_bad: batch_market_order(pd.Series({asset: 10}))"


@pytest.mark.parametrize(
    ("cost_model", "handle", "before"),
    [
        ("next_open", "order(asset, 10)", CANCEL),
        ("zipline", "order(asset, 10)", CANCEL),
        ("next_open", "pass", BATCH),
        ("zipline", "pass", BATCH),
        ("next_open", BRACKET.format(legs="50.0"), IF_OPEN + "move_stop(1.0)"),
        ("next_open", BRACKET.format(legs="None"), IF_OPEN + "move_stop(1.0)"),
        ("next_open", BRACKET.format(legs="None, 50.0"), IF_OPEN + "close()"),
    ],
)
def test_trial_change_of_orders_with_a_bar_in_sight_is_refused(
    member: Member, cost_model: str, handle: str, before: str
) -> None:
    source = BEFORE_OPEN.format(handle=handle, before=before)
    result = member.run(source, cost_model=cost_model)
    assert result.failed is not None
    assert result.failed.type == "OrdersBeforeOpenError"
    assert result.cause == "CAUSE_EXCEPTION"
    assert "place, move and cancel orders in handle_data" in result.failed.message
    assert result.failed.text == before
    assert not any(entry.cancel for entry in result.log)
    assert {entry.phase for entry in result.log} <= {pb.LogEntry.PHASE_BAR}


@pytest.mark.parametrize("call", ["order(asset, 10)", "lab.order_bracket(asset, 10, 1.0)"])
def test_trial_order_before_the_open_is_refused_by_zipline_itself(
    member: Member, call: str
) -> None:
    result = member.run(BEFORE_OPEN.format(handle="pass", before=call))
    assert result.failed is not None
    assert result.failed.type == "OrderInBeforeTradingStart"
    assert result.log == []


@pytest.mark.parametrize("attempt", ["move_stop(1.0)", "close()"])
@pytest.mark.parametrize("legs", ["None", "30.0", "None, 30.0", "30.0, 30.0"])
def test_trial_refusal_that_is_caught_leaves_no_trace(
    member: Member, legs: str, attempt: str
) -> None:
    handle = (
        BRACKET.format(legs=legs) + "; order(asset, 7, limit_price=1.0); "
        "batch_market_order(pd.Series({symbol('BBB'): 1}))"
    )
    cheat = f"""
    for act in (
        lambda: context.bracket and context.bracket.{attempt},
        lambda: [cancel_order(each) for each in get_open_orders(asset)],
        lambda: batch_market_order(pd.Series({{asset: 10}})),
    ):
        try:
            act()
        except Exception:
            pass"""
    honest = member.run(BEFORE_OPEN.format(handle=handle, before="pass"))
    tried = member.run(BEFORE_OPEN.format(handle=handle, before=cheat))
    assert honest.failed is None, honest.failed
    assert tried.failed is None, tried.failed
    assert (tried.log, tried.fills, tried.equity) == (honest.log, honest.fills, honest.equity)


def test_trial_bracket_of_a_delisted_symbol_is_not_open(member: Member) -> None:
    handle = """if context.bracket is None:
        context.bracket = lab.order_bracket(symbol("DDD"), 10)
        order(symbol("DDD"), 5)
    print(context.bracket.is_open, context.portfolio.positions[symbol("DDD")].amount)"""
    result = member.run(BEFORE_OPEN.format(handle=handle, before="pass"), symbols=["AAA", "DDD"])
    assert result.failed is None, result.failed
    states = result.output.tail.decode().split()
    assert states[:2] == ["False", "0"]  # not filled yet
    assert {*zip(states[4::2], states[5::2], strict=True)} == {("True", "15"), ("False", "0")}
    assert states[-2:] == ["False", "0"]


def test_trial_leverage_beyond_the_limit_ends_it(member: Member) -> None:
    source = strategy(handle_data="order_target_percent(symbol('BBB'), 1.5)")
    result = member.run(source, max_leverage=1.2, volume_limit=1.0)
    assert result.failed is not None
    assert result.failed.type == "AccountControlViolation"
    assert result.cause == "CAUSE_EXCEPTION"
    assert len(result.fills) >= 1


def test_trial_position_beyond_the_limit_ends_it(member: Member) -> None:
    result = member.run(strategy(handle_data="order(symbol('AAA'), 40)"), max_position_shares=100)
    assert result.failed is not None
    assert result.failed.type == "TradingControlViolation"
    assert result.failed.text == "order(symbol('AAA'), 40)"
    assert len(result.log) == 2


def test_trial_failure_shows_the_strategys_own_lines_alone(member: Member) -> None:
    source = """
import pandas as pd
def initialize(context):
    pass
def helper(frame):
    return frame["missing"]
def handle_data(context, data):
    pd.Series([1]).apply(lambda value: helper(pd.DataFrame()))
"""
    failed = member.run(source).failed
    assert failed is not None
    assert failed.cause == pb.TrialFailed.CAUSE_EXCEPTION
    assert (failed.type, failed.message) == ("KeyError", "'missing'")
    assert (failed.line, failed.text) == (6, 'return frame["missing"]')
    assert failed.traceback.splitlines() == [
        "  line 8, in handle_data",
        "    pd.Series([1]).apply(lambda value: helper(pd.DataFrame()))",
        "  line 8, in <lambda>",
        "    pd.Series([1]).apply(lambda value: helper(pd.DataFrame()))",
        "  line 6, in helper",
        '    return frame["missing"]',
        "KeyError: 'missing'",
    ]


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("def initialize(context:\n    pass\n", "SyntaxError", 1),
        ("x = 1\n", "StrategyContractError", 0),
        ("import sys\nsys.exit(3)\n", "SystemExit", 2),
        ("def initialize(c):\n    def f(): f()\n    f()\n", "RecursionError", 2),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E()\n", "E", 3),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1),
        ("import requests.nothing\nrequests\n", "ModuleNotFoundError", 1),
    ],
)
def test_trial_failure_before_the_first_bar_is_the_strategys(
    member: Member, source: str, kind: str, line: int
) -> None:
    result = member.run(source)
    assert result.cause == "CAUSE_EXCEPTION"
    assert result.failed is not None
    assert (result.failed.type, result.failed.line) == (kind, line)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": "2030-01-01"},
        {"start": "2001-01-01"},
        {"start": "2020-01-04", "end": "2020-01-05"},
        {"symbols": ["ZZZ"]},
        {"symbols": []},
        {"cost_model": "free"},
        {"start": "yesterday"},
    ],
)
def test_trial_request_that_does_not_fit_is_the_runners_fault(
    member: Member, changes: dict[str, object]
) -> None:
    result = member.run(TRADER, **changes)
    assert result.kinds == ["failed"]
    assert result.cause == "CAUSE_RUNNER"


def test_trial_pipeline_sees_yesterday(member: Member) -> None:
    source = """
from zipline.api import attach_pipeline, pipeline_output, symbol
from zipline.pipeline import Pipeline
from zipline.pipeline.data import EquityPricing
def initialize(context):
    attach_pipeline(Pipeline({"close": EquityPricing.close.latest}), "p")
    context.last = None
def before_trading_start(context, data):
    value = pipeline_output("p")["close"].get(symbol("CCC" if False else "AAA"))
    assert context.last is None or value == context.last, (value, context.last)
def handle_data(context, data):
    context.last = data.current(symbol("AAA"), "price")
"""
    result = member.run(source, start="2020-04-01", end="2020-05-01")
    assert result.failed is None, result.failed


def test_trial_analyze_and_benchmark_are_ignored(member: Member) -> None:
    source = strategy("set_benchmark(symbol('AAA'))") + "def analyze(context, perf):\n    1 / 0\n"
    assert member.run(source).failed is None
