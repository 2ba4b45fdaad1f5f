"""Intraday bars in a data set: what is accepted, and what host and mounts make of it."""

import json
import shutil
from datetime import date

import numpy as np
import pandas as pd
import pytest
from tests.intraday.worlds import CapturedJobs, bar_ends, built, random_world, table
from tests.market_data.helpers import DockerJobs

from stratlab.domain.errors import DataSetNotFoundError, EngineError, InvalidInputError
from stratlab.domain.market import MarketSet, Tier, TierRange
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.catalogue import Catalogue
from stratlab.market_data.content import PRICE_FIELDS, canonical
from stratlab.market_data.manifest import list_files

DAYS = [date(2005, 5, day) for day in (2, 3, 4, 5)]
TIERS = {
    Tier.TRAIN: TierRange(DAYS[0], DAYS[1]),
    Tier.VALIDATION: TierRange(DAYS[2], DAYS[2]),
    Tier.HOLDOUT: TierRange(DAYS[3], DAYS[3]),
}


def bars(symbol="AAA", calendar="XNYS", timeframe="1h", days=DAYS, start=50.0):
    """A gently rising series without gaps."""
    ends = [bar_ends(calendar, timeframe, pd.Timestamp(day)) for day in days]
    labels = ends[0].append(ends[1:])
    close = np.round(start + 0.01 * np.arange(len(labels)), 3)
    prices = dict.fromkeys(PRICE_FIELDS, close) | {"high": close + 1, "low": close - 1}
    return pd.DataFrame({"symbol": symbol, "label": labels, **prices, "volume": 1000})


