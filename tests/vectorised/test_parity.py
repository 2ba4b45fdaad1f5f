"""The two back-ends of one contract against each other: compiled source and numpy.

Every example is one random contract on one random market: signals bar by bar and fills one by
one. Comparisons that rounding may decide (`ties`) are counted, and at most a handful may differ.
"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.random_contracts import LONGER, random_contract
from tests.contract.samples import sample_fields
from tests.contract.worlds import random_market
from tests.vectorised.compiled import run_compiled
from tests.vectorised.panels import CAPITAL, off_grid, panel_of, vectorised_fills

from stratlab.contract.document import load_contract
from stratlab.contract.vectorised import screen_grid, signals
from stratlab.domain.market import CostModel

POSITION = (3.0, 41.0)
SESSIONS, FIRST = 230, 50
CONTRACTS = 200
TICK = 0.01


def _markets(seed):
    # Gaps, flat bars, bars without volume; splits and dividends in two worlds of three.
    adjusted = seed % 3 > 0
    markets = {"AAA": random_market(seed, SESSIONS, is_adjusted=adjusted)}
    if seed % 2:
        markets["BBB"] = random_market(seed + 1, SESSIONS, first=90, is_adjusted=adjusted)
    return {name: off_grid(market, 1.0373) for name, market in markets.items()}


def _compare_signals(contract, panel, run, seen):
    position = dict(zip(("bars_held", "entry_price"), POSITION, strict=True))
    for symbol in panel.symbols:
        found = signals(contract, panel, symbol, {}, first_bar=FIRST, position=position)
        decided = run.decided.get(symbol, set())
        for rule, holds in found.holds.items():
            theirs = run.holds.get((rule, symbol), set())
            ours = set(holds.nonzero()[0].tolist())
            ties = set(found.ties[rule].nonzero()[0].tolist())
            assert ours <= decided
            assert ours ^ theirs <= ties, (rule, sorted(ours ^ theirs)[:5])
            seen["signals"] += len(theirs)
            seen["decided by rounding"] += len(ours ^ theirs)
            seen["ties"] += len(ties)
            seen["bars"] += len(decided)
    return seen["decided by rounding"]


def _compare(seed, seen):
    contract = random_contract(seed, longer=LONGER if seed % 4 == 0 else ())
    markets = _markets(seed)
    panel = panel_of(markets, SESSIONS)
    run = run_compiled(contract, markets, (FIRST, SESSIONS - 1), CAPITAL, POSITION)
    before = seen["decided by rounding"]
    differs = _compare_signals(contract, panel, run, seen) > before
    seen["contracts"] += 1
    seen["fills"] += len(run.fills)
    seen["short fills"] += sum(fill[2] < 0 for fill in run.fills)
    if not differs:
        _compare_trades(contract, panel, run, seen)


def _compare_trades(contract, panel, run, seen):
    (fills,) = vectorised_fills(contract, panel, [contract.parameters], FIRST)
    grid = screen_grid(
        contract, panel, [{}], first_bar=FIRST, capital=CAPITAL, cost_model=CostModel()
    )
    assert [fill[:2] for fill in fills] == [fill[:2] for fill in run.fills]
    for ours, theirs in zip(fills, run.fills, strict=True):
        assert (ours[2] > 0) == (theirs[2] > 0)
        assert ours[3] == pytest.approx(theirs[3], abs=TICK / 1000)
        # Shares are whole numbers of a quotient, which may lie on the edge.
        seen["sizes decided by rounding"] += ours[2] != theirs[2]
        step = getattr(contract.risk_model.sizing, "unit_step", 1)
        assert abs(ours[2] - theirs[2]) <= step
    if [fill[2] for fill in fills] == [fill[2] for fill in run.fills]:
        seen["final values"] += 1
        assert CAPITAL * (1 + grid.final_return[0]) == pytest.approx(run.value, rel=1e-9)


def test_compiled_source_and_numpy_signal_and_trade_alike():
    seen = Counter()

    @settings(max_examples=max(CONTRACTS, settings.default.max_examples))
    @given(st.integers(0, 10**9))
    def compare(seed):
        _compare(seed, seen)

    compare()
    print(dict(seen))
    assert seen["contracts"] >= CONTRACTS
    assert seen["fills"] > 20 * CONTRACTS
    assert seen["short fills"] > 5 * CONTRACTS
    assert seen["signals"] > 50 * CONTRACTS
    assert seen["decided by rounding"] <= 1e-5 * seen["bars"]
    assert seen["sizes decided by rounding"] <= 1e-3 * seen["fills"]
    assert seen["final values"] >= 0.99 * CONTRACTS


def test_comparison_at_its_threshold_is_a_tie_and_equality_is_none():
    markets = {"AAA": random_market(3, SESSIONS, is_adjusted=False)}
    panel = panel_of(markets, SESSIONS)
    panel.close[100, 0], panel.close[120, 0] = 41.0, 41.0 + 1e-10
    panel.volume[[100, 120], 0] = 1e6
    fields = sample_fields() | {"indicators": [], "exit_rules": [], "optimization_space": {}}
    fields["entry_rules"] = [{"id": "up", "side": "long", "when": "close > 41"}]
    fields["risk_model"] = {"sizing": {"kind": "units", "units": 1}}
    ties = signals(load_contract(fields), panel, "AAA", {}).ties["up"]
    assert ties.nonzero()[0].tolist() == [120]
