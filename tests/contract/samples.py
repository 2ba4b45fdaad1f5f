"""A small valid contract as plain fields, for tests to change."""

from copy import deepcopy
from typing import Any

_SAMPLE = {
    "schema_version": "1.0.0",
    "strategy_id": "sample",
    "version": "1.2.3",
    "thesis": "Trends persist.",
    "markets": ["MSFT", "AAPL"],
    "timeframes": ["1d"],
    "indicators": [
        {"id": "slow", "name": "ema", "source": "close", "params": {"length": "$slow"}},
        {"id": "fast", "name": "ema", "params": {"length": 5}},
        {"id": "macd", "name": "macd", "params": {"fast": 4, "slow": 9, "signal": 3}},
        {"id": "atr", "name": "atr", "params": {"length": 14}},
    ],
    "entry_rules": [
        {"id": "up", "side": "long", "when": "crosses_above( fast,slow )", "note": "a, b"},
        {"id": "down", "side": "short", "when": "macd.hist<0 and fast<slow"},
    ],
    "exit_rules": [{"id": "old", "side": "long", "when": "bars_held>=20"}],
    "risk_model": {
        "stop": {"kind": "atr", "indicator": "atr", "mult": "$mult"},
        "take": {"kind": "percent", "value": 5},
        "breakeven": {"trigger": {"kind": "ticks", "value": 150}, "offset_ticks": 2},
        "trailing": {"distance": {"kind": "percent", "value": 4.5}, "mode": "bar_close"},
        "sizing": {"kind": "risk_percent", "percent": 1, "unit_step": 10},
    },
    "optimization_space": {
        "slow": {"enabled": True, "min": 10, "max": 60, "step": 5, "value": 20, "kind": "int"},
        "mult": {"enabled": False, "min": 1, "max": 5, "step": 0.5, "value": 3, "kind": "float"},
    },
    "gates": {"max_drawdown": 0.3, "min_sharpe_ratio": 0.5},
    "execution": {"evaluate": "bar_close", "fill": "next_open", "pyramiding": 0},
}


_LONGER = {
    "schema_version": "1.0.0",
    "strategy_id": "longer_sample",
    "version": "0.1.0",
    "thesis": "What the week says holds for the day.",
    "indicators": [
        {"id": "fast", "name": "sma", "params": {"length": 3}},
        {"id": "trend", "name": "ema", "timeframe": "1w", "params": {"length": "$weeks"}},
        {"id": "range", "name": "atr", "timeframe": "2d", "params": {"length": 4}},
        {"id": "macd", "name": "macd", "params": {"fast": 2, "slow": 4, "signal": 2}},
    ],
    "entry_rules": [
        {"id": "up", "side": "long", "when": "fast > trend and close > lowest(low@1M, 5)"},
        {"id": "down", "side": "short", "when": "macd.hist@1w < 0 and not rising(fast@2d, 1)"},
    ],
    "exit_rules": [{"id": "old", "side": "long", "when": "bars_held >= 8 or close < open@1w[2]"}],
    "risk_model": {
        "stop": {"kind": "atr", "indicator": "range", "mult": 2},
        "sizing": {"kind": "percent_equity", "percent": 60},
    },
    "optimization_space": {"weeks": {"min": 2, "max": 9, "step": 1, "value": 3, "kind": "int"}},
}


def longer_fields() -> dict[str, Any]:
    """Return a fresh copy of a contract that reads bars of two days, weeks and months."""
    return deepcopy(_LONGER)


def sample_fields() -> dict[str, Any]:
    """Return a fresh copy of the sample."""
    return deepcopy(_SAMPLE)
