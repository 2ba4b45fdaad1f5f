"""From files to the content of a data set: guesses columns, inspects, scales, divides."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import final

import pandas as pd

from stratlab.domain.errors import InvalidInputError, LimitExceededError
from stratlab.domain.market import DAILY
from stratlab.market_data.calendars import sessions_between
from stratlab.market_data.content import Content, canonical
from stratlab.market_data.imports.columns import ColumnMap, guess_columns
from stratlab.market_data.imports.corporate import Actions, ActionSource, find_actions
from stratlab.market_data.imports.files import (
    ACTIONS,
    FileFormat,
    SourceFile,
    digest_files,
    find_files,
    read_tables,
)
from stratlab.market_data.imports.findings import Findings, ImportFinding, caveats_of
from stratlab.market_data.imports.inspection import Inspection
from stratlab.market_data.imports.intraday import (
    Stamp,
    check_zone,
    label_rows,
    parse_times,
    session_actions,
    with_session_volumes,
)
from stratlab.market_data.imports.parsing import SymbolNames, parse_action_table, parse_prices
from stratlab.market_data.imports.scaling import choose_scales
from stratlab.market_data.imports.synthetic import World, generate_rows
from stratlab.market_data.imports.tiers import TierPlan
from stratlab.market_data.imports.yahoo import CAVEATS as YAHOO_CAVEATS
from stratlab.market_data.imports.yahoo import fetch_yahoo
from stratlab.market_data.intraday import check_timeframe

MAX_SYMBOLS = 5_000

_SPLIT_FILE = {
    "symbol": ("symbol", "ticker"),
    "session": ("date", "ex_date", "session", "effective_date"),
    "ratio": ("ratio", "split", "stock_splits", "split_ratio"),
}
_DIVIDEND_FILE = {
    "symbol": ("symbol", "ticker"),
    "ex_session": ("ex_date", "date", "ex_session"),
    "pay_session": ("pay_date", "payment_date", "pay_session", ""),
    "amount": ("amount", "dividend", "dividends", "cash"),
}


@final
@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a user may say about an import.

    Attributes:
        calendar: Exchange calendar name.
        timeframe: Bar length; intraday bars come from files only.
        stamp: Which end of its bar a row's time is.
        zone: Of times without an offset.
        columns: Canonical name -> the files' name, where the guess would be wrong.
        tiers: How to divide the sessions.
        actions: Where splits and dividends come from.
        lots: Symbol -> units in one share that trades, where the choice would be wrong.
        repair: Mend or drop single wrong rows instead of refusing them.
        survivorship: What is known of symbols that vanished; empty: the worst is assumed.
        provenance: Where the data came from; empty: the files are named.
        caveats: More that a reader of any result must know.
    """

    calendar: str = "XNYS"
    timeframe: str = DAILY
    stamp: Stamp = Stamp.START
    zone: str = "UTC"
    columns: ColumnMap = field(default_factory=dict)
    tiers: TierPlan = field(default_factory=TierPlan)
    actions: ActionSource = ActionSource.AUTO
    lots: Mapping[str, float] = field(default_factory=dict)
    repair: bool = False
    survivorship: str = ""
    provenance: str = ""
    caveats: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was understood and found; enough to decide whether to build.

    Attributes:
        columns: File -> canonical name -> its own name; one entry where all files agree.
        findings: In the order of the checks.
        rows: Bars that are kept.
        symbols: All symbols, sorted.
        content: What would be built, None where a finding refuses it.
        provenance: As the data set will carry it.
        caveats: As the data set will carry them.
    """

    columns: Mapping[str, ColumnMap]
    findings: tuple[ImportFinding, ...]
    rows: int
    symbols: tuple[str, ...]
    content: Content | None
    provenance: str
    caveats: tuple[str, ...]

    def require_content(self) -> Content:
        """Return the content.

        Raises:
            InvalidInputError: A hard finding refuses the import; names the first ones.
        """
        if self.content is not None:
            return self.content
        hard = [str(f) for f in self.findings if f.severity == "hard"]
        more = f"; and {len(hard) - 3} more" if len(hard) > 3 else ""  # noqa: PLR2004
        raise InvalidInputError(
            f"the data cannot be used: {'; '.join(hard[:3])}{more}",
            hint="Correct the rows, or mend them with --repair; --dry-run shows everything.",
            findings=len(hard),
        )


def inspect_files(path: Path, wanted: FileFormat, options: ImportOptions) -> ImportReport:
    """Read files and return what would become of them; nothing is written.

    Args:
        path: A folder of CSV or Parquet files, or one file.
        wanted: Their format.
        options: What the user said.

    Raises:
        InvalidInputError: A file, column or cell cannot be read; names it.
        LimitExceededError: There are too many files, bytes, rows or symbols.
    """
    files = find_files(path, wanted)
    names, columns, parts = SymbolNames(), dict[str, ColumnMap](), []
    parse_date = None
    if options.timeframe != DAILY:
        check_timeframe(options.timeframe)
        parse_date = partial(parse_times, zone=check_zone(options.zone))
    given = Actions()
    for file, table in read_tables(files):
        if file.stem.lower() in ACTIONS:
            _add_action_file(given, file, table, names)
            continue
        found = guess_columns(list(table.columns), options.columns, file.name)
        columns[file.name] = found
        parts.append(parse_prices(file, table, found, names, parse_date))
    by_name = {file.name: file for file in files}
    rows = pd.concat(parts, ignore_index=True)
    _add_action_columns(given, rows)
    origin = options.provenance or f"{path.name}: {len(files)} {files[0].format} files"
    return inspect_rows(
        rows,
        given,
        options,
        told=_renamed(names),
        columns=_agreed(columns),
        line_of=lambda file, row: by_name[file].row_name(row),
        provenance=f"{origin.rstrip('.')}; sha256 of the files {digest_files(files)}.",
    )


def inspect_yahoo(
    symbols: Sequence[str], first: date, last: date, options: ImportOptions
) -> ImportReport:
    """Fetch symbols from Yahoo and return what would become of them; nothing is written.

    Raises:
        InvalidInputError: No symbols, or Yahoo has no prices of one.
        UnavailableError: The package yfinance is missing, or Yahoo does not answer.
    """
    if not symbols or first > last:
        raise InvalidInputError("Yahoo needs symbols, and a start before the end")
    names = SymbolNames()
    rows, given = fetch_yahoo(symbols, first, last, names)
    origin = options.provenance or "Yahoo Finance by the package yfinance; personal use only"
    return inspect_rows(
        rows,
        given,
        replace(options, caveats=(*YAHOO_CAVEATS, *options.caveats)),
        told=_renamed(names),
        columns={},
        line_of=lambda _, row: f"row {row + 1}",
        provenance=f"{origin.rstrip('.')}; {first} to {last}.",
    )


def inspect_world(world: World, options: ImportOptions) -> ImportReport:
    """Generate a synthetic world and return what would become of it; nothing is written.

    Raises:
        InvalidInputError: A number of the recipe is not possible.
        LimitExceededError: The world is too large.
    """
    return inspect_rows(
        generate_rows(world, options.calendar),
        Actions(),
        replace(
            options,
            caveats=(*world.caveats, *options.caveats),
            survivorship="none, no symbol of a synthetic world ever ends",
        ),
        told=Findings(),
        columns={},
        line_of=lambda _, row: f"row {row + 1}",
        provenance=world.provenance,
    )


def inspect_rows(
    rows: pd.DataFrame,
    given: Actions,
    options: ImportOptions,
    *,
    told: Findings,
    columns: Mapping[str, ColumnMap],
    line_of: Callable[[str, int], str],
    provenance: str,
) -> ImportReport:
    """Return what would become of rows of any origin.

    Args:
        rows: Columns symbol, session, open, high, low, close, and perhaps volume, adj_close, and
            time (UTC) where bars are intraday; file and row say where each comes from.
        given: Splits and dividends that came with them.
        options: What the user said.
        told: Findings so far.
        columns: For the report.
        line_of: Names a row of a file.
        provenance: As the data set will carry it.

    Raises:
        InvalidInputError: Nothing is left, or an option does not fit.
        LimitExceededError: There are too many symbols.
    """
    symbols = tuple(sorted(rows["symbol"].unique()))
    if not symbols:
        raise InvalidInputError("the files hold no rows", hint="Check --format and the files.")
    if len(symbols) > MAX_SYMBOLS:
        raise LimitExceededError(
            f"{len(symbols)} symbols, the limit is {MAX_SYMBOLS}", hint="Import fewer symbols."
        )
    first, last = rows["session"].min().date(), rows["session"].max().date()
    intraday = "time" in rows
    if intraday:
        rows = label_rows(rows, options.calendar, options.timeframe, options.stamp, told)
        # A session may begin on the evening before its day.
        first, last = first - timedelta(days=1), last + timedelta(days=1)
    sessions = sessions_between(options.calendar, first, last)
    bars = Inspection(rows, told, line_of, options.repair).run(sessions)
    content = None
    if not told.refusing and not bars.empty:
        if intraday:
            actions = session_actions(bars, given, options.actions, told)
        else:
            bars, actions = find_actions(bars, given, options.actions, told)
        _report_ends(bars, told)
        content = _content(bars, actions, sessions, options, told)
    elif not told.refusing:
        raise InvalidInputError("no bar is left after the checks", hint="Look at --dry-run.")
    return ImportReport(
        columns=columns,
        findings=tuple(told),
        rows=len(bars),
        symbols=symbols,
        content=content,
        provenance=provenance,
        caveats=(_survivorship(options), *options.caveats, *caveats_of(told)),
    )


def _renamed(names: SymbolNames) -> Findings:
    told = Findings()
    if names.renamed:
        changes = [f"{old!r} is {new}" for old, new in sorted(names.renamed.items())]
        told.soft("renamed", "", "symbols have plain names in capitals", changes)
    return told


def _content(
    bars: pd.DataFrame,
    actions: Actions,
    sessions: pd.DatetimeIndex,
    options: ImportOptions,
    told: Findings,
) -> Content | None:
    sized = with_session_volumes(bars) if "label" in bars else bars
    scales = choose_scales(sized, dict(options.lots), told)
    if told.refusing:
        return None
    days = pd.DatetimeIndex(bars["session"].unique()).sort_values()
    life = sessions[(sessions >= days[0]) & (sessions <= days[-1])]
    splits, dividends = actions.tables()
    return canonical(
        calendar=options.calendar,
        timeframe=options.timeframe,
        prices=bars,
        splits=splits,
        dividends=dividends,
        tiers=options.tiers.divide([day.date() for day in days]),
        scales=scales,
        empty_sessions=[day.date() for day in life.difference(days)],
    )


def _report_ends(bars: pd.DataFrame, told: Findings) -> None:
    spans = bars.groupby("symbol")["session"].agg(["min", "max"])
    late = spans[spans["min"] > spans["min"].min()]
    gone = spans[spans["max"] < spans["max"].max()]
    if len(late):
        told.soft(
            "starts_late",
            "",
            f"{len(late)} symbols begin after {spans['min'].min().date()}",
            [f"{symbol} {first.date()}" for symbol, first in late["min"].items()],
        )
    if len(gone):
        told.soft(
            "ends_early",
            "",
            f"{len(gone)} symbols end before {spans['max'].max().date()}; what is held then is "
            "closed in cash at the last price",
            [f"{symbol} {last.date()}" for symbol, last in gone["max"].items()],
        )


def _survivorship(options: ImportOptions) -> str:
    said = options.survivorship.strip().rstrip(".") or (
        "nothing is said about symbols that vanished; assume that they are missing and that "
        "results are too good"
    )
    return f"Survivorship: {said}."


def _add_action_file(
    given: Actions, file: SourceFile, table: pd.DataFrame, names: SymbolNames
) -> None:
    if file.stem.lower() == "splits":
        rows = parse_action_table(file, table, _SPLIT_FILE, names).dropna()
        given.splits += [
            (symbol, day, 1.0 / ratio)
            for symbol, day, ratio in rows[["symbol", "session", "ratio"]].itertuples(index=False)
        ]
        return
    rows = parse_action_table(file, table, _DIVIDEND_FILE, names)
    if "pay_session" not in rows:
        rows["pay_session"] = rows["ex_session"]
    _check_amounts(file.name, rows["amount"])
    order = ["symbol", "ex_session", "pay_session", "amount"]
    given.dividends += list(rows[order].itertuples(index=False, name=None))


def _add_action_columns(given: Actions, rows: pd.DataFrame) -> None:
    if "split" in rows:
        chosen = rows[rows["split"].notna()]
        given.splits += [
            (symbol, day, 1.0 / ratio)
            for symbol, day, ratio in zip(
                chosen["symbol"], chosen["session"], chosen["split"], strict=True
            )
        ]
    if "dividend" in rows:
        chosen = rows[rows["dividend"].fillna(0.0) != 0]
        _check_amounts("the column of dividends", chosen["dividend"])
        given.dividends += [
            (symbol, day, day, amount)
            for symbol, day, amount in zip(
                chosen["symbol"], chosen["session"], chosen["dividend"], strict=True
            )
        ]


def _check_amounts(where: str, amounts: "pd.Series[float]") -> None:
    if not ((amounts > 0) & (amounts < float("inf"))).all():
        raise InvalidInputError(f"{where}: a dividend is missing, negative or infinite")


def _agreed(columns: Mapping[str, ColumnMap]) -> dict[str, ColumnMap]:
    groups = itertools.groupby(sorted(columns, key=lambda f: (sorted(columns[f].items()), f)),
                               key=lambda f: sorted(columns[f].items()))  # fmt: skip
    agreed: dict[str, ColumnMap] = {}
    for _, group in groups:
        files = list(group)
        label = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        agreed[label] = columns[files[0]]
    return agreed
