"""Splits and dividends from adjusted closes."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.market_data.helpers import weekdays

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.actions import recover_actions

RATIOS = (1 / 2, 1 / 3, 2 / 3, 1 / 4, 1 / 7, 1 / 20, 3 / 4, 2.0, 10.0)


def adjusted(close, splits, dividends):
    """Adjust backwards from the last close, the way the source's vendor does."""
    factors = [1.0]
    for index in range(len(close) - 1, 0, -1):
        step = (1 + dividends.get(index, 0.0) / close[index]) / splits.get(index, 1.0)
        factors.append(factors[-1] / step)
    return close * np.array(factors[::-1])


@st.composite
def histories(draw):
    size = draw(st.integers(2, 60))
    cents = draw(st.lists(st.integers(500, 50_000), min_size=size, max_size=size))
    kinds = draw(st.lists(st.sampled_from("...sd"), min_size=size, max_size=size))
    splits, dividends = {}, {}
    for index in range(1, size):
        if kinds[index] == "s":
            splits[index] = draw(st.sampled_from(RATIOS))
        elif kinds[index] == "d":
            # Below 4 % of the price no dividend looks like a split in small numbers.
            dividends[index] = draw(st.integers(1, cents[index] // 25)) / 100
    return np.array(cents) / 100, splits, dividends, draw(st.floats(1e-3, 1e3))


@given(histories())
def test_actions_recovered_from_any_adjusted_series(history):
    close, splits, dividends, scale = history
    days = weekdays(date(2001, 1, 1), len(close))
    found = recover_actions("X", days, close, scale * adjusted(close, splits, dividends))
    assert dict(found.splits) == pytest.approx({days[i]: ratio for i, ratio in splits.items()})
    assert dict(found.dividends) == {days[i]: amount for i, amount in dividends.items()}


def test_actions_of_unexplained_step_refused():
    close = np.array([10.0, 10.0, 10.0])
    with pytest.raises(InvalidInputError, match="X 2001-01-02") as caught:
        recover_actions("X", weekdays(date(2001, 1, 1), 3), close, close * [1.0, 1.0123456789, 1.2])
    assert caught.value.data["session"] == "2001-01-02"


def test_actions_of_us_daily_rebuild_adjusted_returns(us_daily_raw, us_daily):
    for symbol, rows in us_daily_raw.groupby("Ticker"):
        close, adjusted_close = rows["Close"].to_numpy(), rows["Adj Close"].to_numpy()
        days = list(rows["Date"])
        cash = np.zeros(len(days))
        ratio = np.ones(len(days))
        for row in us_daily.dividends[us_daily.dividends["symbol"] == symbol].itertuples():
            cash[days.index(str(row.ex_session.date()))] = row.amount
        for row in us_daily.splits[us_daily.splits["symbol"] == symbol].itertuples():
            ratio[days.index(str(row.session.date()))] = row.ratio
        growth = (close + cash)[1:] / (close[:-1] * ratio[1:])
        expected = [later / earlier for earlier, later in pairwise(adjusted_close)]
        np.testing.assert_allclose(growth, expected, rtol=1e-10)


def test_actions_of_us_daily_have_the_known_counts_and_values(us_daily):
    splits = [
        (row.symbol, str(row.session.date()), row.ratio) for row in us_daily.splits.itertuples()
    ]
    assert splits == [
        ("AAPL", "2000-06-21", 0.5),
        ("AAPL", "2005-02-28", 0.5),
        ("MSFT", "2003-02-18", 0.5),
    ]
    dividends = us_daily.dividends
    assert dividends.groupby("symbol").size().to_dict() == {"AAPL": 3, "IBM": 52, "MSFT": 37}
    known = {(row.symbol, str(row.ex_session.date())): row.amount for row in dividends.itertuples()}
    assert known["IBM", "2000-05-08"] == 0.13
    assert known["IBM", "2013-02-06"] == 0.85
    assert known["AAPL", "2012-08-09"] == 2.65
    assert known["MSFT", "2004-11-15"] == 3.08
    assert (dividends["ex_session"] == dividends["pay_session"]).all()
