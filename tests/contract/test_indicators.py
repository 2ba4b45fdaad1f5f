"""Streaming indicators against numpy references, from the first defined bar on."""

import math

import numpy as np
import pytest
from tests.contract.indicator_reference import indicator
from tests.contract.worlds import random_market

from stratlab.contract.indicators import BAR, REGISTRY, IndicatorKind
from stratlab.contract.streaming import Bar

PARAMETERS = {
    "ema": [{"length": 1}, {"length": 9}],
    "sma": [{"length": 1}, {"length": 20}],
    "wma": [{"length": 1}, {"length": 7}],
    "rma": [{"length": 14}],
    "rsi": [{"length": 1}, {"length": 14}],
    "atr": [{"length": 14}, {"length": 1}],
    "stdev": [{"length": 20}],
    "macd": [{"fast": 12, "slow": 26, "signal": 9}, {"fast": 5, "slow": 3, "signal": 1}],
    "bbands": [{"length": 20, "mult": 2.0}],
    "donchian": [{"length": 20}, {"length": 1}],
    "stoch": [{"length": 14, "smooth_k": 3, "smooth_d": 3}],
    "adx": [{"length": 14, "smoothing": 14}, {"length": 3, "smoothing": 7}],
}
CASES = [(name, params) for name, choices in PARAMETERS.items() for params in choices]


def _bars(seed: int) -> dict[str, np.ndarray]:
    rows = random_market(seed, 400, is_adjusted=False).bars
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows[100:130, :4] = rows[100, 3]  # a market that stands still
    return {name: rows[:, at] for at, name in enumerate(Bar._fields)}


def _streamed(kind: IndicatorKind, params: dict, source: str, bars: dict) -> dict[str, np.ndarray]:
    stream = kind.implementation(**params)
    rows = []
    for row in zip(*(bars[name].tolist() for name in Bar._fields), strict=True):
        bar = Bar(*row)
        stream.update(bar if source == BAR else getattr(bar, source))
        rows.append([getattr(stream, output) for output in kind.outputs or ("value",)])
    return dict(zip(kind.outputs or ("",), np.array(rows).T, strict=True))


def test_registry_every_indicator_has_reference_case() -> None:
    assert set(PARAMETERS) == set(REGISTRY)
    for name, params in CASES:
        assert set(params) == set(REGISTRY[name].parameters)


@pytest.mark.parametrize(("name", "params"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_streaming_equals_reference_from_first_defined_bar(
    name: str, params: dict, seed: int
) -> None:
    kind, bars = REGISTRY[name], _bars(seed)
    for source in kind.sources:
        expected = indicator(name, source, bars, params)
        streamed = _streamed(kind, params, source, bars)
        assert set(streamed) == set(expected)
        for output, values in expected.items():
            # The same bars are defined, and equal to 1e-8 or better from the first one on.
            assert np.array_equal(np.isnan(streamed[output]), np.isnan(values))
            scale = np.maximum(1.0, np.abs(values))
            assert np.nanmax(np.abs(streamed[output] - values) / scale) < 1e-8


@pytest.mark.parametrize(("name", "params"), CASES)
def test_warm_up_is_first_bar_with_all_outputs(name: str, params: dict) -> None:
    kind, bars = REGISTRY[name], _bars(3)
    streamed = _streamed(kind, params, kind.sources[0], bars)
    defined = np.all([~np.isnan(values) for values in streamed.values()], axis=0)
    assert int(np.argmax(defined)) == kind.warm_up(params)


def test_rsi_without_falls_is_one_hundred() -> None:
    rsi = REGISTRY["rsi"].implementation(length=3)
    assert [rsi.update(price) for price in (1, 2, 3, 4, 4)][-2:] == [100.0, 100.0]


def test_stdev_of_flat_window_is_zero_after_volatile_one() -> None:
    stdev = REGISTRY["stdev"].implementation(length=5)
    values = [stdev.update(price) for price in (1e6, 3.7, 9e5, 1, 7e5, *[10.1] * 5)]
    assert values[-1] < 1e-12


def test_stoch_of_flat_window_is_undefined_then_recovers() -> None:
    stoch = REGISTRY["stoch"].implementation(length=2, smooth_k=2, smooth_d=1)
    flat = Bar(5, 5, 5, 5, 1)
    for _ in range(4):
        stoch.update(flat)
    assert math.isnan(stoch.k)
    for price in (6, 7, 8):
        stoch.update(Bar(price, price + 1, price - 1, price, 1))
    assert 0 < stoch.k < 100


def test_atr_first_bar_is_its_range() -> None:
    atr = REGISTRY["atr"].implementation(length=1)
    assert atr.update(Bar(10, 12, 9, 11, 1)) == 3
    assert atr.update(Bar(15, 16, 15, 16, 1)) == 5  # from the last close, 11
