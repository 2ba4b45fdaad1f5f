"""Turns a file's columns into typed ones; what it cannot read it names by file, line and column."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, final

import numpy as np
import pandas as pd

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.imports.columns import ColumnMap
from stratlab.market_data.imports.files import SourceFile

NUMBERS = ("open", "high", "low", "close", "volume", "adj_close", "dividend")

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}")
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"
# "$1,234.50", as some exchanges' web pages write it.
_DECORATED = r"^\s*[$€£]?\s*(-?\d{1,3}(?:,\d{3})+|-?\d+)(\.\d+)?\s*$"
_RATIO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?::|/|for|-for-)\s*(\d+(?:\.\d+)?)\s*", re.IGNORECASE)
_DAY_FORMATS = ("%Y%m%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y")
EPOCH_UNITS: Mapping[Literal["s", "ms", "us", "ns"], float] = {
    "ns": 1e17,
    "us": 1e14,
    "ms": 1e11,
    "s": 1e8,
}
"""Unit of numbers since 1970 -> what they are above of, the largest first."""

Parser = Callable[[SourceFile, pd.DataFrame, str], "pd.Series[pd.Timestamp]"]
"""Reads one column of a file's table."""


@final
class SymbolNames:
    """Brings symbols to the form that every part accepts, and remembers what it changed."""

    def __init__(self) -> None:
        self.renamed: dict[str, str] = {}
        self._source_of: dict[str, str] = {}

    def canonical(self, text: object, where: str) -> str:
        """Return a symbol in capitals; ``/``, ``=`` and blanks become ``_``.

        Raises:
            InvalidInputError: It has other signs, is too long, or two symbols become one.
        """
        source = str(text).strip()
        name = re.sub(r"[/=\s]+", "_", source.upper().lstrip("^")).strip("_")
        if not _SYMBOL.fullmatch(name):
            raise InvalidInputError(
                f"{where}: {source[:40]!r} cannot be a symbol",
                hint="A symbol has up to 32 letters, digits, dots, hyphens and underscores.",
                symbol=source[:40],
            )
        if self._source_of.setdefault(name, source) != source:
            raise InvalidInputError(
                f"{where}: {source!r} and {self._source_of[name]!r} are the same symbol {name}",
                hint="Rename one of them.",
                symbol=name,
            )
        if name != source:
            self.renamed[source] = name
        return name


def parse_prices(
    file: SourceFile,
    table: pd.DataFrame,
    columns: ColumnMap,
    names: SymbolNames,
    parse_date: "Parser | None" = None,
) -> pd.DataFrame:
    """Return columns symbol, session, the numbers that are there, split, file and row.

    Empty cells stay NaN; rows that are empty altogether are left out.

    Args:
        file: Where the table comes from.
        table: Its rows; the index counts them.
        columns: Canonical name -> the file's name.
        names: Brings symbols to their form.
        parse_date: Reads the dates as moments, which become the column time, and their days the
            column session; by default they are days.

    Raises:
        InvalidInputError: A cell cannot be read; names file, line and column.
    """
    table = table.dropna(how="all")
    dates = (parse_date or parse_days)(file, table, columns["date"])
    parsed: dict[str, object] = {"session": dates.dt.normalize()}
    if parse_date is not None:
        parsed["time"] = dates
    if "symbol" in columns:
        parsed["symbol"] = _symbols(file, table, columns["symbol"], names)
    else:
        parsed["symbol"] = names.canonical(file.stem, file.name)
    for name in NUMBERS:
        if name in columns:
            parsed[name] = parse_numbers(file, table, columns[name])
    if "split" in columns:
        parsed["split"] = parse_ratios(file, table, columns["split"])
    parsed["file"] = file.name
    parsed["row"] = table.index.to_numpy()
    return pd.DataFrame(parsed, index=table.index).reset_index(drop=True)


def parse_days(file: SourceFile, table: pd.DataFrame, column: str) -> "pd.Series[pd.Timestamp]":
    """Return the days of a column: what the clock showed there, never shifted by a time zone.

    Raises:
        InvalidInputError: A cell is no day, or could be two different ones (4/5/2001).
    """
    cells = table[column]
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        cells = cells.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(cells):
        return _all_days(file, cells, cells.dt.normalize(), column)
    if pd.api.types.is_float_dtype(cells) and bool((cells.dropna() % 1 == 0).all()):
        cells = cells.astype("Int64")
    if pd.api.types.is_integer_dtype(cells):
        epoch = _epoch_days(cells)
        if epoch is not None:
            return epoch
    text = cells.astype("string").str.strip()
    iso = text.str.match(_ISO_DAY).fillna(value=False)
    if bool(iso.all()):
        days = pd.to_datetime(text.str[:10], format="%Y-%m-%d", errors="coerce")
        return _all_days(file, cells, days, column)
    readings = {
        form: days
        for form in _DAY_FORMATS
        if bool((days := pd.to_datetime(text, format=form, errors="coerce")).notna().all())
    }
    us, european = readings.get("%m/%d/%Y"), readings.get("%d/%m/%Y")
    if us is not None and european is not None and not us.equals(european):
        raise _wrong(
            file,
            int(table.index[0]),
            column,
            cells.iloc[0],
            "could be month/day or day/month; write days as YYYY-MM-DD",
        )
    for days in readings.values():
        return days
    best = max(
        (
            pd.to_datetime(text, format=form, errors="coerce")
            for form in ("%Y-%m-%d", *_DAY_FORMATS)
        ),
        key=lambda days: int(days.notna().sum()),
    )
    return _all_days(file, cells, best, column)


