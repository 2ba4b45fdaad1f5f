"""``stratlab data add``, ``generate`` and ``remove``: data of users, and synthetic worlds."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.cli.progress import spinner
from stratlab.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from stratlab.market_data.imports.importer import ImportReport
    from stratlab.settings import Settings

_Name = Annotated[str, typer.Argument(metavar="NAME", help="What the data set will be called.")]
_Calendar = Annotated[str, typer.Option(help="Exchange calendar of the sessions.")]
_Tiers = Annotated[
    str | None,
    typer.Option(help="Fractions after the warm-up (60/20/20) or days (train=A:B,...)."),
]
_WarmUp = Annotated[
    int | None,
    typer.Option(min=0, help="Sessions before train [250, at most a tenth]."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Report only, build nothing.")]


def add(
    context: typer.Context,
    name: _Name,
    path: Annotated[
        Path | None, typer.Argument(help="Folder of CSV or Parquet files, or one file.")
    ] = None,
    wanted: Annotated[str, typer.Option("--format", help="auto, csv or parquet.")] = "auto",
    calendar: _Calendar = "XNYS",
    timeframe: Annotated[str, typer.Option(help="Length of the bars: 1d, or 1m to 4h.")] = "1d",
    stamp: Annotated[str, typer.Option(help="A row's time is its bar's start or end.")] = "start",
    timezone: Annotated[str, typer.Option(help="Of times that name no zone.")] = "UTC",
    tiers: _Tiers = None,
    warm_up: _WarmUp = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Name a column, e.g. close=Last."),
    ] = None,
    actions: Annotated[
        str, typer.Option(help="Splits and dividends: auto, given, adj-close or none.")
    ] = "auto",
    lot: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL=UNITS", help="Units in one share that trades."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend or leave out single wrong rows.")
    ] = False,
    survivorship: Annotated[str, typer.Option(help="What is known of symbols that vanished.")] = "",
    provenance: Annotated[str, typer.Option(help="Origin and licence.")] = "",
    caveat: Annotated[list[str] | None, typer.Option(help="More to know about any result.")] = None,
    yfinance: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Fetch these symbols from Yahoo.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day to fetch.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day to fetch.")] = None,
    dry_run: _DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Add data from CSV or Parquet files, or from Yahoo; shows what was understood first."""
    from stratlab.cli.reading import parse_date
    from stratlab.market_data.imports.corporate import ActionSource
    from stratlab.market_data.imports.files import FileFormat
    from stratlab.market_data.imports.importer import (
        ImportOptions,
        inspect_files,
        inspect_yahoo,
    )
    from stratlab.market_data.imports.intraday import Stamp
    from stratlab.market_data.imports.tiers import parse_tiers
    from stratlab.market_data.naming import check_name

    check_name(name)
    options = ImportOptions(
        calendar=calendar,
        timeframe=timeframe,
        stamp=Stamp(_choice(stamp, "--stamp", Stamp)),
        zone=timezone,
        columns=dict(_pairs(column, "--column")),
        tiers=parse_tiers(tiers, warm_up),
        actions=ActionSource(_choice(actions, "--actions", ActionSource)),
        lots={key: _number(value, "--lot") for key, value in _pairs(lot, "--lot")},
        repair=repair,
        survivorship=survivorship,
        provenance=provenance,
        caveats=tuple(caveat or ()),
    )
    if (path is None) == (yfinance is None):
        raise InvalidInputError(
            "data add needs a PATH or --yfinance, one of them",
            hint="Try: stratlab data add mine ./csv --dry-run",
        )
    if yfinance is not None and timeframe != "1d":
        raise InvalidInputError("--yfinance fetches daily bars only")
    with spinner(f"reading {name}", quiet=as_json):
        if path is not None:
            file_format = FileFormat(_choice(wanted, "--format", FileFormat))
            report = inspect_files(path.expanduser(), file_format, options)
        else:
            if not (start and end):
                raise InvalidInputError("--yfinance needs --start and --end")
            symbols = tuple(part for part in (yfinance or "").replace(",", " ").split() if part)
            first, last = parse_date(start, "--start"), parse_date(end, "--end")
            report = inspect_yahoo(symbols, first, last, options)
    _finish(settings_of(context), name, report, dry_run=dry_run, as_json=as_json)


