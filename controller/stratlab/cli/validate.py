"""``stratlab validate``: screens strategies, for people and for CI."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from stratlab.cli.options import JsonOption, StrictOption, settings_of
from stratlab.domain.errors import DiskFullError, InvalidInputError, from_os_error

if TYPE_CHECKING:
    from stratlab.cli.validation.judging import Judge
    from stratlab.cli.validation.report import ValidationReport
    from stratlab.client import Client
    from stratlab.domain.strategy import ScreeningReport
    from stratlab.settings import Settings
    from stratlab_proto.v1 import backtest_service_pb2
    from stratlab_proto.v1 import strategy_service_pb2 as pb


@final
class OutputFormat(StrEnum):
    """Forms of the result."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"


def validate(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Zipline strategies (Python); of a directory all *.py files below it.",
            show_default=False,
        ),
    ],
    strict: StrictOption = False,
    as_json: JsonOption = False,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="What to print.")
    ] = OutputFormat.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it to a file instead.")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Also run each strategy over one year, in a container.")
    ] = False,
    causality: Annotated[
        bool,
        typer.Option(
            "--causality", help="Also backtest each and test that it decides by the past alone."
        ),
    ] = False,
    data: Annotated[str, typer.Option("--data", help="Data set of the runs.")] = "us-daily",
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", help="Their symbols, A,B; repeatable [all].")
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--params", metavar="NAME=NUMBER", help="Their context.params; repeatable."),
    ] = None,
    seconds: Annotated[
        int, typer.Option("--seconds", min=1, max=30, help="How long each smoke run may take.")
    ] = 30,
) -> None:
    """Screen strategies; with --smoke or --causality run them too."""
    from stratlab.cli.output import print_line, print_note
    from stratlab.cli.validation.judging import judge_files
    from stratlab.cli.validation.report import ValidationReport
    from stratlab.cli.validation.sources import find_paths

    chosen = OutputFormat.JSON if as_json and output_format is OutputFormat.TABLE else output_format
    files = find_paths(paths)
    run = _smoke_run(data, symbols, params, seconds) if smoke else None
    test = _backtest(data, symbols, params) if causality else None
    with _judge(settings_of(context), run, test) as judge:
        quiet = len(files) == 1 and not (smoke or causality)
        reports = judge_files(files, judge, quiet=quiet)
    if len(reports) == 1 and reports[0].problem is not None:
        raise reports[0].problem
    report = ValidationReport(tuple(reports), strict)
    for file in reports:
        if file.problem is not None:
            print_note(f"error: {file.problem.message}")
            print_note(f"  next: {file.problem.hint}")
    text = _render(report, chosen)
    if output is not None:
        _write(output, text)
    else:
        _print(text)
    say = print_line if chosen is OutputFormat.TABLE and output is None else print_note
    say(report.summary)
    raise typer.Exit(report.exit_code)


@contextmanager
def _judge(
    settings: "Settings",
    run: "pb.SmokeRun | None",
    test: "backtest_service_pb2.RunBacktestRequest | None",
) -> Iterator["Judge"]:
    from stratlab.cli.connection import server_or_lab
    from stratlab.screening import SubprocessScreener

    if run is None and test is None and not settings.client.address:
        # The same code as in a server, which nothing else of this needs.
        yield SubprocessScreener().screen
        return
    with server_or_lab(settings) as client:
        screen = _asking(client, run)
        if test is None:
            yield screen
            return
        from stratlab.cli.validation.testing import causality_judge

        examine = causality_judge(client, test)
        yield examine if run is None else _after(screen, examine)


def _after(first: "Judge", second: "Judge") -> "Judge":
    def judge(source: str) -> "ScreeningReport":
        report = first(source)
        return second(source) if report.passed else report

    return judge


def _asking(client: "Client", run: "pb.SmokeRun | None") -> "Judge":
    from stratlab.cli.output import plain
    from stratlab.domain.strategy import Finding, ScreeningReport, Severity

    def judge(source: str) -> ScreeningReport:
        answer = client.validate_strategy(source, smoke=run)
        return ScreeningReport(
            tuple(
                Finding(**fields | {"severity": Severity(fields["severity"])})
                for fields in map(plain, answer.findings)
            )
        )

    return judge


def _smoke_run(
    data: str, symbols: list[str] | None, params: list[str] | None, seconds: int
) -> "pb.SmokeRun":
    from stratlab.api.convert.values import numbers_to_proto
    from stratlab.cli.reading import parse_list, parse_parameters
    from stratlab_proto.v1 import strategy_service_pb2 as pb

    return pb.SmokeRun(
        data_set=data,
        symbols=parse_list(symbols or ()),
        parameters=numbers_to_proto(parse_parameters(params or (), "--params")),
        seconds=seconds,
    )


def _backtest(
    data: str, symbols: list[str] | None, params: list[str] | None
) -> "backtest_service_pb2.RunBacktestRequest":
    from stratlab.api.convert.values import numbers_to_proto
    from stratlab.cli.reading import parse_list, parse_parameters
    from stratlab_proto.v1 import backtest_service_pb2

    return backtest_service_pb2.RunBacktestRequest(
        data_set=data,
        symbols=parse_list(symbols or ()),
        parameters=numbers_to_proto(parse_parameters(params or (), "--params")),
    )


def _render(report: "ValidationReport", chosen: OutputFormat) -> str:
    from stratlab.cli.validation.github import to_github
    from stratlab.cli.validation.junit import to_junit
    from stratlab.cli.validation.plain import to_json, to_table
    from stratlab.cli.validation.sarif import to_sarif

    renderers: dict[OutputFormat, Callable[[ValidationReport], str]] = {
        OutputFormat.TABLE: to_table,
        OutputFormat.JSON: to_json,
        OutputFormat.SARIF: to_sarif,
        OutputFormat.JUNIT: to_junit,
        OutputFormat.GITHUB: to_github,
    }
    return renderers[chosen](report)


def _print(text: str) -> None:
    import sys

    sys.stdout.write(text)
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            typed = from_os_error(error)
            if isinstance(typed, DiskFullError):
                raise typed from None
        reason = getattr(error, "strerror", None) or "the path cannot be used"
        raise InvalidInputError(
            f"{path} cannot be written: {reason}", hint="Give another --output."
        ) from None
