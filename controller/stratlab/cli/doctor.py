"""``stratlab doctor``: is everything there that a backtest needs, and what to do if not."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.cli.progress import spinner


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check engine, image, disk, data, store, clock and listener; say what to do about each."""
    from stratlab.cli.checks import check_everything

    settings = settings_of(context)
    with spinner("checking", quiet=as_json):
        checks = check_everything(settings)
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
