"""Every rule of the next-open cost model, in the image and rebuilt by the host."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.host import day, host_log
from tests.runner.market import Market, sessions
from tests.runner.member import Member, Result
from tests.runner.scenarios import BARS, SCENARIOS, Scenario, strategy, symbol_of

from stratlab.domain.market import CostModel, Tier, Window
from stratlab.domain.trial import Cancel, Order, OrderKind, Phase
from stratlab.evaluation.order_log import find_impossible
from stratlab.evaluation.repricing import reprice

pytestmark = pytest.mark.docker

LABELS = sessions("2020-06-01", "2020-06-10")
COSTS = CostModel(slippage_bps=10.0, commission_per_share=0.01, volume_limit=0.1)


@pytest.fixture(scope="module")
def scenario_market() -> Market:
    assert len(LABELS) == BARS
    symbols = {symbol_of(number): scenario for number, scenario in enumerate(SCENARIOS)}
    return Market(
        str(day(LABELS[0])),
        str(day(LABELS[-1])),
        LABELS,
        {symbol: scenario.all_bars for symbol, scenario in symbols.items()},
        [(at, symbol, ratio) for symbol, each in symbols.items() for at, ratio in each.splits],
    )


@pytest.fixture(scope="module")
def result(make_tier: Callable[[Market], Path], scenario_market: Market) -> Result:
    with Member(make_tier(scenario_market)) as member:
        outcome = member.run(
            strategy(),
            start=scenario_market.first,
            end=scenario_market.last,
            capital=1e9,
            symbols=sorted(scenario_market.bars),
        )
    assert outcome.failed is None, outcome.failed
    return outcome


@pytest.mark.parametrize(
    ("number", "scenario"), list(enumerate(SCENARIOS)), ids=[each.name for each in SCENARIOS]
)
def test_next_open(number: int, scenario: Scenario, result: Result) -> None:
    fills = [
        (LABELS.index(fill.bar), fill.amount, pytest.approx(fill.price, abs=1e-9))
        for fill in result.fills
        if fill.symbol == symbol_of(number)
    ]
    assert scenario.fills == fills


def test_next_open_every_fill_pays_the_commission(result: Result) -> None:
    assert all(fill.commission == pytest.approx(0.01 * abs(fill.amount)) for fill in result.fills)


def test_next_open_host_rebuilds_every_fill_from_the_log(
    result: Result, scenario_market: Market
) -> None:
    log = host_log(result)
    panel = scenario_market.panel()
    bars = {label: number for number, label in enumerate(LABELS)}
    assert find_impossible(log, bars, panel.symbols, COSTS.kind) is None
    window = Window(Tier.TRAIN, day(LABELS[0]), day(LABELS[-1]))
    rebuilt = reprice(log, panel, window, 1e9, COSTS)
    mine = {(fill.number, fill.bar): (fill.amount, fill.price) for fill in result.fills}
    assert mine == {
        (fill.number, fill.bar): (fill.amount, pytest.approx(fill.price, abs=1e-9))
        for fill in rebuilt.fills
    }
    assert [value for _, value in result.equity] == pytest.approx(rebuilt.equity, abs=1e-5)


def entries_of(name: str, result: Result) -> list[Order | Cancel]:
    number = next(at for at, each in enumerate(SCENARIOS) if each.name == name)
    log = host_log(result)
    mine = {e.number for e in log if isinstance(e, Order) and e.symbol == symbol_of(number)}
    first = min(mine)
    entries = [entry for entry in log if entry.number in mine]
    # Numbers count the orders of all scenarios; make them count from 1 again.
    ranks = {old: rank for rank, old in enumerate(sorted(mine), 1)}
    assert first >= 1
    return [
        Cancel(ranks[e.number], LABELS.index(e.bar), e.phase)
        if isinstance(e, Cancel)
        else Order(
            ranks[e.number],
            LABELS.index(e.bar),
            e.phase,
            "",
            e.amount,
            e.kind,
            e.limit_price,
            e.stop_price,
            ranks[e.parent] if e.parent else None,
            e.distance,
        )
        for e in entries
    ]


def test_log_moved_stop_is_a_cancel_and_a_new_leg(result: Result) -> None:
    bar_, take, stop = Phase.BAR, OrderKind.BRACKET_TAKE, OrderKind.BRACKET_STOP
    assert entries_of("moved stop rests at its level", result) == [
        Order(1, 0, bar_, "", 100, OrderKind.MARKET),
        Order(2, 0, bar_, "", -100, stop, parent=1, distance=3.0),
        Order(3, 0, bar_, "", -100, take, parent=1, distance=4.0),
        Cancel(2, 1, bar_),
        Order(4, 1, bar_, "", -100, stop, stop_price=49.5, parent=1),
    ]


def test_log_close_cancels_the_legs_and_orders_out(result: Result) -> None:
    log = entries_of("close leaves at the next open and cancels the legs", result)
    assert log[3:] == [
        Cancel(2, 2, Phase.BAR),
        Cancel(3, 2, Phase.BAR),
        Order(4, 2, Phase.BAR, "", -100, OrderKind.MARKET),
    ]


def test_log_close_of_a_pending_entry_is_one_cancel(result: Result) -> None:
    log = entries_of("close of a pending entry cancels it and its legs", result)
    assert log[3:] == [Cancel(1, 1, Phase.BAR)]


def test_log_of_initialize_has_its_own_phase(result: Result) -> None:
    early = Phase.BEFORE_OPEN
    log = entries_of("order of initialize can be cancelled there", result)
    assert log == [Order(1, 0, early, "", 100, OrderKind.MARKET), Cancel(1, 0, early)]
    assert {entry.phase for entry in host_log(result) if entry.bar != LABELS[0]} == {Phase.BAR}
