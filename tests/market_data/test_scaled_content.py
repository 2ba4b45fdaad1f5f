"""Scales and sessions without bars: content, digest, directory, panel."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.helpers import (
    DAYS,
    DescriptionJobs,
    bars,
    dividends_table,
    small_content,
    splits_table,
)

from stratlab.domain.errors import AlreadyExistsError, InvalidInputError
from stratlab.domain.market import MarketSet, Scale, Tier
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.content import Content
from stratlab.market_data.manifest import read_manifest

FIELDS = ["open", "high", "low", "close"]
LOT = {"AAA": Scale(1000.0, 0.001)}


def in_dollars() -> pd.DataFrame:
    """Return AAA in thousandths, so that its stored prices are those of the small content."""
    table = pd.concat([bars("AAA", DAYS), bars("BBB", DAYS, 20.0)])
    own = table["symbol"] == "AAA"
    table.loc[own, FIELDS] /= 1000
    table.loc[own, "volume"] = table.loc[own, "volume"] * 1000 + 999
    return table


def scaled(**changes: object) -> Content:
    return small_content(
        **{
            "prices": in_dollars(),
            "scales": LOT,
            "dividends": dividends_table(
                ("AAA", DAYS[3], DAYS[5], 0.0004), ("BBB", DAYS[3], DAYS[5], 0.4)
            ),
            **changes,
        }
    )


def test_prices_dividends_and_volumes_are_stored_scaled() -> None:
    content, plain = scaled(), small_content()
    pd.testing.assert_frame_equal(content.prices, plain.prices)
    assert content.dividends["amount"].round(12).tolist() == [0.4, 0.4]
    pd.testing.assert_frame_equal(content.splits, plain.splits)
    assert content.scales == LOT


def test_bar_that_traded_keeps_one_share_and_no_price_may_leave_its_range() -> None:
    table = in_dollars()
    table.loc[table["symbol"] == "AAA", "volume"] = 7.0
    assert set(scaled(prices=table).prices.query("symbol == 'AAA'")["volume"]) == {1}
    with pytest.raises(InvalidInputError, match="missing or below"):
        scaled(scales={"AAA": Scale(1e-3, 1.0)})


def test_digest_tells_scales_and_empty_sessions_apart() -> None:
    plain = small_content()
    digests = {
        plain.digest(),
        replace(plain, scales=LOT).digest(),
        replace(plain, scales={"AAA": Scale(100.0, 0.01)}).digest(),
        replace(plain, empty_sessions=(DAYS[4],)).digest(),
        replace(plain, empty_sessions=(DAYS[5],)).digest(),
    }
    assert len(digests) == 5
    assert small_content(scales={"AAA": Scale()}).digest() == plain.digest()
    # A day with a bar is not empty, whatever is said.
    assert small_content(empty_sessions=[DAYS[4]]).digest() == plain.digest()


def test_directory_keeps_scales_and_the_panel_has_them(tmp_path: Path) -> None:
    built = build_data_set(tmp_path, "fx", scaled(), DescriptionJobs(), provenance="test")
    assert built.scales == LOT
    catalogue = Catalogue(tmp_path)
    assert catalogue.get("fx") == built
    assert read_manifest(tmp_path / "data" / "fx").data_set == built
    both = catalogue.prices(MarketSet("fx", ("AAA", "BBB")), Tier.TRAIN)
    assert both.scales == LOT
    np.testing.assert_allclose(both.close[:, 0], bars("AAA", DAYS)["close"][:5])
    other = catalogue.prices(MarketSet("fx", ("BBB",)), Tier.TRAIN)
    assert other.scales == {}


def test_other_scale_is_other_content(tmp_path: Path) -> None:
    build_data_set(tmp_path, "fx", scaled(), DescriptionJobs(), provenance="test")
    with pytest.raises(AlreadyExistsError):
        build_data_set(tmp_path, "fx", small_content(), DescriptionJobs(), provenance="test")


def test_session_without_bars_is_a_row_of_the_panel(tmp_path: Path) -> None:
    days = [*DAYS[:7], *DAYS[8:]]
    content = small_content(
        prices=pd.concat([bars("AAA", days), bars("BBB", days, 20.0)]),
        splits=splits_table(),
        dividends=dividends_table(("BBB", DAYS[3], DAYS[7], 0.4)),
        empty_sessions=[DAYS[7]],
    )
    build_data_set(tmp_path, "gap", content, DescriptionJobs(), provenance="test")
    catalogue = Catalogue(tmp_path)
    panel = catalogue.prices(MarketSet("gap", ("AAA", "BBB")), Tier.VALIDATION)
    assert panel.bars.tolist() == [
        int(datetime.fromisoformat(str(day)).replace(tzinfo=UTC).timestamp()) for day in DAYS[:10]
    ]
    assert np.isnan(panel.close[7]).all()
    assert (panel.volume[7] == 0).all()
    assert panel.auto_close == {}
    # What would be paid on that day is paid on the next one with bars.
    assert panel.dividends[0].pay_bar == panel.bars[8]
    train = catalogue.prices(MarketSet("gap", ("AAA",)), Tier.TRAIN)
    assert len(train.bars) == 5
    catalogue.verify("gap")