def parse_numbers(file: SourceFile, table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return the numbers of a column; empty cells are NaN.

    Raises:
        InvalidInputError: A cell is no number.
    """
    cells = table[column]
    if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        raise _wrong(file, int(table.index[0]), column, cells.iloc[0], "is not a number")
    numbers = pd.to_numeric(cells, errors="coerce")
    unread = numbers.isna() & cells.notna()
    if bool(unread.any()):
        text = cells[unread].astype("string")
        plain = text.str.replace(_DECORATED, r"\1\2", regex=True).str.replace(",", "", regex=False)
        plain = plain.where(text.str.match(_DECORATED))
        numbers = numbers.astype("float64")
        numbers[unread] = pd.to_numeric(plain, errors="coerce").astype("float64")
        unread = numbers.isna() & cells.notna()
    if bool(unread.any()):
        row = unread.idxmax()
        raise _wrong(file, int(row), column, cells[row], "is not a number")
    return numbers.astype("float64")


def parse_ratios(file: SourceFile, table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return new shares for one old one; empty, 0 and 1 are NaN: no split.

    Raises:
        InvalidInputError: A cell is neither a positive number nor like ``2:1``.
    """
    cells = table[column]
    if cells.dtype == object:
        cells = cells.map(_ratio, na_action="ignore")
    ratios = parse_numbers(file, table.assign(**{column: cells}), column)
    wrong = (ratios < 0) | np.isinf(ratios)
    if bool(wrong.any()):
        row = wrong.idxmax()
        raise _wrong(file, int(row), column, cells[row], "is not a split ratio")
    return ratios.mask((ratios == 0) | (ratios == 1))


def parse_action_table(
    file: SourceFile, table: pd.DataFrame, wanted: Mapping[str, tuple[str, ...]], names: SymbolNames
) -> pd.DataFrame:
    """Return a file of splits or dividends with the canonical columns of ``wanted``.

    Args:
        file: Where the table comes from.
        table: Its rows.
        wanted: Canonical column (``symbol``, ``ratio``, ``amount``, or a day) -> names it may
            have, in lower case; a column that may be missing has ``""`` among them.
        names: Brings symbols to their form.

    Raises:
        InvalidInputError: A column is missing or a cell cannot be read.
    """
    table = table.dropna(how="all")
    own = {name.lower().replace(" ", "_"): name for name in table.columns}
    parsed: dict[str, object] = {}
    for canonical, synonyms in wanted.items():
        column = next((own[name] for name in synonyms if name in own), None)
        if column is None and "" in synonyms:
            continue
        if column is None:
            raise InvalidInputError(
                f"{file.name} has no column {synonyms[0]!r}; it has {', '.join(table.columns)}",
                hint="docs/data.md shows the columns of splits and dividends.",
                file=file.name,
                column=synonyms[0],
            )
        if canonical == "symbol":
            parsed[canonical] = _symbols(file, table, column, names)
        elif canonical == "ratio":
            parsed[canonical] = parse_ratios(file, table, column)
        elif canonical == "amount":
            parsed[canonical] = parse_numbers(file, table, column)
        else:
            parsed[canonical] = parse_days(file, table, column)
    return pd.DataFrame(parsed, index=table.index).reset_index(drop=True)


def _symbols(
    file: SourceFile, table: pd.DataFrame, column: str, names: SymbolNames
) -> "pd.Series[str]":
    cells = table[column]
    if bool(cells.isna().any()):
        row = int(cells.isna().idxmax())
        raise _wrong(file, row, column, "", "is empty, a symbol is needed")
    mapping = {
        cell: names.canonical(cell, f"{file.name}, column {column!r}") for cell in cells.unique()
    }
    return cells.map(mapping)


def _all_days(
    file: SourceFile, cells: "pd.Series[Any]", days: "pd.Series[pd.Timestamp]", column: str
) -> "pd.Series[pd.Timestamp]":
    if bool(days.isna().any()):
        row = days.isna().idxmax()
        raise _wrong(file, int(row), column, cells[row], "is not a day (YYYY-MM-DD)")
    return days.astype("datetime64[ns]")


def _epoch_days(cells: "pd.Series[int]") -> "pd.Series[pd.Timestamp] | None":
    typical = float(cells.dropna().abs().median()) if cells.notna().any() else 0.0
    unit = next((u for u, least in EPOCH_UNITS.items() if typical > least), None)
    if unit is None or bool(cells.isna().any()):
        return None
    days = pd.to_datetime(pd.Series(cells.to_numpy("int64")), unit=unit).dt.normalize()
    return days.astype("datetime64[ns]").set_axis(cells.index)


def _ratio(cell: object) -> object:
    match = _RATIO.fullmatch(str(cell))
    if match is None or float(match[2]) == 0:
        return cell
    return float(match[1]) / float(match[2])


def _wrong(file: SourceFile, row: int, column: str, cell: object, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"{file.name}, {file.row_name(row)}, column {column!r}: {str(cell)[:40]!r} {what}",
        hint="Correct the file, or name another column with --column.",
        file=file.name,
        row=row,
        column=column,
    )
