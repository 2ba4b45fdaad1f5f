"""Whole grids: the same as their points one by one, and figures by the host's definitions."""

from random import Random

import empyrical
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.random_contracts import random_contract
from tests.contract.reference import simulate
from tests.contract.samples import sample_fields
from tests.contract.worlds import random_market
from tests.vectorised.panels import CAPITAL, panel_of, vectorised_fills

from stratlab.contract.document import load_contract
from stratlab.contract.space import Grid
from stratlab.contract.vectorised import screen, screen_grid, signals
from stratlab.domain.errors import InvalidContractError, InvalidParametersError, InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.generation import load_templates

SESSIONS, FIRST = 420, 160
MARKETS = {"AAA": random_market(1, SESSIONS), "BBB": random_market(2, SESSIONS, first=200)}
PANEL = panel_of(MARKETS, SESSIONS)


def _screen(contract, points, panel=PANEL, **options):
    given = {"first_bar": FIRST, "capital": CAPITAL, "cost_model": CostModel(), **options}
    return screen_grid(contract, panel, points, **given)


def _spread(contract, count):
    grid = Grid(contract)
    return [grid.point(place * grid.size // count) for place in range(count)]


@pytest.mark.parametrize("name", load_templates())
def test_grid_trades_every_point_as_if_it_were_alone(name):
    contract = load_templates()[name]
    points = _spread(contract, 12)
    together = vectorised_fills(contract, PANEL, points, FIRST)
    alone = [vectorised_fills(contract, PANEL, [point], FIRST)[0] for point in points]
    assert together == alone
    assert len(set(map(tuple, alone))) > 1


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_random_grid_trades_every_point_as_simulated(seed):
    contract = random_contract(seed)
    grid, random = Grid(contract), Random(seed)
    points = [grid.point(random.randrange(grid.size)) for _ in range(6)]
    found = vectorised_fills(contract, PANEL, points, FIRST)
    for point, fills in zip(points, found, strict=True):
        simulated = sorted(simulate(contract, point, MARKETS, (FIRST, SESSIONS - 1), CAPITAL))
        assert [fill[:3] for fill in fills] == [fill[:3] for fill in simulated]


def test_grid_in_small_blocks_is_the_same(monkeypatch):
    contract = load_templates()["macd_trend"]
    points = _spread(contract, 30)
    whole = _screen(contract, points, with_daily_returns=True)
    monkeypatch.setattr(screen, "_CELLS", 7 * SESSIONS)
    blocks = _screen(contract, points, with_daily_returns=True)
    assert np.array_equal(whole.daily_returns, blocks.daily_returns)
    assert np.array_equal(whole.sharpe_ratio, blocks.sharpe_ratio)
    assert np.array_equal(whole.trades, blocks.trades)


def test_figures_are_those_of_the_daily_returns():
    grid = _screen(
        load_templates()["ema_cross_atr"],
        _spread(load_templates()["ema_cross_atr"], 20),
        with_daily_returns=True,
    )
    assert grid.daily_returns.shape == (20, SESSIONS - FIRST)
    for place, returns in enumerate(grid.daily_returns):
        assert grid.final_return[place] == pytest.approx(empyrical.cum_returns_final(returns))
        assert grid.sharpe_ratio[place] == pytest.approx(empyrical.sharpe_ratio(returns))
        assert grid.max_drawdown[place] == pytest.approx(empyrical.max_drawdown(returns))


def test_point_without_trades_has_no_sharpe_ratio():
    fields = sample_fields()
    fields["entry_rules"] = [{"id": "never", "side": "long", "when": "close < 0 and slow > fast"}]
    fields["exit_rules"], fields["indicators"] = [], [*fields["indicators"][:2], _ATR]
    fields["risk_model"] = {
        "stop": {"kind": "atr", "indicator": "atr", "mult": "$mult"},
        "sizing": {"kind": "units", "units": 1},
    }
    grid = _screen(load_contract(fields), [{}])
    assert (grid.trades[0], grid.final_return[0], grid.max_drawdown[0]) == (0, 0.0, 0.0)
    assert np.isnan(grid.sharpe_ratio[0])


_ATR = {"id": "atr", "name": "atr", "params": {"length": 14}}


def test_account_that_is_wiped_out_keeps_return_and_drawdown_only():
    fields = sample_fields()
    fields["risk_model"]["sizing"] = {"kind": "units", "units": 15_000}
    grid = _screen(
        load_contract(fields), [{}], capital=20_000.0, cost_model=CostModel(slippage_bps=500.0)
    )
    assert grid.final_return[0] < -1.0
    assert grid.max_drawdown[0] < -1.0
    assert np.isnan(grid.sharpe_ratio[0])


def test_no_points_give_empty_figures():
    grid = _screen(load_templates()["ema_cross_atr"], [], with_daily_returns=True)
    assert grid.final_return.shape == grid.trades.shape == (0,)
    assert grid.daily_returns.shape == (0, SESSIONS - FIRST)


def test_symbol_that_lists_after_the_end_leaves_the_other_alone():
    contract = load_templates()["ema_cross_atr"]
    early = panel_of({"AAA": MARKETS["AAA"], "BBB": MARKETS["BBB"]}, SESSIONS)
    for values in (early.open, early.high, early.low, early.close):
        values[:, 1] = np.nan
    early.volume[:, 1] = 0.0
    (fills,) = vectorised_fills(contract, early, [{}], FIRST)
    assert {symbol for _, symbol, _, _ in fills} == {"AAA"}
    assert not signals(contract, early, "BBB", {}).holds["golden_cross"].any()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([{"fast": 3}], "unknown parameter 'fast'; known: fast_length, slow_length, stop_mult"),
        ([{}, {"fast_length": 41}], "fast_length = 41 is not among the whole numbers from 5 to 40"),
        ([{"fast_length": 7.5}], "fast_length = 7.5 is not"),
        ([{"stop_mult": float("nan")}], "stop_mult = nan is not among the numbers from 1.5 to 6"),
    ],
)
def test_point_outside_of_the_space_is_refused(points, message):
    with pytest.raises(InvalidParametersError, match=message):
        _screen(load_templates()["ema_cross_atr"], points)


def test_other_cost_model_is_refused():
    with pytest.raises(InvalidSpecError, match="fills by next_open, not by zipline"):
        _screen(
            load_templates()["ema_cross_atr"], [{}], cost_model=CostModel(CostModelKind.ZIPLINE)
        )


@pytest.mark.parametrize("first_bar", [-1, SESSIONS])
def test_first_bar_outside_of_the_panel_is_refused(first_bar):
    with pytest.raises(InvalidSpecError, match=f"row {first_bar} is none of the panel's 420 bars"):
        _screen(load_templates()["ema_cross_atr"], [{}], first_bar=first_bar)


def test_bars_that_make_no_longer_ones_are_refused():
    contract = random_contract(4, "1h", ["4h"])
    assert "4h" in str(contract)
    with pytest.raises(InvalidContractError, match="make no bars of 4h"):
        _screen(contract, [{}])
