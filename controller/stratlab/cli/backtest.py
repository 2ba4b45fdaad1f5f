"""``stratlab backtest``: runs one strategy file once."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratlab.cli.exit_codes import ExitCode, error_exit_code, outcome_exit_code
from stratlab.cli.options import JsonOption, StrictOption, settings_of
from stratlab.cli.output import plain, print_caveats, print_json, print_line, print_table
from stratlab.cli.reading import not_unicode, read_text
from stratlab.domain.errors import InvalidInputError, InvalidSourceError, StratlabError
from stratlab.domain.trial import Outcome
from stratlab_runner.contract import MAX_SOURCE_BYTES

if TYPE_CHECKING:
    from stratlab.client import Client
    from stratlab_proto.v1 import backtest_service_pb2 as pb

MAX_SEED = 2**32 - 1

_FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Zipline strategy (Python).", show_default=False)
]


def backtest(
    context: typer.Context,
    file: _FileArgument,
    data: Annotated[str, typer.Option("--data", help="Data set.")] = "us-daily",
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", help="AAPL,MSFT; repeatable [all].")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="First session, YYYY-MM-DD [train tier's].")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="Last session, YYYY-MM-DD [train tier's].")
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--params", metavar="NAME=NUMBER", help="context.params; repeatable."),
    ] = None,
    cost_model: Annotated[
        str, typer.Option("--cost-model", help="next_open or zipline.")
    ] = "next_open",
    capital: Annotated[float, typer.Option("--capital", help="Starting cash.")] = 100_000.0,
    max_leverage: Annotated[
        float | None,
        typer.Option("--max-leverage", help="Gross exposure over equity that ends it [2]."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of random generators inside.")] = 0,
    runtime: Annotated[
        str, typer.Option("--runtime", help="Container runtime, runc or runsc [the server's].")
    ] = "",
    engine: Annotated[
        str, typer.Option("--engine", help="fast, or stock for zipline as it comes.")
    ] = "fast",
    skip_screening: Annotated[
        bool, typer.Option("--skip-screening", help="Run what screening would reject.")
    ] = False,
    causality: Annotated[
        bool,
        typer.Option("--causality", help="Also test whether it decides by the past alone."),
    ] = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a strategy once, in a container of its own; needs no server."""
    from stratlab.cli.backtest_record import backtest_record, error_only_record

    try:
        request = _request(
            read_source(file), data, symbols, start, end, params, cost_model, capital, runtime
        )
        request.seed = _seed(seed)
        request.engine = engine
        if max_leverage is not None:
            request.limits.max_leverage = max_leverage
        request.skip_screening = skip_screening
        request.causality = causality
        result = _run(context, request, as_json=as_json)
    except (StratlabError, UnicodeEncodeError) as error:
        if not as_json:
            raise
        typed = error if isinstance(error, StratlabError) else not_unicode(error)
        print_json(error_only_record(typed))
        raise typer.Exit(error_exit_code(typed)) from None
    if as_json:
        print_json(backtest_record(result))
    else:
        _print_result(result)
    raise typer.Exit(_exit_code(result, strict=strict))


def read_source(file: Path) -> str:
    """Return a strategy's source.

    Raises:
        InvalidInputError: The file cannot be read.
        InvalidSourceError: It is too large or not UTF-8.
    """
    return read_text(file, MAX_SOURCE_BYTES, InvalidSourceError)


