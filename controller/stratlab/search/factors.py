"""The catalogue of factors: conditions that a mutation may add to a strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from stratlab.contract.model import Indicator, OptParam


@final
@dataclass(frozen=True, slots=True)
class Factor:
    """A condition with the indicators and parameters it needs.

    Attributes:
        name: What it is called; also the stem of its parameters' names.
        long: Condition for a long position, with ``{id}`` for an indicator and ``$name`` for a
            parameter.
        short: Its mirror image.
        indicators: Id in the condition -> indicator.
        parameters: Name -> space.
    """

    name: str
    long: str
    short: str
    indicators: Mapping[str, Indicator] = field(default_factory=dict)
    parameters: Mapping[str, OptParam] = field(default_factory=dict)


def _indicator(name: str, source: str = "", **params: float | str) -> Indicator:
    return Indicator.model_validate({"id": name, "name": name, "source": source, "params": params})


def _whole(low: int, high: int, step: int, value: int) -> OptParam:
    return OptParam(min=low, max=high, step=step, value=value, kind="int")


def _real(low: float, high: float, step: float, value: float) -> OptParam:
    return OptParam(min=low, max=high, step=step, value=value, kind="float")


FILTERS: tuple[Factor, ...] = (
    Factor(
        "above_average",
        "close > {sma}",
        "close < {sma}",
        {"sma": _indicator("sma", length="$length")},
        {"length": _whole(20, 200, 10, 100)},
    ),
    Factor(
        "average_slope",
        "change({ema}, $bars) > 0",
        "change({ema}, $bars) < 0",
        {"ema": _indicator("ema", length="$length")},
        {"length": _whole(10, 100, 10, 50), "bars": _whole(1, 20, 1, 5)},
    ),
    Factor(
        "momentum",
        "change(close, $bars) > 0",
        "change(close, $bars) < 0",
        parameters={"bars": _whole(5, 120, 5, 60)},
    ),
    Factor(
        "pullback",
        "{rsi} < $level",
        "{rsi} > 100 - $level",
        {"rsi": _indicator("rsi", length="$length")},
        {"length": _whole(2, 21, 1, 7), "level": _real(20, 60, 5, 45)},
    ),
    Factor(
        "strength",
        "{rsi} > $level",
        "{rsi} < 100 - $level",
        {"rsi": _indicator("rsi", length="$length")},
        {"length": _whole(5, 21, 1, 14), "level": _real(40, 65, 2.5, 50)},
    ),
    Factor(
        "trending",
        "{adx}.adx > $level",
        "{adx}.adx > $level",
        {"adx": _indicator("adx", length=14, smoothing=14)},
        {"level": _real(10, 35, 2.5, 17.5)},
    ),
    Factor(
        "direction",
        "{adx}.plus > {adx}.minus",
        "{adx}.plus < {adx}.minus",
        {"adx": _indicator("adx", length="$length", smoothing=14)},
        {"length": _whole(7, 28, 1, 14)},
    ),
    Factor(
        "calm",
        "100 * {atr} / close < $percent",
        "100 * {atr} / close < $percent",
        {"atr": _indicator("atr", length=20)},
        {"percent": _real(1, 8, 0.5, 4)},
    ),
    Factor(
        "busy",
        "volume > $mult * {sma}",
        "volume > $mult * {sma}",
        {"sma": _indicator("sma", source="volume", length=20)},
        {"mult": _real(0.6, 2, 0.1, 1)},
    ),
    Factor(
        "turning",
        "{macd}.hist > 0",
        "{macd}.hist < 0",
        {"macd": _indicator("macd", fast="$fast", slow="$slow", signal=9)},
        {"fast": _whole(6, 18, 1, 12), "slow": _whole(20, 50, 2, 26)},
    ),
    Factor(
        "below_mean",
        "close < {bbands}.mid",
        "close > {bbands}.mid",
        {"bbands": _indicator("bbands", length="$length", mult=2.0)},
        {"length": _whole(10, 60, 5, 20)},
    ),
    Factor(
        "high_in_range",
        "{stoch}.k > $level",
        "{stoch}.k < 100 - $level",
        {"stoch": _indicator("stoch", length="$length", smooth_k=3, smooth_d=3)},
        {"length": _whole(5, 60, 5, 20), "level": _real(30, 80, 5, 50)},
    ),
)
"""Conditions that an entry may demand besides others."""

TRIGGERS: tuple[Factor, ...] = (
    Factor(
        "golden_cross",
        "crosses_above({fast}, {slow})",
        "crosses_below({fast}, {slow})",
        {
            "fast": _indicator("ema", length="$fast"),
            "slow": _indicator("sma", length="$slow"),
        },
        {"fast": _whole(5, 40, 5, 20), "slow": _whole(50, 200, 10, 100)},
    ),
    Factor(
        "range_left",
        "close > {donchian}.upper[1]",
        "close < {donchian}.lower[1]",
        {"donchian": _indicator("donchian", length="$length")},
        {"length": _whole(10, 100, 5, 30)},
    ),
    Factor(
        "band_left",
        "crosses_above(close, {bbands}.upper)",
        "crosses_below(close, {bbands}.lower)",
        {"bbands": _indicator("bbands", length="$length", mult=2.0)},
        {"length": _whole(10, 60, 5, 20)},
    ),
    Factor(
        "band_entered",
        "crosses_above(close, {bbands}.lower)",
        "crosses_below(close, {bbands}.upper)",
        {"bbands": _indicator("bbands", length="$length", mult=2.0)},
        {"length": _whole(10, 60, 5, 20)},
    ),
    Factor(
        "oversold",
        "{rsi} < $level",
        "{rsi} > 100 - $level",
        {"rsi": _indicator("rsi", length="$length")},
        {"length": _whole(2, 14, 1, 4), "level": _real(10, 40, 2.5, 25)},
    ),
    Factor(
        "macd_cross",
        "crosses_above({macd}.line, {macd}.signal)",
        "crosses_below({macd}.line, {macd}.signal)",
        {"macd": _indicator("macd", fast="$fast", slow="$slow", signal=9)},
        {"fast": _whole(6, 18, 1, 12), "slow": _whole(20, 50, 2, 26)},
    ),
    Factor(
        "thrust",
        "100 * change(close, $bars) / close > $percent",
        "100 * change(close, $bars) / close < -$percent",
        parameters={"bars": _whole(3, 60, 3, 21), "percent": _real(1, 20, 1, 6)},
    ),
    Factor(
        "low_in_range",
        "{stoch}.k < $level",
        "{stoch}.k > 100 - $level",
        {"stoch": _indicator("stoch", length="$length", smooth_k=3, smooth_d=3)},
        {"length": _whole(5, 60, 5, 20), "level": _real(10, 50, 5, 20)},
    ),
)
"""Conditions that can open positions by themselves."""

EXIT_FACTORS: tuple[Factor, ...] = (
    Factor(
        "time_limit",
        "bars_held >= $bars",
        "bars_held >= $bars",
        parameters={"bars": _whole(5, 120, 5, 40)},
    ),
    Factor(
        "trend_lost",
        "crosses_below(close, {ema})",
        "crosses_above(close, {ema})",
        {"ema": _indicator("ema", length="$length")},
        {"length": _whole(10, 150, 10, 50)},
    ),
    Factor(
        "overbought",
        "{rsi} > $level",
        "{rsi} < 100 - $level",
        {"rsi": _indicator("rsi", length="$length")},
        {"length": _whole(2, 14, 1, 7), "level": _real(60, 90, 2.5, 75)},
    ),
    Factor(
        "low_broken",
        "close < {donchian}.lower[1]",
        "close > {donchian}.upper[1]",
        {"donchian": _indicator("donchian", length="$length")},
        {"length": _whole(5, 60, 5, 20)},
    ),
)
"""Further ways out of a position."""
