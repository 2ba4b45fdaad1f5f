"""Zipline's own performance frame is the same with the fast engine, risk columns included."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from actions import Action, Script, actions
from hypothesis import given
from hypothesis import strategies as st
from markets import SYMBOLS, Market, markets
from opening import open_market
from performances import LISTS, perform, without_ids
from runs import temporary
from sizes import fuzz
from traces import exact

TOLERANCE = 1e-9
CHANGES = st.lists(
    st.tuples(
        st.integers(3, 12),
        st.sampled_from(["delta", "target"]),
        st.sampled_from([500.0, -1000.0, 9000.0]),
    ),
    max_size=2,
)


@fuzz(12)
@given(markets(), actions(), st.booleans(), CHANGES)
def test_performance_of_random_script_equals_plain_zipline(
    market: Market,
    script: list[Action],
    benchmark_is_asset: bool,
    changes: list[tuple[int, str, float]],
) -> None:
    symbols = SYMBOLS[: len(market.lives)]
    with temporary() as folder:
        tier = open_market(market, Path(folder))
        sessions = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)
        generator = np.random.default_rng(market.seed)
        returns = pd.Series(generator.normal(0, 0.01, len(sessions)), index=sessions)
        capital = {
            sessions[number].tz_localize("UTC"): {"type": kind, "value": value}
            for number, kind, value in changes
        }
        scripts = [Script(script, symbols, []) for _ in range(2)]
        (stock, failure), (fast, mine) = (
            perform(tier, each, engine, 0 if benchmark_is_asset else returns, capital)
            for each, engine in zip(scripts, ("stock", "fast"), strict=True)
        )
    assert mine == failure
    assert scripts[0].trace == scripts[1].trace
    if stock is None or fast is None:
        return
    assert sorted(fast.columns) == sorted(stock.columns)
    assert fast.index.equals(stock.index)
    for name in stock.columns:
        _assert_same(name, stock[name].tolist(), fast[name].tolist())


def _assert_same(name: str, stock: list[Any], fast: list[Any]) -> None:
    if name in LISTS:
        assert [exact(without_ids(day)) for day in fast] == [
            exact(without_ids(day)) for day in stock
        ], name
    elif all(value is None or isinstance(value, int | float) for value in stock):
        pairs = [np.array(values, dtype="float64") for values in (fast, stock)]
        np.testing.assert_allclose(*pairs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
    else:
        assert [exact(value) for value in fast] == [exact(value) for value in stock], name
