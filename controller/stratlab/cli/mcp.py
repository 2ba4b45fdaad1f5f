"""``stratlab mcp``: tools for agents on stdin and stdout."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import os
import signal
import sys
from functools import partial
from types import FrameType

import typer

from stratlab.cli.interrupts import INTERRUPTED
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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with logging_to(sys.stderr):
        serve(partial(configured_client, settings))


def _leave(number: int, frame: FrameType | None) -> None:
    # Nothing wakes the thread that reads stdin, and nothing is to be tidied up: the controller
    # ends a backtest when the connection of its caller closes.
    del number, frame
    os._exit(INTERRUPTED)
