"""Bars inside sessions: the numpy evaluator against the direct simulation."""

import calendar
from dataclasses import replace

import numpy as np
import pytest
from tests.contract.random_contracts import random_contract
from tests.contract.reference import simulate
from tests.contract.rule_reference import Clock
from tests.contract.worlds import random_market
from tests.vectorised.panels import CAPITAL, DAYS, panel_of, vectorised_fills

from stratlab.contract.vectorised import screen_grid
from stratlab.domain.market import CostModel, Split
from stratlab.generation import load_templates

# Seven hourly bars a session, the last one of half an hour.
MINUTES = (60, 120, 180, 240, 300, 360, 390)
SESSIONS = 90
ROWS = SESSIONS * len(MINUTES)
# Fewer than any strategy reads at its start, so that both sides read all.
FIRST = 30 * len(MINUTES)
# The direct simulation pays nothing for fractions of shares, so there are none.
SPLITS = {45: 0.5, 70: 0.25}


def _world(seed):
    markets = {
        "AAA": random_market(seed, ROWS, is_adjusted=False),
        "BBB": random_market(seed + 1, ROWS, first=70, is_adjusted=False),
    }
    market = markets["BBB"]
    for session, ratio in SPLITS.items():
        # At the first bar of a session; the symbol trades before and after it.
        at = session * len(MINUTES) - market.first
        (traded,) = (market.bars[: at - 2, 4] > 0).nonzero()
        market.bars[at - 2 : at + 2] = market.bars[traded[-1]]
        market.bars[at:, :4] = np.rint(market.bars[at:, :4] * ratio * 1000) * 0.001
        market.splits[session * len(MINUTES)] = ratio
    days = [day for day in DAYS[:SESSIONS] for _ in MINUTES]
    minutes = np.array(MINUTES * SESSIONS)
    midnights = np.array([calendar.timegm(day.timetuple()) for day in days])
    labels = midnights + 52_200 + 60 * minutes
    panel = replace(
        panel_of(markets, ROWS),
        bars=labels,
        splits=tuple(Split(int(labels[at]), "BBB", ratio) for at, ratio in market.splits.items()),
        intraday_sessions=midnights,
        intraday_minutes=minutes,
    )
    return markets, panel, Clock(days, minutes.tolist())


@pytest.mark.parametrize("seed", range(8))
def test_intraday_contract_trades_as_simulated(seed):
    contract = random_contract(seed, "1h", ["2h", "3h", "1d", "1w"])
    markets, panel, clock = _world(seed)
    traded = (FIRST, ROWS - 1)
    simulated = simulate(contract, contract.parameters, markets, traded, CAPITAL, clock)
    (fills,) = vectorised_fills(contract, panel, [{}], FIRST)
    assert [fill[:3] for fill in fills] == [fill[:3] for fill in sorted(simulated)]


def test_daily_returns_are_those_of_sessions():
    _, panel, _ = _world(1)
    grid = screen_grid(
        load_templates()["donchian_breakout"],
        panel,
        [{}],
        first_bar=FIRST,
        capital=CAPITAL,
        cost_model=CostModel(),
        with_daily_returns=True,
    )
    assert grid.daily_returns.shape == (1, SESSIONS - 30)
    assert np.prod(1 + grid.daily_returns) - 1 == pytest.approx(grid.final_return[0])
