"""What an import says about wrong rows, and what becomes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.imports.builders import codes, inspected, sessions, walk, write_folder

from stratlab.domain.errors import InvalidInputError

DAYS = sessions()


def change(row: int, **cells: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def apply(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype(dict.fromkeys(cells, object))
        for name, value in cells.items():
            table.loc[row, name] = value
        return table

    return apply


def repeat(row: int, **cells: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def apply(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([table, table.iloc[[row]].assign(**cells)])

    return apply


def without(*rows: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.drop(index=list(rows))


SOFT = {
    "a row without prices": (change(7, Open=None, High=None, Low=None, Close=None), "no_price", 1),
    "a row twice": (repeat(7), "duplicate", 0),
    "a day without volume": (change(7, Volume=0), "zero_volume", 1),
    "an unknown volume": (change(7, Volume=None), "zero_volume", 1),
    "a Saturday": (repeat(7, Date="2010-01-16"), "out_of_calendar", 0),
    "a holiday": (repeat(7, Date="2010-12-24"), "out_of_calendar", 0),
    "a gap": (without(7, 8), "gap", 2),
    "a day before the calendar": (repeat(7, Date="1985-01-02"), "before_calendar", 0),
}


@pytest.mark.parametrize(("mistake", "code", "lost"), SOFT.values(), ids=SOFT.keys())
def test_harmless_mistake_becomes_a_caveat(
    tmp_path: Path, mistake: Callable[[pd.DataFrame], pd.DataFrame], code: str, lost: int
) -> None:
    tables = {"AAA": mistake(walk(DAYS)), "BBB": walk(DAYS, seed=2)}
    report = inspected(write_folder(tmp_path / "in", tables))
    assert codes(report)[code] == ["AAA"]
    assert report.rows == 2 * len(DAYS) - lost
    assert any(caveat.startswith(f"{code}: AAA") for caveat in report.caveats)
    assert report.content is not None


HARD = {
    "a missing price": (change(7, High=None), "bad_price"),
    "a price of zero": (change(7, Low=0), "bad_price"),
    "a negative price": (change(7, Low=-3), "bad_price"),
    "an infinite price": (change(7, High="inf"), "bad_price"),
    "two prices of a day": (repeat(7, Volume=5), "conflict"),
    "a close above the high": (change(7, High=1.0), "bad_range"),
    "a negative volume": (change(7, Volume=-1), "bad_volume"),
}


@pytest.mark.parametrize(("mistake", "code"), HARD.values(), ids=HARD.keys())
def test_wrong_row_refuses_the_import_and_is_named(
    tmp_path: Path, mistake: Callable[[pd.DataFrame], pd.DataFrame], code: str
) -> None:
    folder = write_folder(tmp_path / "in", {"AAA": mistake(walk(DAYS)), "BBB": walk(DAYS)})
    report = inspected(folder)
    assert codes(report)[code] == ["AAA"]
    assert report.content is None
    with pytest.raises(InvalidInputError, match=r"AAA: .*AAA\.csv, line 9") as caught:
        report.require_content()
    assert "--repair" in caught.value.hint
    mended = inspected(folder, repair=True)
    assert mended.content is not None
    assert any(caveat.startswith(f"{code}: AAA") for caveat in mended.caveats)


def test_high_below_the_close_by_its_rounding_is_widened(tmp_path: Path) -> None:
    table = walk(DAYS, start=500.0)
    table.loc[7, "Close"] = 500.01
    table.loc[7, ["Open", "Low", "High"]] = [500.0, 500.0, 500.0]
    report = inspected(write_folder(tmp_path / "in", {"AAA": table}))
    assert codes(report)["rounded_range"] == ["AAA"]
    assert report.require_content().prices.loc[7, "high"] == 500.01


def test_many_days_outside_the_calendar_refuse_the_import(tmp_path: Path) -> None:
    every_day = pd.date_range("2010-01-04", "2011-03-31")
    report = inspected(write_folder(tmp_path / "in", {"AAA": walk(every_day)}))
    assert codes(report)["out_of_calendar"] == ["AAA"]
    assert report.content is None


def test_weekly_bars_refuse_the_import(tmp_path: Path) -> None:
    report = inspected(write_folder(tmp_path / "in", {"AAA": walk(DAYS[::5])}))
    (gap,) = [finding for finding in report.findings if finding.code == "gap"]
    weeks = len(DAYS[::5])
    assert (gap.severity, gap.count) == ("hard", (weeks - 1) * 4)


def test_source_without_volume_gets_an_assumed_one(tmp_path: Path) -> None:
    tables = {"EURUSD": walk(DAYS).drop(columns="Volume"), "SPX": walk(DAYS).assign(Volume=0)}
    report = inspected(write_folder(tmp_path / "in", tables))
    assert codes(report)["assumed_volume"] == ["EURUSD", "SPX"]
    assert set(report.require_content().prices["volume"]) == {10**9}


def test_session_without_any_bar_is_kept_as_empty(tmp_path: Path) -> None:
    tables = {"AAA": walk(DAYS).drop(index=9), "BBB": walk(DAYS, seed=2).drop(index=[9, 10])}
    content = inspected(write_folder(tmp_path / "in", tables)).require_content()
    assert content.empty_sessions == (DAYS[9].date(),)
    assert DAYS[9].date() not in content.sessions


def test_late_and_delisted_symbols_are_told(tmp_path: Path) -> None:
    tables = {"OLD": walk(DAYS[:200]), "NEW": walk(DAYS[30:]), "ALL": walk(DAYS)}
    report = inspected(write_folder(tmp_path / "in", tables))
    told = {finding.code: str(finding) for finding in report.findings}
    assert f"NEW {DAYS[30].date()}" in told["starts_late"]
    assert f"OLD {DAYS[199].date()}" in told["ends_early"]


def test_survivorship_is_always_the_first_caveat(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", {"AAA": walk(DAYS)})
    assert "assume that they are missing" in inspected(folder).caveats[0]
    said = inspected(folder, survivorship="delisted shares are included.", caveats=("mind this",))
    assert said.caveats[:2] == ("Survivorship: delisted shares are included.", "mind this")


def test_order_of_rows_and_files_changes_no_digest(tmp_path: Path) -> None:
    tables = {"AAA": walk(DAYS), "BBB": walk(DAYS, seed=2)}
    first = inspected(write_folder(tmp_path / "one", tables)).require_content()
    shuffled = {name: table.sample(frac=1, random_state=4) for name, table in tables.items()}
    second = inspected(write_folder(tmp_path / "two", shuffled)).require_content()
    assert first.digest() == second.digest()
    changed = {**tables, "BBB": tables["BBB"].assign(Close=tables["BBB"]["Low"])}
    third = inspected(write_folder(tmp_path / "three", changed)).require_content()
    assert third.digest() != first.digest()
    assert np.isfinite(third.prices["close"]).all()
