"""``stratlab doctor``: is everything there that a backtest needs, and what to do if not."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from typing import Annotated

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.cli.progress import spinner


def doctor(
    context: typer.Context,
    abuse: Annotated[
        bool, typer.Option("--abuse", help="Run hostile strategies against this very host.")
    ] = False,
    runtime: Annotated[
        list[str] | None,
        typer.Option("--runtime", help="Whose limits to prove; repeatable [the configured one]."),
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option("--case", help="For --abuse: a case; repeatable [all].")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="For --abuse: bursts and stalls at full size.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check engine, image, disk, data, store, clock and listener, and prove every limit.

    Says what to do about each. With --abuse, runs the whole abuse suite instead, which takes some
    minutes.
    """
    settings = settings_of(context)
    if abuse:
        from stratlab.cli.abuse import report_abuse

        runtimes = runtime or [settings.sandbox.runtime]
        holds = report_abuse(settings, runtimes, case or (), full=full, as_json=as_json)
        raise typer.Exit(ExitCode.OK if holds else ExitCode.INFRASTRUCTURE)
    from stratlab.cli.checks import check_everything

    with spinner("checking", quiet=as_json):
        checks = check_everything(settings, runtime or ())
    ok = all(check.ok for check in checks)
    if as_json:
        print_json(
            {
                "ok": ok,
                "checks": [
                    {
                        "name": check.name,
                        "ok": check.ok,
                        "detail": check.detail,
                        "remedy": check.remedy,
                    }
                    for check in checks
                ],
            }
        )
    else:
        for check in checks:
            print_line(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            if check.remedy:
                print_line(f"      next: {check.remedy}")
    raise typer.Exit(ExitCode.OK if ok else ExitCode.INFRASTRUCTURE)