def generate(
    context: typer.Context,
    name: _Name,
    kind: Annotated[str, typer.Option(help="null, trend or reversion.")] = "null",
    symbols: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    years: Annotated[int, typer.Option(min=1, help="Of 252 sessions.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    calendar: _Calendar = "XNYS",
    tiers: _Tiers = None,
    warm_up: _WarmUp = None,
    dry_run: _DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Generate a synthetic world; its name always begins with "synthetic-"."""
    from stratlab.market_data.imports.importer import ImportOptions, inspect_world
    from stratlab.market_data.imports.synthetic import LABEL, World, WorldKind
    from stratlab.market_data.imports.tiers import parse_tiers
    from stratlab.market_data.naming import check_name

    labelled = check_name(name if name.startswith(f"{LABEL}-") else f"{LABEL}-{name}")
    world = World(WorldKind(_choice(kind, "--kind", WorldKind)), symbols, years, seed)
    options = ImportOptions(calendar=calendar, tiers=parse_tiers(tiers, warm_up))
    with spinner(f"generating {labelled}", quiet=as_json):
        report = inspect_world(world, options)
    _finish(settings_of(context), labelled, report, dry_run=dry_run, as_json=as_json)


def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a data set that no unfinished campaign uses."""
    from stratlab.market_data import Catalogue
    from stratlab.market_data.removal import remove_data_set

    settings = settings_of(context)
    Catalogue(settings.home_path).directory(name)
    users = _unfinished_campaigns(settings, name)
    if not users and not yes:
        if not sys.stdin.isatty():
            raise InvalidInputError(f"removing {name!r} needs --yes", hint="Add --yes.")
        typer.confirm(f"Remove data set {name}?", abort=True, err=True)
    remove_data_set(settings.home_path, name, users)
    if as_json:
        print_json({"data_set": name, "removed": True})
    else:
        print_line(f"{name} is removed")


def _finish(
    settings: "Settings", name: str, report: "ImportReport", *, dry_run: bool, as_json: bool
) -> None:
    from stratlab.bootstrap import trusted_jobs
    from stratlab.market_data.builder import build_data_set

    content = report.content
    record = _record(name, report) | {"built": content is not None and not dry_run}
    if not as_json:
        _print_report(report)
    elif content is None or dry_run:
        print_json(record)
    if content is None:
        if as_json:
            raise typer.Exit(ExitCode.USAGE)
        report.require_content()
        return
    if dry_run:
        if not as_json:
            print_line(f"dry run: {name} would be built with digest {content.digest()}")
        return
    with spinner(f"building {name}", quiet=as_json), trusted_jobs(settings) as jobs:
        data_set = build_data_set(
            settings.home_path,
            name,
            content,
            jobs,
            provenance=report.provenance,
            caveats=report.caveats,
        )
    if as_json:
        print_json(record)
        return
    print_line(f"{data_set.name} is ready ({data_set.digest})")
    print_line(f"next: stratlab campaign run --data {data_set.name} --iterations 5")


def _record(name: str, report: "ImportReport") -> dict[str, Any]:
    content = report.content
    return {
        "data_set": name,
        "digest": content.digest() if content else None,
        "refused": content is None,
        "columns": {label: dict(columns) for label, columns in report.columns.items()},
        "bars": report.rows,
        "symbols": list(report.symbols),
        "scales": {
            symbol: asdict(scale) for symbol, scale in (content.scales if content else {}).items()
        },
        "tiers": {
            tier.value: {"start": span.start.isoformat(), "end": span.end.isoformat()}
            for tier, span in (content.tiers if content else {}).items()
        },
        "findings": [asdict(finding) for finding in report.findings],
        "provenance": report.provenance,
        "caveats": list(report.caveats),
    }


def _print_report(report: "ImportReport") -> None:
    for label, columns in report.columns.items():
        read = ", ".join(f"{ours} = {theirs!r}" for ours, theirs in columns.items())
        print_line(f"columns of {label}: {read}")
    symbols = ", ".join(report.symbols[:8]) + (", ..." if len(report.symbols) > 8 else "")  # noqa: PLR2004 - one line
    print_line(f"{report.rows} bars of {len(report.symbols)} symbols: {symbols}")
    for finding in report.findings:
        print_line(f"{'refused' if finding.severity == 'hard' else 'note'}: {finding}")
    if report.content is not None:
        content = report.content
        print_line(f"warm-up from {content.sessions[0]}")
        for tier, span in content.tiers.items():
            print_line(f"{tier.value}: {span.start} to {span.end}")
        print_line(report.caveats[0])


def _unfinished_campaigns(settings: "Settings", data_set: str) -> list[str]:
    from contextlib import closing

    from stratlab.cli.hosting import private_home
    from stratlab.store import open_repository

    private_home(settings)
    found: list[str] = []
    after = ""
    with closing(open_repository(settings.store_url)) as repository:
        while page := repository.list_campaigns(after=after, limit=1000):
            found += [
                campaign.id
                for campaign in page
                if campaign.spec.data_set == data_set and not campaign.state.is_final
            ]
            after = page[-1].id
    return found


def _pairs(texts: list[str] | None, option: str) -> list[tuple[str, str]]:
    return [_pair(text, option) for text in texts or ()]


def _pair(text: str, option: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (sign and key and value):
        raise InvalidInputError(f"{option}: {text[:80]!r} is not name=value")
    return key.strip(), value


def _number(text: str, option: str) -> float:
    from stratlab.cli.reading import parse_number

    number = parse_number(text)
    if number is None:
        raise InvalidInputError(f"{option}: {text[:40]!r} is not a number")
    return float(number)


def _choice(text: str, option: str, known: Iterable[str]) -> str:
    words = [str(word) for word in known]
    if text not in words:
        raise InvalidInputError(f"{option}: {text[:40]!r} is none of {', '.join(words)}")
    return text