def content(prices=None, *, calendar="XNYS", timeframe="1h", splits=(), dividends=(), tiers=TIERS):
    return canonical(
        calendar=calendar,
        timeframe=timeframe,
        prices=bars(calendar=calendar, timeframe=timeframe) if prices is None else prices,
        splits=table(["symbol", "session", "ratio"], splits, set(DAYS)),
        dividends=table(["symbol", "ex_session", "pay_session", "amount"], dividends, set(DAYS)),
        tiers=tiers,
    )


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "30m", "1h", "2h", "4h"])
@pytest.mark.parametrize("calendar", ["XNYS", "CMES", "24/5", "24/7"])
def test_every_bar_belongs_to_the_session_it_ends_in(calendar, timeframe):
    found = content(calendar=calendar, timeframe=timeframe).prices
    minutes = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240}[timeframe]
    whole = 390 if calendar == "XNYS" else 1440
    counts = found.groupby("session").size()
    # On the first evening of a symbol zipline shows nothing.
    first = counts.iloc[0] if calendar == "CMES" else -(-whole // minutes)
    assert counts.tolist() == [first] + [-(-whole // minutes)] * 3
    assert [day.date() for day in counts.index] == DAYS
    assert found["label"].is_monotonic_increasing


def test_bars_of_a_symbols_first_evening_are_left_out():
    """Zipline hides what is before the midnight that names a symbol's first session."""
    found = content(calendar="CMES").prices["label"]
    assert found.iloc[0] == pd.Timestamp("2005-05-02 00:00")
    assert pd.Timestamp("2005-05-02 23:00") in set(found)


@pytest.mark.parametrize("label", ["2005-05-02 14:00", "2005-05-02 13:30", "2005-05-01 15:30"])
def test_label_at_which_no_bar_ends_refused(label):
    prices = bars()
    prices.loc[3, "label"] = pd.Timestamp(label)
    with pytest.raises(InvalidInputError, match=f"AAA {label}:00: no 1h bar of XNYS ends there"):
        content(prices)


def test_labels_with_a_time_zone_mean_the_same_moment():
    prices = bars()
    zoned = prices.assign(label=prices["label"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    assert content(zoned).digest() == content(prices).digest()


def test_digest_depends_on_labels():
    prices = bars().drop(index=3)
    moved = prices.copy()
    moved.loc[2, "label"] += pd.Timedelta(hours=1)
    assert content(moved).digest() != content(prices).digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeframe": "3h"}, "timeframe '3h' is not supported"),
        ({"calendar": "XMARS", "prices": bars()}, "calendar 'XMARS' is not supported"),
        ({"prices": bars().drop(columns="label")}, "bars of 1h need the time of their end"),
        ({"prices": pd.concat([bars(), bars()])}, "AAA 2005-05-02 14:30:00 appears twice"),
        ({"prices": bars().assign(volume=2**31)}, "AAA 2005-05-02 has a volume above"),
        (
            {"calendar": "24/7", "splits": [("AAA", DAYS[1], 0.5)]},
            "intraday bars on the calendar 24/7 cannot have splits or dividends",
        ),
    ],
)
def test_what_zipline_cannot_hold_refused(changes, message):
    given = {"prices": bars(), **changes} if changes.get("timeframe") else changes
    with pytest.raises(InvalidInputError, match=message):
        content(**given)


def test_actions_take_effect_at_the_first_bar_of_their_session(tmp_path):
    actions = {
        "splits": [("AAA", DAYS[1], 0.5)],
        "dividends": [("AAA", DAYS[1], DAYS[2], 0.25)],
    }
    # The first hour of that session is missing.
    late = pd.Timestamp("2005-05-03 15:30")
    prices = bars()
    prices = prices[prices["label"] != pd.Timestamp("2005-05-03 14:30")]
    panel, _ = built(
        tmp_path, content(prices, tiers={Tier.TRAIN: TierRange(DAYS[0], DAYS[3])}, **actions)
    )
    first = int(pd.Timestamp("2005-05-04 14:30").timestamp())
    assert [item.bar for item in panel.splits] == [int(late.timestamp())]
    assert [(d.ex_bar, d.pay_bar) for d in panel.dividends] == [(int(late.timestamp()), first)]
    assert panel.sessions_per_year == 252
    assert panel.sessions[0] == int(pd.Timestamp(DAYS[0]).timestamp())


def test_delisted_symbol_is_closed_at_the_end_of_the_next_session(tmp_path):
    prices = pd.concat([bars(), bars("OLD", days=DAYS[:2])])
    panel, _ = built(tmp_path, content(prices, tiers={Tier.TRAIN: TierRange(DAYS[0], DAYS[3])}))
    assert panel.auto_close == {"OLD": int(pd.Timestamp("2005-05-04 20:00").timestamp())}


def test_prices_of_another_timeframe_are_not_found(tmp_path):
    built(tmp_path, content(tiers={Tier.TRAIN: TierRange(DAYS[0], DAYS[3])}))
    with pytest.raises(DataSetNotFoundError, match="has no timeframe '1d'"):
        Catalogue(tmp_path).prices(MarketSet("random", ("AAA",), "1d"), Tier.TRAIN)


def mounted(home, tier):
    mount = Catalogue(home).mount("small", tier)
    return {name: (mount / name).read_bytes() for name in list_files(mount)}


@pytest.mark.docker
def test_mounts_hold_their_own_past_alone_and_are_the_same_every_time(tmp_path):
    """A tier's mount is a function of the bars up to its end, byte for byte."""
    prices = pd.concat([bars(), bars("BBB", start=20.0)])
    other = prices.copy()
    future = other["label"] > pd.Timestamp(DAYS[3])
    other.loc[future, list(PRICE_FIELDS)] *= 1.5
    homes = [tmp_path / name for name in ("one", "two", "other")]
    for home, table_ in zip(homes, (prices, prices, other), strict=True):
        build_data_set(home, "small", content(table_), DockerJobs(), provenance="test")
    for tier in Tier:
        one, two, changed = (mounted(home, tier) for home in homes)
        assert one == two
        assert json.loads(one["tier.json"])["timeframe"] == "1h"
        differing = {name for name in one if one[name] != changed[name]} - {"tier.json"}
        assert bool(differing) == (tier is Tier.HOLDOUT), differing
        labels = np.frombuffer(one["labels.npy"][-8:], "<i8")
        assert labels[0] == int(
            bar_ends("XNYS", "1h", pd.Timestamp(TIERS[tier].end))[-1].timestamp()
        )


@pytest.mark.docker
def test_trusted_job_refuses_a_bar_outside_its_session(tmp_path):
    jobs = CapturedJobs()
    build_data_set(tmp_path / "home", "small", content(), jobs, provenance="test")
    wrong = jobs.files["prices.csv"].replace("2005-05-03 14:30:00", "2005-05-03 03:30:00")
    source, target = tmp_path / "in", tmp_path / "out"
    for folder in (source, target):
        folder.mkdir()
    for name, text in {**jobs.files, "prices.csv": wrong}.items():
        (source / name).write_text(text)
    with pytest.raises(EngineError, match="2005-05-03 03:30:00 is no minute of 2005-05-03"):
        DockerJobs().run(
            "stratlab_runner.build_tiers", read={"/input": source}, write={"/output": target}
        )
    shutil.rmtree(target)


def test_panel_is_sorted_by_label_and_sessions_never_go_back(tmp_path):
    world = random_world(np.random.default_rng(3), tmp_path, "CMES", "1h")
    assert (np.diff(world.panel.bars) > 0).all()
    assert (np.diff(world.panel.sessions) >= 0).all()
    # A session of futures begins on the evening before its day.
    assert (world.panel.bars < world.panel.sessions).any()
