"""The catalogue: finding, reading and verifying data sets."""

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.market_data.helpers import (
    DAYS,
    DescriptionJobs,
    bars,
    dividends_table,
    small_content,
    splits_table,
)

from stratlab.domain.errors import DataSetCorruptError, DataSetNotFoundError
from stratlab.domain.market import MarketSet, Tier
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set

ALL = ("AAPL", "GOOG", "IBM", "MSFT")


def epoch(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def test_list_without_home_empty(tmp_path):
    assert Catalogue(tmp_path / "nowhere").list() == []


def test_list_sorted_by_name(tmp_path):
    for name in ("zebra", "ant"):
        build_data_set(tmp_path, name, small_content(), DescriptionJobs(), provenance="test")
    assert [data_set.name for data_set in Catalogue(tmp_path).list()] == ["ant", "zebra"]


def test_get_returns_what_was_built(host_home, us_daily):
    data_set = Catalogue(host_home).get("us-daily")
    assert data_set.digest == us_daily.digest()
    assert data_set.symbols == ALL
    assert data_set.warm_up_start == date(2000, 3, 1)
    assert data_set.tiers == us_daily.tiers
    assert "public domain" in data_set.provenance
    assert any("Survivorship" in caveat for caveat in data_set.caveats)


@pytest.mark.parametrize(
    "name", ["us-dayly", "", ".", "..", "us-daily/tiers", "../data/us-daily", "\0"]
)
def test_get_of_unknown_name_not_found(host_home, name):
    with pytest.raises(DataSetNotFoundError) as caught:
        Catalogue(host_home).get(name)
    assert "Known: us-daily." in caught.value.hint


@pytest.mark.parametrize(
    ("market", "hint"),
    [
        (MarketSet("us-dayly", ("AAPL",)), "Did you mean 'us-daily'?"),
        (MarketSet("us-daily", ("AAPL", "GOGL")), "Did you mean 'GOOG'?"),
        (MarketSet("us-daily", ("AAPL",), "1h"), "Known: 1d."),
    ],
)
def test_prices_of_unknown_market_not_found(host_home, market, hint):
    with pytest.raises(DataSetNotFoundError) as caught:
        Catalogue(host_home).prices(market, Tier.TRAIN)
    assert hint in caught.value.hint


def test_tier_the_data_set_lacks_not_found(tmp_path):
    content = small_content(tiers={Tier.TRAIN: small_content().tiers[Tier.TRAIN]})
    build_data_set(tmp_path, "short", content, DescriptionJobs(), provenance="test")
    with pytest.raises(DataSetNotFoundError, match="no tier 'holdout'"):
        Catalogue(tmp_path).mount("short", Tier.HOLDOUT)


@pytest.mark.parametrize(
    ("tier", "last", "length"),
    [
        (Tier.TRAIN, "2006-12-29", 1719),
        (Tier.VALIDATION, "2009-12-31", 2475),
        (Tier.HOLDOUT, "2013-03-01", 3270),
    ],
)
def test_prices_end_with_the_tier(host_home, tier, last, length):
    panel = Catalogue(host_home).prices(MarketSet("us-daily", ALL), tier)
    assert panel.bars.shape == (length,)
    assert (panel.bars[0], panel.bars[-1]) == (epoch("2000-03-01"), epoch(last))
    assert (np.diff(panel.bars) > 0).all()
    assert all(split.bar <= panel.bars[-1] for split in panel.splits)
    assert all(dividend.ex_bar <= panel.bars[-1] for dividend in panel.dividends)
    assert panel.auto_close == {}


def test_prices_are_the_raw_file(host_home, us_daily_raw):
    panel = Catalogue(host_home).prices(MarketSet("us-daily", ("IBM", "GOOG")), Tier.HOLDOUT)
    for column, symbol in enumerate(panel.symbols):
        rows = us_daily_raw[us_daily_raw["Ticker"] == symbol]
        start = len(panel.bars) - len(rows)
        for name in ("open", "high", "low", "close"):
            series = getattr(panel, name)[:, column]
            assert np.isnan(series[:start]).all()
            np.testing.assert_allclose(series[start:], rows[name.title()], atol=0.0005001, rtol=0)
        assert (panel.volume[:start, column] == 0).all()
        assert panel.volume[start:, column].tolist() == rows["Volume"].tolist()


def test_prices_cannot_be_changed_by_a_reader(host_home):
    panel = Catalogue(host_home).prices(MarketSet("us-daily", ("IBM",)), Tier.TRAIN)
    with pytest.raises(ValueError, match="read-only"):
        panel.close[0, 0] = 1.0


def test_prices_of_gaps_and_delisted_symbols(tmp_path):
    content = small_content(
        prices=pd.concat(
            [bars("AAA", DAYS), bars("GAP", DAYS[:3] + DAYS[4:]), bars("OLD", DAYS[:8])]
        ),
        splits=splits_table(("GAP", DAYS[2], 0.5), ("AAA", DAYS[2], 0.5), ("AAA", DAYS[1], 0.5)),
        dividends=dividends_table(("OLD", DAYS[3], DAYS[4], 0.4), ("AAA", DAYS[14], DAYS[14], 1.0)),
    )
    build_data_set(tmp_path, "gaps", content, DescriptionJobs(), provenance="test")
    market = MarketSet("gaps", ("OLD", "GAP", "AAA"))
    panel = Catalogue(tmp_path).prices(market, Tier.VALIDATION)
    bar = [epoch(str(day)) for day in DAYS]
    assert panel.bars.tolist() == bar[:10]
    assert np.argwhere(np.isnan(panel.close)).tolist() == [[3, 1], [8, 0], [9, 0]]
    assert np.argwhere(panel.volume == 0).tolist() == [[3, 1], [8, 0], [9, 0]]
    assert panel.auto_close == {"OLD": bar[8]}
    assert [(split.bar, split.symbol) for split in panel.splits] == [
        (bar[1], "AAA"),
        (bar[2], "AAA"),
        (bar[2], "GAP"),
    ]
    assert [(item.ex_bar, item.pay_bar) for item in panel.dividends] == [(bar[3], bar[4])]
    train = Catalogue(tmp_path).prices(market, Tier.TRAIN)
    assert train.auto_close == {}


def test_verify_of_untouched_data_set_passes(host_home):
    Catalogue(host_home).verify("us-daily")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_verify_of_one_changed_byte_names_the_file(host_home, data):
    directory = host_home / "data" / "us-daily"
    names = sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from(names))
    path = directory / name
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    flip = data.draw(st.integers(1, 255))
    broken = bytearray(original)
    broken[position] ^= flip
    path.write_bytes(broken)
    try:
        with pytest.raises(DataSetCorruptError) as caught:
            Catalogue(host_home).verify("us-daily")
    finally:
        path.write_bytes(original)
    assert caught.value.data["file"] == name


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


