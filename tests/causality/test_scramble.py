"""A scrambled market: the same up to the cut, plausible and not to be recognised after it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.causality.markets import daily_market, hourly_market
from tests.conftest import FULL_SIZE

from stratlab.market_data.us_daily.recipe import load_us_daily
from stratlab_runner.worlds.scramble import Cut, Market, scramble

SESSIONS = 400
EXAMPLES = 200 if FULL_SIZE else 15
CUTS = st.integers(min_value=30, max_value=SESSIONS - 2)
SEEDS = st.integers(min_value=0, max_value=2**31)


def cut_at(market, row, seed, against="", bars=1):
    times = np.unique(market.prices["label" if "label" in market.prices else "session"])
    return Cut(int(times[row].astype("datetime64[s]").astype("int64")), seed, against, bars)


def moment(cut):
    return pd.Timestamp(cut.label, unit="s")


def before(table, time, cut):
    return table[table[time] <= moment(cut)].reset_index(drop=True)


def closes(market, symbol):
    rows = market.prices[market.prices["symbol"] == symbol]
    return rows.set_index("session")["close"]


@settings(max_examples=EXAMPLES)
@given(CUTS, SEEDS)
def test_past_is_the_same_to_the_byte(row, seed):
    market = daily_market(seed % 7, SESSIONS)
    cut = cut_at(market, row, seed)
    other = scramble(market, cut)
    for name, time in (("prices", "session"), ("splits", "session"), ("dividends", "ex_session")):
        one, two = (before(getattr(each, name), time, cut) for each in (market, other))
        pd.testing.assert_frame_equal(one, two)


def test_market_without_a_split_or_dividend_is_scrambled_like_any_other():
    market = daily_market(1, SESSIONS)
    # What a file without a row is read as.
    bare = Market(market.prices, market.splits.iloc[:0], market.dividends.iloc[:0].astype(object))
    other = scramble(bare, cut_at(market, 200, 1))
    assert other.splits.empty
    assert other.dividends.empty
    assert not other.prices.equals(market.prices)


@settings(max_examples=EXAMPLES)
@given(CUTS, SEEDS)
def test_future_is_another_one_of_valid_bars_on_the_same_sessions(row, seed):
    market = daily_market(seed % 7, SESSIONS)
    cut = cut_at(market, row, seed)
    prices = scramble(market, cut).prices
    assert list(prices.columns) == list(market.prices.columns)
    assert prices.dtypes.tolist() == market.prices.dtypes.tolist()
    assert set(prices["session"]) <= set(market.prices["session"])
    assert prices["session"].max() == market.prices["session"].max()
    assert not prices.duplicated(["symbol", "session"]).any()
    ordered = prices.sort_values(["symbol", "session"])
    assert ordered.index.equals(prices.index)
    four = prices[["open", "high", "low", "close"]]
    assert (four.max(axis=1) == prices["high"]).all()
    assert (four.min(axis=1) == prices["low"]).all()
    assert (four > 0).all(axis=None)
    # Whole cents, as before.
    assert np.allclose(four * 100, np.round(four * 100), atol=1e-6)
    assert (prices["volume"] % 100 == 0).all()
    assert (prices["volume"] > 0).all()
    after = prices[prices["session"] > moment(cut)].merge(
        market.prices, on=["symbol", "session"], suffixes=("", "_true")
    )
    if len(after) > 20:
        assert (after["close"] != after["close_true"]).mean() > 0.5


def test_cut_at_the_last_bar_changes_nothing():
    market = daily_market(1, SESSIONS)
    assert scramble(market, cut_at(market, SESSIONS - 1, 5)) is market


def test_world_depends_on_nothing_but_market_cut_and_seed():
    market = daily_market(1, SESSIONS)
    cut = cut_at(market, 100, 5)
    one, two = scramble(market, cut), scramble(market, cut)
    pd.testing.assert_frame_equal(one.prices, two.prices)
    other = scramble(market, cut_at(market, 100, 6))
    assert not one.prices["close"].equals(other.prices["close"])


@pytest.mark.parametrize("bars", [1, 5, 20])
def test_price_goes_against_the_way_that_it_went(bars):
    market = daily_market(2, SESSIONS)
    opposed = 0
    for row in range(40, 340, 10):
        cut = cut_at(market, row, row, "AAA", bars)
        true, other = (closes(each, "AAA") for each in (market, scramble(market, cut)))
        at = true.index.get_loc(moment(cut))
        moves = [series.iloc[at + bars] / series.iloc[at] - 1 for series in (true, other)]
        opposed += moves[0] * moves[1] <= 0
    assert opposed >= 24  # of 30: raw prices, so that splits are in the way of some


def test_no_block_of_the_future_is_a_copy():
    market = daily_market(3, SESSIONS)
    other = closes(scramble(market, cut_at(market, 100, 1)), "AAA")
    returns = np.round(np.diff(np.log(other.to_numpy())), 4)
    blocks = [tuple(returns[row : row + 4]) for row in range(len(returns) - 3)]
    assert len(blocks) - len(set(blocks)) <= 2


def test_lives_do_not_tell_when_assets_die():
    market = daily_market(4, SESSIONS)
    truth = market.prices.groupby("symbol")["session"].max()
    cut = cut_at(market, 60, 0)
    dying = [name for name in truth.index if truth[name] < truth.max()]
    assert dying
    ends = [
        scramble(market, cut_at(market, 60, seed)).prices.groupby("symbol")["session"].max()
        for seed in range(20)
    ]
    for name in dying:
        if truth[name] > moment(cut):
            assert len({end[name] for end in ends}) > 2
            assert sum(end[name] == truth[name] for end in ends) <= 2
    # Those who live on die in some worlds.
    assert any(end["AAA"] < truth.max() for end in ends)


def test_dead_assets_stay_dead():
    market = daily_market(4, SESSIONS)
    ends = market.prices.groupby("symbol")["session"].max()
    first_end = ends.min()
    row = int(np.searchsorted(np.unique(market.prices["session"]), np.datetime64(first_end))) + 5
    other = scramble(market, cut_at(market, row, 1)).prices
    assert other.groupby("symbol")["session"].max()[ends.idxmin()] == first_end


def test_later_births_come_at_other_times():
    market = daily_market(4, SESSIONS)
    births = market.prices.groupby("symbol")["session"].min()
    late = births.idxmax()
    firsts = {
        scramble(market, cut_at(market, 20, seed)).prices.groupby("symbol")["session"].min()[late]
        for seed in range(10)
    }
    assert len(firsts) > 3
    assert min(firsts) > moment(cut_at(market, 20, 0))


def test_splits_and_dividends_of_the_future_do_not_stay():
    market = daily_market(5, SESSIONS)
    cut = cut_at(market, 50, 0)
    for seed in range(10):
        other = scramble(market, cut_at(market, 50, seed))
        for name, time in (("splits", "session"), ("dividends", "ex_session")):
            true, new = (
                set(each[each[time] > moment(cut)][["symbol", time]].itertuples(index=False))
                for each in (getattr(market, name), getattr(other, name))
            )
            assert len(true & new) <= 0.3 * len(true)


def test_split_of_a_world_moves_prices_as_a_split_does():
    market = daily_market(5, SESSIONS)
    found = 0
    for seed in range(10):
        other = scramble(market, cut_at(market, 50, seed))
        for symbol, session, ratio in other.splits.itertuples(index=False):
            series = closes(other, symbol)
            at = series.index.searchsorted(session)
            if session > moment(cut_at(market, 50, 0)) and 0 < at < len(series):
                jump = series.iloc[at] / series.iloc[at - 1]
                assert abs(np.log(jump / ratio)) < 0.4
                found += 1
    assert found > 3


def test_prices_and_volumes_keep_their_scale_over_many_years():
    content = load_us_daily()
    market = Market(content.prices, content.splits, content.dividends)
    cut = Cut(int(pd.Timestamp("2001-06-01").timestamp()), 7)
    other = scramble(market, cut).prices
    for symbol, rows in content.prices.groupby("symbol"):
        new = other[other["symbol"] == symbol]
        true = np.log(rows["close"]).diff()[1:]
        drawn = np.log(new["close"]).diff()[1:]
        assert 0.5 < drawn[drawn.abs() < 0.4].std() / true[true.abs() < 0.4].std() < 2
        assert new["close"].between(rows["close"].min() / 60, rows["close"].max() * 60).all()
        assert 0.02 < new["volume"].median() / rows["volume"].median() < 50


@settings(max_examples=EXAMPLES)
@given(st.integers(min_value=30, max_value=300), SEEDS)
def test_hours_keep_their_labels_and_their_past(row, seed):
    market = hourly_market(seed % 3, 60)
    cut = cut_at(market, row, seed)
    other = scramble(market, cut)
    pd.testing.assert_frame_equal(
        before(market.prices, "label", cut), before(other.prices, "label", cut)
    )
    assert set(other.prices["label"]) <= set(market.prices["label"])
    sessions = market.prices.drop_duplicates("label").set_index("label")["session"]
    assert (other.prices["label"].map(sessions) == other.prices["session"]).all()
    assert len(other.prices) == len(market.prices)