def _request(
    source: str,
    data: str,
    symbols: list[str] | None,
    start: str | None,
    end: str | None,
    params: list[str] | None,
    cost_model: str,
    capital: float,
    runtime: str,
) -> "pb.RunBacktestRequest":
    from stratlab.api.convert.trial import COST_MODEL_KINDS
    from stratlab.api.convert.values import date_to_proto, numbers_to_proto
    from stratlab.cli.reading import parse_date, parse_list, parse_parameters
    from stratlab.domain.market import CostModelKind
    from stratlab_proto.v1 import backtest_service_pb2, common_pb2

    kinds = {kind.value: COST_MODEL_KINDS[kind] for kind in CostModelKind}
    if cost_model not in kinds:
        raise InvalidInputError(
            f"--cost-model: {cost_model!r} is unknown", hint=f"Use one of {', '.join(kinds)}."
        )
    # Zero and empty mean "the default" on the wire.
    if capital == 0:
        raise InvalidInputError("--capital: must be above zero", hint="Leave it out for 100000.")
    chosen = parse_list(symbols or ())
    if symbols and not chosen:
        raise InvalidInputError(
            "--symbols: names no symbol", hint="Name at least one, or leave it out for all."
        )
    return backtest_service_pb2.RunBacktestRequest(
        source=source,
        data_set=data,
        symbols=chosen,
        start=date_to_proto(parse_date(start, "--start")) if start else None,
        end=date_to_proto(parse_date(end, "--end")) if end else None,
        parameters=numbers_to_proto(parse_parameters(params or (), "--params")),
        cost_model=common_pb2.CostModel(kind=kinds[cost_model]),
        capital=capital,
        runtime=runtime,
    )


def _seed(seed: int) -> int:
    if not 0 <= seed <= MAX_SEED:
        raise InvalidInputError(
            f"seed: {seed} is not between 0 and {MAX_SEED}", hint="Give another --seed."
        )
    return seed


def _run(
    context: typer.Context, request: "pb.RunBacktestRequest", *, as_json: bool
) -> "pb.BacktestResult":
    from stratlab.cli.connection import server_or_lab

    with server_or_lab(settings_of(context)) as client:
        return _follow(client, request, quiet=as_json)


def _follow(
    client: "Client", request: "pb.RunBacktestRequest", *, quiet: bool
) -> "pb.BacktestResult":
    from stratlab.cli.progress import progress_bar

    with (
        progress_bar("backtest", quiet=quiet) as show,
        closing(client.run_backtest(request)) as items,
    ):
        for item in items:
            if item.HasField("result"):
                return item.result
            show(item.progress.fraction)
    raise StratlabError("the server ended the backtest without a result")


def _print_result(result: "pb.BacktestResult") -> None:
    from stratlab.cli.tables import findings_table, metrics_table

    trial = plain(result.trial)
    if result.findings:
        print_table(findings_table(result.findings))
    if result.rejected:
        print_line("Rejected by screening; nothing ran (--skip-screening runs it all the same).")
        return
    print_line(f"Trial {trial['trial_id']}: {trial['outcome']} {trial['reason']}".rstrip())
    if trial["error"]:
        print_line(f"  line {trial['error']['line']}: {trial['error']['text']}")
    if result.trial.HasField("metrics"):
        print_table(
            metrics_table(
                [
                    ("strategy", result.trial.metrics),
                    (
                        "benchmark",
                        result.trial.benchmark_metrics
                        if result.trial.HasField("benchmark_metrics")
                        else None,
                    ),
                ]
            )
        )
    if result.HasField("causality"):
        print_causality(result.causality)
    usage = result.trial.usage
    print_line(
        f"{len(trial['fills'])} fills; {usage.wall_seconds:.2f} s wall, {usage.cpu_seconds:.2f} s "
        f"CPU, start-up {usage.startup_seconds:.2f} s, {usage.max_rss_bytes / 2**20:.0f} MiB"
    )
    print_caveats(result.caveats)


def print_causality(found: "pb.Causality") -> None:
    """Print what a causality test found, one line for each thing that was tried."""
    told = plain(found)
    print_line(f"Causality: {told['outcome']}; {told['reason']}.")
    worlds = f"{len(found.cuts)} worlds with another future, {found.repetitions} repetitions"
    delayed = told["delayed_sharpe_ratio"]
    late = "undefined" if delayed is None else f"{delayed:.2f}"
    print_line(f"  {worlds}; Sharpe ratio one bar late: {late}")
    if found.warm_up_difference:
        print_line(f"  {found.warm_up_difference}")


def _exit_code(result: "pb.BacktestResult", *, strict: bool) -> ExitCode:
    if result.rejected:
        return ExitCode.STRATEGY
    code = outcome_exit_code(Outcome(plain(result.trial)["outcome"]))
    return ExitCode.WARNINGS if code is ExitCode.OK and strict and result.findings else code
