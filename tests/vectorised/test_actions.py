"""Odd splits, reverse splits, thin volume and delistings: the host's own account says the same."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.contract.samples import sample_fields
from tests.contract.worlds import random_market
from tests.vectorised.panels import CAPITAL, panel_of, vectorised_fills

from stratlab.contract.document import load_contract
from stratlab.contract.vectorised import screen_grid
from stratlab.domain.market import CostModel, Dividend, Split, Tier, Window
from stratlab.domain.trial import Order, OrderKind, Phase
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.repricing import reprice

SESSIONS, FIRST = 120, 20
COSTS = CostModel(slippage_bps=7.0, commission_per_share=0.003)


def _panel(**changes):
    market = random_market(9, SESSIONS, is_adjusted=False, is_thin=False)
    return replace(panel_of({"AAA": market}, SESSIONS), **changes)


def _holder(side, units=101):
    """A contract that enters at once and stays."""
    return load_contract(
        sample_fields()
        | {
            "indicators": [],
            "optimization_space": {},
            "entry_rules": [{"id": "enter", "side": side, "when": "true"}],
            "exit_rules": [],
            "risk_model": {"sizing": {"kind": "units", "units": units}},
        }
    )


def _day(panel, row):
    return datetime.fromtimestamp(int(panel.bars[row]), UTC).date()


def _host(panel, side, units=101):
    bar = int(panel.bars[FIRST])
    order = Order(1, bar, Phase.BAR, "AAA", units if side == "long" else -units, OrderKind.MARKET)
    window = Window(Tier.TRAIN, _day(panel, FIRST), _day(panel, SESSIONS - 1))
    repriced = reprice((order,), panel, window, CAPITAL, COSTS)
    return compute_metrics(repriced, CAPITAL), float(repriced.leverage.max())


def _compare(panel, side, units=101):
    grid = screen_grid(
        _holder(side, units), panel, [{}], first_bar=FIRST, capital=CAPITAL, cost_model=COSTS
    )
    host, leverage = _host(panel, side, units)
    assert grid.max_leverage[0] == pytest.approx(leverage, rel=1e-9)
    assert grid.final_return[0] == pytest.approx(host.cum_returns_final, rel=1e-9)
    assert grid.max_drawdown[0] == pytest.approx(host.max_drawdown, rel=1e-9)
    assert grid.turnover[0] == pytest.approx(host.turnover, rel=1e-9)
    assert grid.sharpe_ratio[0] == pytest.approx(host.sharpe_ratio, rel=1e-9)
    assert grid.trades[0] == host.total_trades


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("ratios", [(0.3,), (3.0,), (0.7, 2.5), (7.0, 0.4, 1 / 3)])
def test_fraction_of_a_share_is_paid_as_by_the_host(side, ratios):
    panel = _panel()
    rows = [40, 61, 90][: len(ratios)]
    splits = tuple(
        Split(int(panel.bars[row]), "AAA", ratio) for row, ratio in zip(rows, ratios, strict=True)
    )
    for values in (panel.open, panel.high, panel.low, panel.close):
        for row, ratio in zip(rows, ratios, strict=True):
            values[row:] = np.round(values[row:] * ratio, 3)
    dividends = (
        Dividend(int(panel.bars[50]), int(panel.bars[70]), "AAA", 0.31),
        Dividend(int(panel.bars[61]), int(panel.bars[61]), "AAA", 0.17),
        Dividend(int(panel.bars[80]), int(panel.bars[75]), "AAA", 9.0),  # never paid
    )
    _compare(replace(panel, splits=splits, dividends=dividends), side)


@pytest.mark.parametrize("side", ["long", "short"])
def test_delisted_symbol_is_closed_in_cash(side):
    panel = _panel()
    for values in (panel.open, panel.high, panel.low, panel.close):
        values[100:] = np.nan
    panel.volume[100:] = 0.0
    panel = replace(panel, auto_close={"AAA": int(panel.bars[100])})
    _compare(panel, side)


def test_order_beyond_the_volume_limit_waits_whole():
    panel = _panel()
    panel.volume[FIRST + 1 : FIRST + 6] = 1000.0
    _compare(panel, "long", units=101)
    (fills,) = vectorised_fills(_holder("long"), panel, [{}], FIRST, COSTS)
    assert [fill[0] for fill in fills] == [FIRST + 6]


def test_reverse_split_leaves_no_share_and_a_new_entry_is_made():
    panel = _panel()
    for values in (panel.open, panel.high, panel.low, panel.close):
        values[60:] = np.round(values[60:] * 5.0, 3)
    panel = replace(panel, splits=(Split(int(panel.bars[60]), "AAA", 5.0),))
    (fills,) = vectorised_fills(_holder("long", units=3), panel, [{}], FIRST, COSTS)
    bought = [fill for fill in fills if fill[2] > 0]
    assert [fill[0] for fill in bought] == [FIRST + 1, 61]
