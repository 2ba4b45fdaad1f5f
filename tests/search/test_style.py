"""The style that a strategy's entries give it."""

import pytest

from stratlab.contract.document import load_contract
from stratlab.generation import load_templates
from stratlab.search.style import Style, style_of

INDICATORS = [
    {"id": "avg", "name": "sma", "params": {"length": 50}},
    {"id": "quick", "name": "ema", "params": {"length": 10}},
    {"id": "bands", "name": "bbands", "params": {"length": 20, "mult": 2.0}},
    {"id": "range", "name": "donchian", "params": {"length": 20}},
    {"id": "rsi", "name": "rsi", "params": {"length": 14}},
    {"id": "dmi", "name": "adx", "params": {"length": 14, "smoothing": 14}},
    {"id": "macd", "name": "macd", "params": {"fast": 12, "slow": 26, "signal": 9}},
]


def contract_of(when: str, side: str = "long"):
    used = [item for item in INDICATORS if item["id"] in when]
    return load_contract(
        {
            "schema_version": "1.0.0",
            "strategy_id": "styled",
            "version": "1.0.0",
            "thesis": "None.",
            "indicators": used,
            "entry_rules": [{"id": "enter", "side": side, "when": when}],
            "risk_model": {
                "stop": {"kind": "percent", "value": 5.0},
                "sizing": {"kind": "units", "units": 1},
            },
        }
    )


@pytest.mark.parametrize(
    ("when", "style"),
    [
        ("crosses_above(quick, avg)", Style.TREND),
        ("crosses_below(avg, quick)", Style.TREND),
        ("close > 1.01 * avg", Style.TREND),
        ("dmi.plus > dmi.minus", Style.TREND),
        ("change(close, 20) > 0", Style.MOMENTUM),
        ("crosses_above(macd.line, macd.signal)", Style.MOMENTUM),
        ("rsi > 55", Style.MOMENTUM),
        ("rising(close, 5)", Style.MOMENTUM),
        ("close > range.upper[1]", Style.BREAKOUT),
        ("crosses_above(close, bands.upper)", Style.BREAKOUT),
        ("close >= highest(high, 20)", Style.BREAKOUT),
        ("close < bands.lower", Style.REVERSION),
        ("close < bands.mid", Style.REVERSION),
        ("rsi < 30", Style.REVERSION),
        ("not rsi > 30", Style.REVERSION),
        ("rsi < 30 and close > avg", Style.REVERSION),
        ("close > avg and change(close, 20) > 0", Style.MIXED),
        ("dmi.adx > 20 and volume > 1000", Style.OTHER),
        ("true", Style.OTHER),
    ],
)
def test_style_of_entry(when: str, style: Style) -> None:
    assert style_of(contract_of(when)) is style


@pytest.mark.parametrize(
    ("when", "style"),
    [
        ("crosses_below(quick, avg)", Style.TREND),
        ("close < range.lower[1]", Style.BREAKOUT),
        ("dmi.minus > dmi.plus", Style.TREND),
        ("close > bands.upper", Style.REVERSION),
        ("rsi > 70", Style.REVERSION),
        ("change(close, 20) < 0", Style.MOMENTUM),
    ],
)
def test_style_of_short_entry_is_the_mirror_image(when: str, style: Style) -> None:
    assert style_of(contract_of(when, "short")) is style


def test_templates_have_their_styles() -> None:
    styles = {name: style_of(contract) for name, contract in load_templates().items()}
    assert styles == {
        "ema_cross_atr": Style.TREND,
        "rsi_mean_reversion": Style.REVERSION,
        "donchian_breakout": Style.BREAKOUT,
        "bollinger_reversion": Style.REVERSION,
        "macd_trend": Style.MOMENTUM,
        "dual_momentum": Style.MOMENTUM,
    }
