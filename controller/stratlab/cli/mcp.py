"""``stratlab mcp``: tools for agents on stdin and stdout."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import sys
from functools import partial

import typer

from stratlab.cli.options import settings_of


def mcp(context: typer.Context) -> None:
    """Serve the lab's tools to an agent (model context protocol) on stdin and stdout.

    They ask the controller that the options before the command name, with its token; one has to
    run when a tool is called.
    """
    from stratlab.cli.connection import configured_client
    from stratlab.cli.logs import logging_to
    from stratlab.mcp.server import serve

    settings = settings_of(context)
    with logging_to(sys.stderr):
        serve(partial(configured_client, settings))
