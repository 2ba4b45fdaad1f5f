"""``stratlab health``: does a controller answer; quick enough for a health check of an engine."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from typing import Annotated

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.domain.errors import SandboxNotReadyError


def health(
    context: typer.Context,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Fail also while the sandbox is not proven.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the running controller whether it serves; `doctor` says why one does not."""
    from stratlab.cli.connection import running_server

    with running_server(settings_of(context)) as client:
        proven = client.is_sandbox_ready()
    if sandbox and not proven:
        raise SandboxNotReadyError("the controller serves, its sandbox is not proven")
    if as_json:
        print_json({"serving": True, "sandbox_ready": proven})
    else:
        print_line(f"The controller serves; the sandbox is {'ready' if proven else 'not proven'}.")