@pytest.mark.parametrize("name", ["manifest.json", "prices.parquet", "tiers/train/tier.json"])
@pytest.mark.parametrize("damage", [shorten, lengthen, Path.unlink])
def test_verify_of_damaged_file_names_it(tmp_path, host_home, name, damage):
    shutil.copytree(host_home / "data", tmp_path / "data")
    damage(tmp_path / "data" / "us-daily" / name)
    with pytest.raises(DataSetCorruptError, match=name) as caught:
        Catalogue(tmp_path).verify("us-daily")
    assert caught.value.data == {"data_set": "us-daily", "file": name}


@pytest.mark.parametrize("name", ["extra", "tiers/train/.hidden", "tiers/train/deep/er"])
def test_verify_of_added_file_names_it(tmp_path, host_home, name):
    shutil.copytree(host_home / "data", tmp_path / "data")
    path = tmp_path / "data" / "us-daily" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(DataSetCorruptError, match="does not belong") as caught:
        Catalogue(tmp_path).verify("us-daily")
    assert caught.value.data["file"] == name


def test_verify_of_link_to_equal_bytes_names_it(tmp_path, host_home):
    shutil.copytree(host_home / "data", tmp_path / "data")
    path = tmp_path / "data" / "us-daily" / "prices.parquet"
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(DataSetCorruptError) as caught:
        Catalogue(tmp_path).verify("us-daily")
    assert caught.value.data["file"] == "prices.parquet"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"data_set": []}', b"null"])
def test_get_of_hostile_manifest_corrupt(tmp_path, content):
    directory = tmp_path / "data" / "bad"
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_bytes(content)
    with pytest.raises(DataSetCorruptError, match=r"manifest\.json"):
        Catalogue(tmp_path).get("bad")


def test_mount_is_the_folder_of_one_tier(host_home):
    mount = Catalogue(host_home).mount("us-daily", Tier.VALIDATION)
    assert mount == host_home / "data" / "us-daily" / "tiers" / "validation"
    assert mount.is_dir()
