"""Every vectorised indicator against its streaming class, which is the canon."""

import numpy as np
import pytest
from tests.contract.test_indicators import PARAMETERS
from tests.contract.worlds import random_market
from tests.vectorised.panels import panel_of

from stratlab.contract.indicators import REGISTRY
from stratlab.contract.vectorised import indicators, windows
from stratlab.contract.vectorised.bars import SymbolBars
from stratlab.contract.vectorised.frames import Frame
from stratlab.contract.vectorised.indicators import Family, Indicators
from stratlab.domain.valuation import adjustment_ratios

SESSIONS, FIRST, REACH = 260, 80, 3
STARTS = (0, 37)


def _frame():
    # Two symbols' worth of trouble in one: gaps, flat bars, a split and four dividends.
    panel = panel_of({"AAA": random_market(3, SESSIONS)}, SESSIONS)
    bars = SymbolBars.of(panel, 0, FIRST, adjustment_ratios(panel))
    assert len(bars.bounds) > 3
    return Frame.own(bars, np.array(STARTS), REACH)


@pytest.mark.parametrize("name", REGISTRY)
def test_vectorised_indicator_equals_streaming_class(name, monkeypatch):
    kind, frame = REGISTRY[name], _frame()
    columns = [
        (tuple(given[key] for key in kind.parameters), start)
        for given in PARAMETERS[name]
        for start in STARTS
    ]
    families = {Family(name, source): columns for source in kind.sources}
    fast = Indicators(frame, families).values
    # Without code of its own every indicator falls back to its streaming class.
    monkeypatch.setattr(indicators, "_RECURSIONS", {})
    monkeypatch.setattr(indicators, "_WINDOWS", {})
    slow = Indicators(frame, families).values
    assert set(fast) == set(slow)
    for key, streamed in slow.items():
        known = frame.stretches.bar >= 0
        assert np.array_equal(np.isnan(fast[key][:, known]), np.isnan(streamed[:, known]))
        np.testing.assert_allclose(fast[key], streamed, rtol=1e-12, atol=1e-12)


def test_every_indicator_of_the_registry_has_fast_code():
    # A new one works without it; this test reminds that a grid of it would be slow.
    assert set(indicators._RECURSIONS) | set(indicators._WINDOWS) == set(REGISTRY)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 13])
def test_extremes_are_those_of_every_window(length):
    random = np.random.default_rng(5)
    values = random.normal(size=(3, 40))
    values[1, 20] = np.nan
    highest = windows.highest(values, [13, length])[length]
    lowest = windows.lowest(values, [1, length])[length]
    for bar in range(40):
        part = values[:, max(bar + 1 - length, 0) : bar + 1]
        full = part.shape[1] == length
        expected = part.max(axis=1) if full else np.full(3, np.nan)
        np.testing.assert_array_equal(highest[:, bar], expected)
        expected = part.min(axis=1) if full else np.full(3, np.nan)
        np.testing.assert_array_equal(lowest[:, bar], expected)


def test_means_are_summed_as_exactly_as_fsum_does():
    values = np.array([1e16, 1.0, -1e16, 3.0, 0.1, 0.2, 0.3])
    found = windows.means(values, [3])[3]
    assert found[2] == pytest.approx(1 / 3, rel=1e-15)
    assert found[6] == pytest.approx(0.2, rel=1e-15)
