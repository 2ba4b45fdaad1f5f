"""The mounts of the tiers, built and opened in the sandbox image."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.helpers import (
    DAYS,
    DockerJobs,
    bars,
    dividends_table,
    run_inside,
    small_content,
    splits_table,
)

from stratlab.domain.errors import EngineError
from stratlab.domain.market import MarketSet, Tier
from stratlab.market_data import Catalogue, build_us_daily
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.manifest import list_files

pytestmark = pytest.mark.docker

SHARES = 1001
CAPITAL = 1_000_000.0
LAST = {Tier.TRAIN: "2006-12-29", Tier.VALIDATION: "2009-12-31", Tier.HOLDOUT: "2013-03-01"}


def epoch(day: object) -> int:
    return int(datetime.fromisoformat(str(day)).replace(tzinfo=UTC).timestamp())


def integers(rows: object) -> Iterator[int]:
    """Yield the integers in nested lists."""
    if isinstance(rows, dict):
        rows = list(rows.values())
    if isinstance(rows, list):
        for row in rows:
            yield from integers(row)
    elif isinstance(rows, int):
        yield rows


@pytest.fixture(scope="module", params=list(Tier))
def described(request, docker_home):
    """One tier of us-daily and its description."""
    mount = Catalogue(docker_home).mount("us-daily", request.param)
    return request.param, run_inside("describe.py", mount)


@pytest.fixture(autouse=True)
def _image(sandbox_image):
    """Every test of this module needs the image."""


def build_small(home: Path, **changes: object) -> Catalogue:
    build_data_set(home, "small", small_content(**changes), DockerJobs(), provenance="test")
    return Catalogue(home)


def test_mount_holds_no_day_later_than_its_tier(described):
    tier, found = described
    last = epoch(LAST[tier])
    assert found["sessions"][-1] == last
    assert found["last_available"] == last
    assert found["last_stored_day"] == last
    assert found["end_session"] == last
    # Dates are stored in seconds or, of assets, in nanoseconds; nothing else is that large.
    for number in integers([found["asset_rows"], found["adjustment_rows"]]):
        assert number <= last or 10**17 < number <= last * 10**9, number


def test_tier_says_what_it_is(described, us_daily):
    tier, found = described
    assert found["tier"] == ["us-daily", tier.value, us_daily.digest(), "XNYS"]
    assert found["calendar_is_the_one_of_zipline"]


def test_mount_is_readable_for_every_user(docker_home):
    for tier in Tier:
        mount = Catalogue(docker_home).mount("us-daily", tier)
        for path in (mount, *mount.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_mount_clips_lives_of_assets(described):
    tier, found = described
    assert {asset["symbol"]: asset["sid"] for asset in found["assets"]} == {
        "AAPL": 0,
        "GOOG": 1,
        "IBM": 2,
        "MSFT": 3,
    }
    for asset in found["assets"]:
        first = "2004-08-19" if asset["symbol"] == "GOOG" else "2000-03-01"
        assert asset["start"] == epoch(first)
        assert asset["end"] == epoch(LAST[tier])
        assert asset["auto_close"] is None


def test_mount_and_host_prices_are_the_same_doubles(described, docker_home):
    tier, found = described
    symbols = tuple(asset["symbol"] for asset in found["assets"])
    panel = Catalogue(docker_home).prices(MarketSet("us-daily", symbols), tier)
    assert found["sessions"] == panel.bars.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        inside = np.array(found["bars"][name], dtype="float64")
        np.testing.assert_array_equal(inside, getattr(panel, name))


def test_mount_and_host_actions_are_the_same(described, docker_home):
    tier, found = described
    symbols = [asset["symbol"] for asset in found["assets"]]
    panel = Catalogue(docker_home).prices(MarketSet("us-daily", tuple(symbols)), tier)
    rows = found["adjustment_rows"]
    splits = {(row[2], symbols[row[1]], row[3]) for row in rows["splits"]}
    assert splits == {(split.bar, split.symbol, split.ratio) for split in panel.splits}
    paid = {(row[2], row[5], symbols[row[1]], row[6]) for row in rows["dividend_payouts"]}
    assert paid == {(d.ex_bar, d.pay_bar, d.symbol, d.amount) for d in panel.dividends}
    assert len(rows["dividends"]) == len(panel.dividends)


def test_mounts_of_another_future_have_the_same_bytes(docker_home, us_daily, tmp_path):
    """The strongest form of the promise: a mount is a function of its own past alone."""
    prices = us_daily.prices.copy()
    future = prices["session"] > pd.Timestamp(LAST[Tier.VALIDATION])
    fields = ["open", "high", "low", "close"]
    prices.loc[future, fields] = (prices.loc[future, fields] * 1.7).round(3)
    prices.loc[future, "volume"] += 1234
    actions = us_daily.dividends["ex_session"] <= pd.Timestamp(LAST[Tier.VALIDATION])
    other = small_content(
        prices=prices,
        splits=us_daily.splits,
        dividends=us_daily.dividends[actions],
        tiers=us_daily.tiers,
    )
    build_data_set(tmp_path, "us-daily", other, DockerJobs(), provenance="test")
    for tier in Tier:
        ours, theirs = (
            {
                name: (mount / name).read_bytes()
                for name in list_files(mount)
                # It names the digest of the whole data set.
                if name != "tier.json"
            }
            for mount in (
                Catalogue(home).mount("us-daily", tier) for home in (docker_home, tmp_path)
            )
        )
        assert ours.keys() == theirs.keys()
        differing = {name for name in ours if ours[name] != theirs[name]}
        assert bool(differing) == (tier is Tier.HOLDOUT), differing


def test_build_again_gives_the_same_manifest(docker_home, tmp_path):
    build_us_daily(tmp_path, DockerJobs())
    one, two = (
        (home / "data" / "us-daily" / "manifest.json").read_bytes()
        for home in (docker_home, tmp_path)
    )
    assert one == two
    Catalogue(tmp_path).verify("us-daily")


def test_buy_and_hold_equals_the_arithmetic_of_the_raw_file(docker_home, us_daily, us_daily_raw):
    mount = Catalogue(docker_home).mount("us-daily", Tier.HOLDOUT)
    curves = run_inside("buy_and_hold.py", mount)
    assert sorted(curves) == ["AAPL", "GOOG", "IBM", "MSFT"]
    ratio = {(r.symbol, str(r.session.date())): r.ratio for r in us_daily.splits.itertuples()}
    cash_per_share = {
        (row.symbol, str(row.ex_session.date())): row.amount
        for row in us_daily.dividends.itertuples()
    }
    for symbol, curve in curves.items():
        rows = us_daily_raw[us_daily_raw["Ticker"] == symbol]
        days, close = list(rows["Date"]), rows["Close"].tolist()
        # Zipline knows three of the file's decimals; a fourth is rare.
        thousandths = rows["Close"].round(3).tolist()
        assert list(curve) == days
        cash, shares = CAPITAL, 0.0
        for number, day in enumerate(days):
            shares /= ratio.get((symbol, day), 1.0)
            cash += shares * cash_per_share.get((symbol, day), 0.0)
            if number == 1:
                # Ordered on the first day, filled at the second close.
                shares = SHARES
                cash -= shares * close[number]
            expected = cash + shares * thousandths[number]
            assert curve[day] == pytest.approx(expected, rel=1e-9), (symbol, day)
        assert curve[days[-1]] == pytest.approx(cash + shares * close[-1], rel=1e-9)


def test_dividend_with_pay_date_on_a_weekend_paid_on_monday(tmp_path):
    saturday, monday = DAYS[4] + timedelta(1), DAYS[5]
    catalogue = build_small(
        tmp_path,
        prices=bars("AAA", DAYS),
        splits=splits_table(),
        dividends=dividends_table(("AAA", DAYS[3], saturday, 2.0)),
    )
    curve = run_inside("buy_and_hold.py", catalogue.mount("small", Tier.HOLDOUT))["AAA"]
    close = bars("AAA", DAYS)["close"]
    for number, day in enumerate(DAYS):
        gain = SHARES * (close[number] - close[1]) if number else 0.0
        income = SHARES * 2.0 if day >= monday else 0.0
        assert curve[str(day)] == pytest.approx(CAPITAL + gain + income, rel=1e-12), day


def test_dividend_paid_after_the_tier_never_paid_and_not_told(tmp_path):
    catalogue = build_small(
        tmp_path,
        prices=bars("AAA", DAYS),
        splits=splits_table(),
        dividends=dividends_table(("AAA", DAYS[3], DAYS[7], 2.0)),
    )
    mount = catalogue.mount("small", Tier.TRAIN)
    curve = run_inside("buy_and_hold.py", mount)["AAA"]
    assert curve[str(DAYS[4])] == pytest.approx(CAPITAL + SHARES * 0.75, rel=1e-12)
    (row,) = run_inside("describe.py", mount)["adjustment_rows"]["dividend_payouts"]
    assert row[2] == epoch(DAYS[3])
    assert row[5] < 0


def test_gaps_and_delisted_symbols_read_as_on_the_host(tmp_path):
    catalogue = build_small(
        tmp_path,
        prices=pd.concat(
            [bars("AAA", DAYS), bars("GAP", DAYS[:3] + DAYS[4:]), bars("OLD", DAYS[:8])]
        ),
        splits=splits_table(),
        dividends=dividends_table(),
    )
    mount = catalogue.mount("small", Tier.VALIDATION)
    found = run_inside("describe.py", mount)
    panel = catalogue.prices(MarketSet("small", ("AAA", "GAP", "OLD")), Tier.VALIDATION)
    for name in ("open", "high", "low", "close", "volume"):
        inside = np.array(found["bars"][name], dtype="float64")
        np.testing.assert_array_equal(inside, getattr(panel, name))
    closes = {a["symbol"]: a["auto_close"] for a in found["assets"] if a["auto_close"]}
    assert closes == panel.auto_close == {"OLD": epoch(DAYS[8])}
    # The price of the last bar in cash, from the close of the last bar on.
    curve = run_inside("buy_and_hold.py", mount)["OLD"]
    assert curve[str(DAYS[9])] == pytest.approx(CAPITAL + SHARES * 6 * 0.25, rel=1e-12)


def test_content_that_does_not_fit_the_calendar_refused(tmp_path):
    # A Saturday with a bar, a Wednesday without one, and a calendar nobody has heard of.
    saturday = sorted([*DAYS, DAYS[4] + timedelta(1)])
    for changes, complaint in (
        (
            {"prices": bars("AAA", saturday)},
            "1 bars on days that are no session, first: 2005-05-07",
        ),
        ({"prices": bars("AAA", DAYS[:7] + DAYS[8:])}, "1 sessions without any bar"),
        ({"prices": bars("AAA", DAYS), "calendar": "XMARS"}, "calendar 'XMARS' is not one of"),
    ):
        tables = {"splits": splits_table(), "dividends": dividends_table(), **changes}
        with pytest.raises(EngineError, match=complaint):
            build_small(tmp_path, **tables)
    assert Catalogue(tmp_path).list() == []
