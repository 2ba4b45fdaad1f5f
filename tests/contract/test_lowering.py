"""Hoisted series and the static warm-up."""

import pytest

from stratlab.contract.document import load_contract
from stratlab.contract.language import format_rule
from stratlab.contract.lowering import history_sessions, longer_warm_up, lower, warm_up_bars
from stratlab.contract.model import StrategyContract


def _contract(when: str, exit_when: str = "", **space: int) -> StrategyContract:
    indicators = [
        {"id": "ema", "name": "ema", "params": {"length": 10}},
        {"id": "macd", "name": "macd", "params": {"fast": 12, "slow": 26, "signal": 9}},
        {"id": "rsi", "name": "rsi", "params": {"length": "$n" if "n" in space else 14}},
    ]
    return load_contract(
        {
            "schema_version": "1.0.0",
            "strategy_id": "lowered",
            "version": "1.0.0",
            "thesis": "",
            "indicators": [item for item in indicators if item["id"] in when + exit_when],
            "entry_rules": [{"id": "enter", "side": "long", "when": when}],
            "exit_rules": [{"id": "leave", "side": "long", "when": exit_when}] * bool(exit_when),
            "risk_model": {"sizing": {"kind": "units", "units": 1}},
            "optimization_space": {
                name: {"min": 1, "max": 500, "step": 1, "value": value, "kind": "int"}
                for name, value in space.items()
            },
        }
    )


@pytest.mark.parametrize(
    ("when", "bars"),
    [
        ("close > 1", 0),
        ("close[3] > 1", 3),
        ("crosses_above(close, open)", 1),
        ("crosses_above(close[2], 5)", 3),
        ("rising(close, 3)", 3),
        ("highest(close, 3) > 1", 2),
        ("change(close, 3) > 1", 3),
        ("ema > 1", 9),
        ("ema[2] > 1", 11),
        ("macd.line > 1", 33),  # 25 for the line, 8 more for the signal: all outputs or none
        ("crosses_below(macd.hist, 0)", 34),
        ("rsi > 50", 14),
        ("highest(change(ema, 4), 5) > 1", 9 + 4 + 4),
        ("rising(lowest(close - open[1], 10), 2)", 1 + 9 + 2),
        ("crosses_above(highest(close, 20), ema + 1)", 20),
    ],
)
def test_warm_up_is_first_bar_with_every_leaf(when: str, bars: int) -> None:
    assert warm_up_bars(_contract(when), {}) == bars


def test_warm_up_follows_parameters() -> None:
    contract = _contract("rsi[1] > 1 and highest(change(close, $m), $m) > 0", n=14, m=7)
    assert warm_up_bars(contract, {"n": 14, "m": 7}) == 15
    assert warm_up_bars(contract, {"n": 2, "m": 7}) == 13
    assert warm_up_bars(contract, {"n": 2, "m": 40}) == 79


def test_lower_hoists_expressions_under_windows_once() -> None:
    lowered = lower(
        _contract(
            "highest(close - open, 3) > 1 and rising(close - open, 2)",
            "crosses_below(close, entry_price * 0.9) and rising(highest(close - open, 3), 1)",
        )
    )
    assert {name: format_rule(node) for name, node in lowered.hoisted.items()} == {
        "_x0": "close - open",
        "_x1": "highest(_x0, 3)",
    }
    assert format_rule(lowered.entries[0].expression) == "highest(_x0, 3) > 1 and rising(_x0, 2)"
    assert format_rule(lowered.exits[0].expression) == (
        "crosses_below(close, entry_price * 0.9) and rising(_x1, 1)"
    )
    assert lowered.exits[0].text.endswith("rising(highest(close - open, 3), 1)")


@pytest.mark.parametrize(
    ("when", "own", "longer"),
    [
        ("close@1w > 1", 0, {"1w": 1}),
        ("close@1w[3] > 1", 3, {"1w": 1}),
        ("ema@1M > 1", 0, {"1M": 10}),
        ("ema > ema@1M and close@2d > 1", 9, {"1M": 10, "2d": 1}),
        ("macd.line@1w > 1", 0, {"1w": 34}),
        ("crosses_above(rsi@60d, 50)", 1, {"60d": 15}),
        ("rising(highest(ema@1w, 4), 2)", 5, {"1w": 10}),
    ],
)
def test_warm_up_counts_own_bars_and_longer_ones(when: str, own: int, longer: dict) -> None:
    contract = _contract(when)
    assert warm_up_bars(contract, {}) == own
    assert longer_warm_up(contract, {}) == longer


def test_longer_series_are_streams_of_their_own() -> None:
    lowered = lower(_contract("ema > ema@1w and crosses_above(macd.hist@1w[1], macd.line@1M)"))
    assert [stream.name for stream in lowered.streams] == ["ema", "ema__1w", "macd__1M", "macd__1w"]
    assert set(lowered.depths) == {"close", "ema", "ema__1w", "macd_hist__1w", "macd_line__1M"}
    assert {name: [s.name for s in streams] for name, streams in lowered.longer.items()} == {
        "1M": ["macd__1M"],
        "1w": ["ema__1w", "macd__1w"],
    }


def test_history_is_as_long_as_the_slowest_timeframe_needs() -> None:
    assert history_sessions(_contract("ema > 1"), {}) == 3 * 9 + 250
    assert history_sessions(_contract("ema > close@1w"), {}) == 7 * (3 * 1 + 250)
    assert history_sessions(_contract("ema@2M > 1"), {}) == 62 * (3 * 10 + 250)
