"""The program ``stratlab``: all commands, and the one place where errors become words."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stratlab.cli import (
    audit,
    backtest,
    campaign,
    catalogue,
    contract,
    data,
    doctor,
    health,
    interrupts,
    mcp,
    report,
    selftest,
    sensitivity,
    serve,
    token,
    validate,
)
from stratlab.cli.exit_codes import EPILOG, ExitCode, error_exit_code
from stratlab.cli.options import GlobalOptions
from stratlab.cli.output import error_record, print_json, print_note
from stratlab.cli.reading import not_unicode
from stratlab.domain.errors import DiskFullError, InvalidInputError, StratlabError, from_os_error

_MAX_TOLD = 3000

app = typer.Typer(
    name="stratlab",
    help="An autonomous strategy lab: generated strategies, isolated backtests, honest numbers.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(doctor.doctor)
app.command()(health.health)
app.command()(mcp.mcp)
app.add_typer(campaign.app, name="campaign")
app.command()(backtest.backtest)
app.command()(validate.validate)
app.command()(sensitivity.sensitivity)
app.command()(selftest.selftest)
app.add_typer(contract.app, name="contract")
app.command()(catalogue.catalogue)
app.add_typer(data.app, name="data")
app.add_typer(audit.app, name="audit")
app.add_typer(token.app, name="token")
app.command()(report.report)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 (keeps start-up fast)

        typer.echo(version("stratlab"))
        raise typer.Exit


@app.callback()
def common_options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="DIR", help="Home directory [STRATLAB_HOME, ~/.stratlab]."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="Controller: unix:/PATH, HOST:PORT (TLS) or http://127.0.0.1:PORT.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="File with the token for HOST:PORT."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Certificates (PEM) to trust."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--cert", metavar="FILE", help="Own certificate (PEM), for mTLS."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Its private key (PEM, 0600).")
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options in front of the command."""
    del version
    context.obj = GlobalOptions(
        home=home,
        address=address,
        token_file=token_file,
        ca=ca,
        certificate=certificate,
        key=key,
    )


def run() -> None:
    """Run the program and end the process with an exit code of the table."""
    interrupts.install()
    _open_streams()
    # gRPC's core reads no settings, and would print a line for every failed handshake.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # noqa: TID251 (written, not read)
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # a full disk behind `>`, or a reader that has gone
        code = code or ExitCode.INFRASTRUCTURE
        _drop_stdout()
    sys.exit(code)


def main(arguments: Sequence[str]) -> ExitCode | int:
    """Run a command and return its exit code; no exception leaves this function."""
    try:
        return app(args=list(arguments), prog_name="stratlab", standalone_mode=False) or ExitCode.OK
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough (typer exits then).
        _drop_stdout()
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 (a user never sees a traceback)
        typed = _typed(error)
        _tell(typed, arguments)
        return error_exit_code(typed)


def _typed(error: Exception) -> StratlabError:
    match error:
        case StratlabError():
            return error
        case typer.TyperException():
            hint = "Add --help behind the command to see what it takes."
            return InvalidInputError(error.format_message(), hint=hint)
        case UnicodeEncodeError():
            return not_unicode(error)
        case OSError() if isinstance(typed := from_os_error(error), DiskFullError):
            return typed
        case _:
            return _unexpected(error)


def _tell(error: StratlabError, arguments: Sequence[str]) -> None:
    print_note(f"error: {_cut(error.message)}")
    print_note(f"  next: {_cut(error.hint)}")
    if "--json" in arguments:
        try:
            print_json({"error": error_record(error)})
        except OSError:  # nobody reads it; the exit code remains
            _drop_stdout()


def _cut(text: str) -> str:
    # What people typed may be in it, whole.
    return text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}..."


def _open_streams() -> None:
    # A shell's `>&-` leaves none; and no character may end a program that only prints it.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the end)
            setattr(sys, name, nowhere)
        else:
            stream.reconfigure(errors="backslashreplace")


def _drop_stdout() -> None:
    # The last flush, which the interpreter does, must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> StratlabError:
    from stratlab.cli.logs import record_traceback  # noqa: PLC0415 (keeps start-up fast)

    log = record_traceback(error)
    place = f"the log is {log}" if log else "no log of it could be written"
    return StratlabError(
        f"stratlab failed unexpectedly ({type(error).__name__}); {place}", log=log or ""
    )
