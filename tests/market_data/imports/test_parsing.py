"""Reading cells: days, numbers, ratios and symbols, with errors that name the place."""

import contextlib
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.imports.files import FileFormat, SourceFile
from stratlab.market_data.imports.parsing import (
    SymbolNames,
    parse_days,
    parse_numbers,
    parse_prices,
    parse_ratios,
)

FILE = SourceFile(Path("x.csv"), "x.csv", "x", FileFormat.CSV)
DAYS = [date(2005, 1, 31), date(2005, 2, 1), date(2005, 12, 13)]


def column(cells: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"c": cells})


WRITTEN = {
    "ISO": "%Y-%m-%d",
    "ISO with a time": "%Y-%m-%d 00:00:00",
    "ISO with a zone": "%Y-%m-%dT00:00:00+09:00",
    "compact": "%Y%m%d",
    "slashes": "%Y/%m/%d",
    "US": "%m/%d/%Y",
    "European": "%d/%m/%Y",
    "dotted": "%d.%m.%Y",
    "words": "%d-%b-%Y",
    "US words": "%b %d, %Y",
}


@pytest.mark.parametrize("form", WRITTEN.values(), ids=WRITTEN.keys())
def test_days_are_read_as_they_are_written(form: str) -> None:
    found = parse_days(FILE, column([day.strftime(form) for day in DAYS]), "c")
    assert [day.date() for day in found] == DAYS


def test_days_of_numbers_and_timestamps_are_read() -> None:
    stamps = pd.DatetimeIndex(DAYS)
    seconds = stamps.as_unit("s").astype("int64")
    cells: list[object] = [
        *([int(day.strftime("%Y%m%d")) for day in DAYS], list(seconds), list(seconds * 1000)),
        list(seconds * 10**9),
        [float(second) for second in seconds],
        list(stamps),
        list(stamps.tz_localize("Asia/Tokyo")),
        list(stamps.tz_localize("America/New_York")),
    ]
    for form in cells:
        assert [day.date() for day in parse_days(FILE, column(form), "c")] == DAYS  # type: ignore[arg-type] # lists


@given(
    st.lists(st.dates(date(1990, 1, 1), date(2100, 1, 1)), min_size=1),
    st.sampled_from(list(WRITTEN)),
)
def test_any_day_is_read_right_or_refused(days: list[date], form: str) -> None:
    table = column([day.strftime(WRITTEN[form]) for day in days])
    ambiguous = form in {"US", "European"} and all(day.day <= 12 for day in days)
    if ambiguous and any(day.day != day.month for day in days):
        with pytest.raises(InvalidInputError, match="month/day or day/month"):
            parse_days(FILE, table, "c")
    else:
        assert [day.date() for day in parse_days(FILE, table, "c")] == days


@pytest.mark.parametrize("cell", ["2005-02-30", "tomorrow", "", "0", "2005-2-3-4", None, "'; DROP"])
def test_cell_that_is_no_day_is_named(cell: str | None) -> None:
    table = column(["2005-01-03", "2005-01-04", cell])
    with pytest.raises(InvalidInputError, match=r"x\.csv, line 4, column 'c'") as caught:
        parse_days(FILE, table, "c")
    assert caught.value.data["row"] == "2"


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.5", 1.5), ("$1,234.50", 1234.5), ("12", 12.0), ("1e3", 1000.0), (" 7 ", 7)],
)
def test_numbers_are_read(cell: str, value: float) -> None:
    assert parse_numbers(FILE, column(["2", cell]), "c").tolist() == [2.0, value]


@pytest.mark.parametrize("cell", ["1,5", "12,34", "abc", "--", "0x10", "1.2.3", "$", "1 000"])
def test_cell_that_is_no_number_is_named(cell: str) -> None:
    with pytest.raises(InvalidInputError, match=r"line 3, column 'c': .* is not a number"):
        parse_numbers(FILE, column(["2", cell]), "c")


@pytest.mark.parametrize(
    ("cell", "ratio"), [("2", 2.0), ("2:1", 2.0), ("1/10", 0.1), ("3 for 2", 1.5), ("3-for-1", 3.0)]
)
def test_ratios_are_new_shares_for_an_old_one(cell: str, ratio: float) -> None:
    found = parse_ratios(FILE, column(["0", cell, "1", None]), "c")
    assert found.dropna().to_dict() == {1: ratio}


@pytest.mark.parametrize("cell", ["-2", "2:0", "two", "inf"])
def test_cell_that_is_no_ratio_is_named(cell: str) -> None:
    with pytest.raises(InvalidInputError, match="line 3, column 'c'"):
        parse_ratios(FILE, column(["0", cell]), "c")


@pytest.mark.parametrize(
    ("source", "name"),
    [("aapl", "AAPL"), ("^gspc", "GSPC"), ("EURUSD=X", "EURUSD_X"), ("EUR/USD", "EUR_USD"),
     ("BRK.B", "BRK.B"), ("0700.HK", "0700.HK")],
)  # fmt: skip
def test_symbols_get_the_form_that_every_part_accepts(source: str, name: str) -> None:
    names = SymbolNames()
    assert names.canonical(source, "f") == name
    assert names.renamed == ({} if source == name else {source: name})


@pytest.mark.parametrize(
    "source", ["", "..", "../x", "A;B", "A\0", "ü", "<b>", "A" * 33, "-x", "$(x)"]
)
def test_hostile_symbol_is_refused(source: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be a symbol"):
        SymbolNames().canonical(source, "f")


def test_two_symbols_that_would_become_one_are_refused() -> None:
    names = SymbolNames()
    names.canonical("brk/b", "f")
    with pytest.raises(InvalidInputError, match="same symbol BRK_B"):
        names.canonical("BRK=B", "f")


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.text(max_size=8))
def test_foreign_cells_never_raise_anything_but_invalid_input(cells: list[str], day: str) -> None:
    table = pd.DataFrame({"d": [day] * len(cells), "o": cells, "s": cells})
    columns = {"date": "d", "open": "o", "symbol": "s", "split": "o"}
    # Almost nothing of it can be read; whatever happens, it is no other exception.
    with contextlib.suppress(InvalidInputError):
        assert len(parse_prices(FILE, table, columns, SymbolNames())) <= len(cells)
