"""Validation and digest of canonical content."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.market_data.helpers import (
    DAYS,
    SMALL_TIERS,
    bars,
    dividends_table,
    small_content,
    splits_table,
)

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Tier, TierRange


def changed_prices(column: str, value: object, row: int = 7) -> pd.DataFrame:
    table = pd.concat([bars("AAA", DAYS), bars("BBB", DAYS, 20.0)], ignore_index=True)
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_digest_of_shuffled_rows_is_equal(random):
    rows = pd.concat([bars("AAA", DAYS), bars("BBB", DAYS, 20.0)], ignore_index=True)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert small_content(prices=rows.iloc[order]).digest() == small_content().digest()


def test_digest_of_us_daily_is_pinned(us_daily):
    """A new digest means that results before and after cannot be compared: change it knowingly."""
    assert us_daily.digest() == "15d0482062387704a7562ebe94358929d82c7cd9350ffdea48618317c55d44fb"


DIFFERENT = {
    "close": {"prices": changed_prices("close", 51.751)},
    "volume": {"prices": changed_prices("volume", 999)},
    "symbol": {
        "prices": pd.concat([bars("AAA", DAYS), bars("BBC", DAYS, 20.0)]),
        "dividends": dividends_table(),
    },
    "one bar less": {"prices": pd.concat([bars("AAA", DAYS), bars("BBB", DAYS[:-1], 20.0)])},
    "split ratio": {"splits": splits_table(("AAA", DAYS[6], 0.25))},
    "split day": {"splits": splits_table(("AAA", DAYS[7], 0.5))},
    "dividend": {"dividends": dividends_table(("BBB", DAYS[3], DAYS[5], 0.41))},
    "pay day": {"dividends": dividends_table(("BBB", DAYS[3], DAYS[6], 0.4))},
    "calendar": {"calendar": "XLON"},
    "timeframe": {
        "timeframe": "1h",
        "prices": pd.concat([bars("AAA", DAYS), bars("BBB", DAYS, 20.0)]).assign(
            label=lambda table: table["session"] + pd.Timedelta(hours=20)
        ),
    },
    "tier": {"tiers": {**SMALL_TIERS, Tier.TRAIN: TierRange(DAYS[1], DAYS[4])}},
    "fewer tiers": {"tiers": {Tier.TRAIN: SMALL_TIERS[Tier.TRAIN]}},
}


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_digest_of_any_change_differs(change):
    assert small_content(**change).digest() != small_content().digest()


WRONG_PRICES = {
    "missing close": ("close", float("nan"), "missing"),
    "zero close": ("close", 0.0, "missing or below"),
    "negative open": ("open", -1.0, "missing or below"),
    "below a tick": ("low", 0.0004, "missing or below"),
    "infinite": ("high", float("inf"), "price above 4294967.295"),
    "beyond uint32 thousandths": ("high", 4_294_968.0, "price above 4294967.295"),
    "low above close": ("low", 51.9, "outside its low and high"),
    "high below close": ("high", 51.7, "outside its low and high"),
    "volume beyond uint32": ("volume", 4_294_967_296, "volume above 4294967295"),
    "no volume": ("volume", 0, "not positive"),
    "missing volume": ("volume", float("nan"), "not positive"),
}


@pytest.mark.parametrize(("column", "value", "complaint"), WRONG_PRICES.values(), ids=WRONG_PRICES)
def test_price_that_zipline_would_distort_refused(column, value, complaint):
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        small_content(prices=changed_prices(column, value))
    assert caught.value.data == {"symbol": "AAA", "session": str(DAYS[7])}


def test_largest_numbers_zipline_can_store_accepted():
    prices = changed_prices("volume", 4_294_967_295)
    prices.loc[7, "high"] = 4_294_967.295
    content = small_content(prices=prices)
    assert content.prices.loc[7, ["high", "volume"]].tolist() == [4_294_967.295, 4_294_967_295]


def test_prices_rounded_to_thousandths():
    content = small_content(prices=changed_prices("close", 51.75049))
    assert content.prices.loc[7, "close"] == 51.75
    assert content.digest() == small_content().digest()


BROKEN = {
    "bar twice": (
        {"prices": pd.concat([bars("AAA", DAYS), bars("AAA", DAYS[3:4])])},
        f"AAA {DAYS[3]} appears twice",
    ),
    "no day": ({"prices": changed_prices("session", pd.NaT)}, "no symbol or no session"),
    "split of a stranger": ({"splits": splits_table(("ZZZ", DAYS[6], 0.5))}, "no known symbol"),
    "split on a Sunday": (
        {"splits": splits_table(("AAA", date(2005, 5, 8), 0.5))},
        "no known symbol and session",
    ),
    "split of nothing": ({"splits": splits_table(("AAA", DAYS[6], 0.0))}, "not positive"),
    "negative dividend": (
        {"dividends": dividends_table(("BBB", DAYS[3], DAYS[5], -0.4))},
        "not positive",
    ),
    "paid too early": (
        {"dividends": dividends_table(("BBB", DAYS[3], DAYS[2], 0.4))},
        "before its ex date",
    ),
    "tiers overlap": (
        {"tiers": {**SMALL_TIERS, Tier.VALIDATION: TierRange(DAYS[4], DAYS[9])}},
        "validation starts before tier train",
    ),
    "tier without data": (
        {"tiers": {Tier.TRAIN: TierRange(date(1999, 1, 1), date(1999, 2, 1))}},
        "contains no session",
    ),
}


@pytest.mark.parametrize(("change", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_inconsistent_tables_refused(change, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        small_content(**change)


@given(st.integers(0, 25))
def test_pay_date_moves_to_the_next_session(wait):
    day = DAYS[3] + timedelta(wait)
    content = small_content(dividends=dividends_table(("BBB", DAYS[3], day, 0.4)))
    (paid,) = content.dividends["pay_session"]
    later = [session for session in DAYS if session >= day]
    assert paid.date() == (later[0] if later else day)


def test_tiers_of_us_daily_snap_to_sessions(us_daily):
    assert us_daily.tiers == {
        Tier.TRAIN: TierRange(date(2001, 6, 1), date(2006, 12, 29)),
        Tier.VALIDATION: TierRange(date(2007, 1, 3), date(2009, 12, 31)),
        Tier.HOLDOUT: TierRange(date(2010, 1, 4), date(2013, 3, 1)),
    }
    assert len(us_daily.sessions) == 3270
