"""Canonical seeding by hand: the first defined values of every indicator, worked out on paper."""

import math

import pytest

from stratlab.contract.indicators import BAR, REGISTRY
from stratlab.contract.streaming import Bar

# high, low, close of five bars; opens and volumes play no part.
BARS = [
    Bar(9, 11, 8, 10, 1),
    Bar(10, 13, 10, 12, 1),
    Bar(12, 12, 9, 9, 1),
    Bar(9, 15, 11, 14, 1),
    Bar(14, 16, 12, 13, 1),
]

# Name, parameters, and the first two values of each output from its first defined bar on.
# Closes: 10, 12, 9, 14, 13. True ranges: 3, 3 (13-10), 3 (12-9), 6 (15-9), 4 (16-12).
BY_HAND = [
    # The mean of 10, 12 and 9, then half of the way to 14.
    ("ema", {"length": 3}, {"value": (2, [31 / 3, 31 / 3 + (14 - 31 / 3) / 2])}),
    ("sma", {"length": 3}, {"value": (2, [31 / 3, 35 / 3])}),
    # 10 once, 12 twice, 9 three times; 12 once, 9 twice, 14 three times.
    ("wma", {"length": 3}, {"value": (2, [61 / 6, 12.0])}),
    ("rma", {"length": 3}, {"value": (2, [31 / 3, 31 / 3 + (14 - 31 / 3) / 3])}),
    # Rises 2, 0, 5 and falls 0, 3, 0: means 1 and 1.5, then half of the way to 5 and 0.
    ("rsi", {"length": 2}, {"value": (2, [100 / 2.5, 300 / 3.75])}),
    # The first true range is high - low; Wilder's mean of 3, 3, 3, then of 6.
    ("atr", {"length": 3}, {"value": (2, [3.0, 3 + (6 - 3) / 3])}),
    # Population deviation of 10, 12 and of 12, 9.
    ("stdev", {"length": 2}, {"value": (1, [1.0, 1.5])}),
    # Fast: the closes; slow (2): 11, then two thirds of the way to 9; signal (2): a mean first.
    (
        "macd",
        {"fast": 1, "slow": 2, "signal": 2},
        {
            "line": (1, [1.0, 9 - (11 - 4 / 3)]),
            "signal": (2, [(1 + 9 - 29 / 3) / 2]),
            "hist": (2, [9 - 29 / 3 - (1 + 9 - 29 / 3) / 2]),
        },
    ),
    (
        "bbands",
        {"length": 2, "mult": 2.0},
        {"mid": (1, [11.0, 10.5]), "upper": (1, [13.0, 13.5]), "lower": (1, [9.0, 7.5])},
    ),
    # This bar is included.
    ("donchian", {"length": 2}, {"upper": (1, [13.0, 13.0]), "lower": (1, [8.0, 9.0])}),
    # Close within the channel of two bars: (12-8)/5, (9-9)/4, (14-9)/6; d is the mean of two.
    (
        "stoch",
        {"length": 2, "smooth_k": 1, "smooth_d": 2},
        {"k": (1, [80.0, 0.0]), "d": (2, [40.0, 250 / 6])},
    ),
    # Up moves 2, -, 3, 1 and down moves -, 1, -, -: +DM 2, 0, 3; -DM 0, 1, 0. Means of two start
    # at bar 2: 1 and 0.5 over an ATR of 3, then 2 and 0.25 over 4.5.
    (
        "adx",
        {"length": 2, "smoothing": 2},
        {
            "plus": (2, [100 / 3, 200 / 4.5]),
            "minus": (2, [50 / 3, 25 / 4.5]),
            "adx": (3, [100 * (1 / 3 + (2 - 0.25) / 2.25) / 2]),
        },
    ),
]


def test_every_indicator_is_worked_out_by_hand() -> None:
    assert {name for name, _, _ in BY_HAND} == set(REGISTRY)


@pytest.mark.parametrize(("name", "params", "expected"), BY_HAND)
def test_first_values_are_those_of_the_paper(name: str, params: dict, expected: dict) -> None:
    kind = REGISTRY[name]
    stream = kind.implementation(**params)
    rows = []
    for bar in BARS:
        stream.update(bar if kind.sources[0] == BAR else bar.close)
        rows.append({output: getattr(stream, output) for output in expected})
    for output, (first, values) in expected.items():
        found = [row[output] for row in rows]
        assert all(math.isnan(value) for value in found[:first])
        assert found[first : first + len(values)] == pytest.approx(values)
    assert kind.warm_up(params) == max(first for first, _ in expected.values())


def test_adx_takes_no_side_in_a_tie_that_rounding_breaks() -> None:
    adx = REGISTRY["adx"].implementation(length=1, smoothing=1)
    adx.update(Bar(0, 0.3, 0.2, 0.25, 1))
    # Up 0.1 and down 0.1 but for the last bit of one of them.
    adx.update(Bar(0, 0.4, 0.1, 0.25, 1))
    assert 0.4 - 0.3 != 0.2 - 0.1
    assert (adx.plus, adx.minus) == (0.0, 0.0)
