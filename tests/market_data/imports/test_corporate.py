"""Splits and dividends: given, recovered, undone, suspected."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.imports.builders import (
    codes,
    given,
    inspected,
    rows,
    sessions,
    walk,
    write_folder,
)

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.imports.corporate import Actions, ActionSource, find_actions
from stratlab.market_data.imports.findings import Findings
from stratlab.market_data.us_daily.recipe import load_us_daily

DAYS = sessions()


def split_closes(ratio: float = 2.0, at: int = 50) -> "list[float]":
    """Return closes around 100 that fall by a split."""
    level = 100.0 + np.sin(np.arange(len(DAYS)) / 7)
    return list((level / np.where(np.arange(len(DAYS)) >= at, ratio, 1.0)).round(2))


@pytest.mark.parametrize("decimals", [None, 4, 6])
def test_us_daily_by_files_is_us_daily(
    tmp_path: Path, us_daily_raw: pd.DataFrame, decimals: int | None
) -> None:
    """Splits and dividends are found in adjusted closes of any usual precision."""
    folder = tmp_path / "stocks"
    folder.mkdir()
    for ticker, table in us_daily_raw.groupby("Ticker"):
        if decimals is not None:
            table = table.round({"Adj Close": decimals})  # noqa: PLW2901 - the same table
        table.drop(columns="Ticker").to_csv(folder / f"{ticker}.csv", index=False)
    report = inspected(folder)
    own, ours = load_us_daily(), report.require_content()
    pd.testing.assert_frame_equal(ours.prices, own.prices)
    pd.testing.assert_frame_equal(ours.splits, own.splits)
    if decimals is None:
        pd.testing.assert_frame_equal(ours.dividends, own.dividends)
    else:
        # Rounding hides a dividend or blurs its cents, but finds no others.
        found = ours.dividends.merge(own.dividends, on=["symbol", "ex_session"], how="left")
        assert found["amount_y"].notna().all()
        assert len(found) >= len(own.dividends) - 1
        assert (found["amount_x"] - found["amount_y"]).abs().max() < 0.02
    assert codes(report)["recovered_actions"] == ["AAPL", "IBM", "MSFT"]


def test_given_split_of_raw_prices_is_taken_as_it_is() -> None:
    bars = rows("AAA", DAYS, split_closes())
    told = Findings()
    after, actions = find_actions(
        bars, given(("AAA", str(DAYS[50].date()), 2.0)), ActionSource.AUTO, told
    )
    assert actions.splits == [("AAA", DAYS[50], 0.5)]
    pd.testing.assert_series_equal(after["close"], bars["close"])
    assert codes(told) == {}


def test_adjusted_prices_with_listed_splits_are_brought_back() -> None:
    """What Yahoo delivers: splits are listed, and gone from prices, volumes and dividends."""
    raw = np.array(split_closes())
    adjusted = np.where(np.arange(len(DAYS)) < 50, raw / 2, raw)
    bars = rows("AAA", DAYS, list(adjusted))
    day, early = str(DAYS[50].date()), str(DAYS[20].date())
    told = Findings()
    after, actions = find_actions(
        bars,
        given(("AAA", day, 2.0), dividends=[("AAA", early, 0.25), ("AAA", day, 0.3)]),
        ActionSource.AUTO,
        told,
    )
    np.testing.assert_allclose(after["close"], raw)
    assert after["volume"].tolist() == [5e5] * 50 + [1e6] * (len(DAYS) - 50)
    assert [row[3] for row in actions.dividends] == [0.5, 0.3]
    assert codes(told) == {"split_adjusted": ["AAA"]}


@pytest.mark.parametrize("ratio", [2.0, 3.0, 1.5, 10.0, 0.1])
def test_jump_that_nothing_explains_is_suspected(ratio: float) -> None:
    told = Findings()
    find_actions(rows("AAA", DAYS, split_closes(ratio)), Actions(), ActionSource.AUTO, told)
    (suspected,) = [item for item in told if item.code == "suspected_split"]
    assert str(DAYS[50].date()) in str(suspected)


def test_jump_that_adj_close_explains_is_a_split() -> None:
    closes = split_closes()
    bars = rows("AAA", DAYS, closes)
    bars["adj_close"] = np.where(np.arange(len(DAYS)) < 50, bars["close"] / 2, bars["close"])
    told = Findings()
    _, actions = find_actions(bars, Actions(), ActionSource.AUTO, told)
    assert actions.splits == [("AAA", DAYS[50], 0.5)]
    assert codes(told) == {"recovered_actions": ["AAA"]}
    ignored = Findings()
    find_actions(bars, Actions(), ActionSource.NONE, ignored)
    assert codes(ignored) == {"ignored_split": ["AAA"], "no_actions": [""]}


def test_crash_is_no_split() -> None:
    closes = [100.0] * 50 + [43.0] * (len(DAYS) - 50)
    told = Findings()
    find_actions(rows("AAA", DAYS, closes), Actions(), ActionSource.AUTO, told)
    assert "suspected_split" not in codes(told)


def test_adjustment_that_is_no_action_refuses_the_import() -> None:
    bars = rows("AAA", DAYS, [100.0] * len(DAYS))
    bars["adj_close"] = np.where(np.arange(len(DAYS)) < 50, 123.4567, 100.0)
    told = Findings()
    find_actions(bars, Actions(), ActionSource.AUTO, told)
    (refused,) = told.refusing
    assert refused.code == "unexplained_adjustment"
    assert "--actions none" in refused.message


def test_actions_move_to_the_next_bar_of_their_symbol() -> None:
    bars = rows("AAA", DAYS.delete([10, 11]), [100.0] * (len(DAYS) - 2))
    told = Findings()
    _, actions = find_actions(
        bars,
        given(
            ("AAA", str(DAYS[0].date()), 2.0),
            dividends=[("AAA", str(DAYS[10].date()), 0.5), ("AAA", "2031-01-01", 0.5)],
        ),
        ActionSource.AUTO,
        told,
    )
    assert actions.splits == []
    assert actions.dividends == [("AAA", DAYS[12], DAYS[12], 0.5)]
    assert codes(told) == {"action_moved": ["AAA"], "action_outside": ["AAA"]}


def test_action_files_and_columns_are_read(tmp_path: Path) -> None:
    table = walk(DAYS, start=100.0, volatility=0.002)
    halved = table.copy()
    prices = ["Open", "High", "Low", "Close"]
    halved.loc[60:, prices] = (halved.loc[60:, prices] / 2).round(2)
    split_day, ex_day, pay_day = (str(DAYS[at].date()) for at in (60, 80, 90))
    by_file = write_folder(tmp_path / "file", {"AAA": halved})
    (by_file / "splits.csv").write_text(f"Symbol,Date,Ratio\nAAA,{split_day},2:1\n")
    (by_file / "dividends.csv").write_text(
        f"symbol,ex_date,pay_date,amount\nAAA,{ex_day},{pay_day},0.25\n"
    )
    content = inspected(by_file).require_content()
    assert content.splits.to_dict("records") == [
        {"symbol": "AAA", "session": DAYS[60], "ratio": 0.5}
    ]
    (dividend,) = content.dividends.to_dict("records")
    assert (dividend["ex_session"], dividend["pay_session"]) == (DAYS[80], DAYS[90])
    assert dividend["amount"] == 0.25
    columns = halved.assign(Dividends=0.0, **{"Stock Splits": 0.0})
    columns.loc[60, "Stock Splits"] = 2.0
    columns.loc[80, "Dividends"] = 0.25
    other = inspected(write_folder(tmp_path / "column", {"AAA": columns})).require_content()
    pd.testing.assert_frame_equal(other.splits, content.splits)
    assert other.dividends["amount"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("splits.csv", "symbol,date,factor\nAAA,2010-02-01,2\n", "no column 'ratio'"),
        ("splits.csv", "symbol,date,ratio\nAAA,2010-02-01,-2\n", "line 2, column 'ratio'"),
        ("dividends.csv", "symbol,ex_date,amount\nAAA,2010-02-01,\n", "missing, negative"),
        ("dividends.csv", "symbol,ex_date,amount\n,2010-02-01,1\n", "line 2, column 'symbol'"),
    ],
)
def test_wrong_action_file_is_named(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    folder = write_folder(tmp_path / "in", {"AAA": walk(DAYS)})
    (folder / name).write_text(text)
    with pytest.raises(InvalidInputError, match=complaint):
        inspected(folder)


@pytest.mark.parametrize("source", [ActionSource.GIVEN, ActionSource.ADJ_CLOSE])
def test_actions_that_are_not_there_are_refused(tmp_path: Path, source: ActionSource) -> None:
    folder = write_folder(tmp_path / "in", {"AAA": walk(DAYS)})
    with pytest.raises(InvalidInputError, match="--actions"):
        inspected(folder, actions=source)
