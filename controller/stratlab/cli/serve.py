"""``stratlab serve``: the controller, until a signal ends it."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_note

if TYPE_CHECKING:
    from stratlab.settings import Settings


def serve(context: typer.Context, as_json: JsonOption = False) -> None:
    """Run the controller until SIGTERM or Ctrl-C; unfinished campaigns continue."""
    from stratlab.cli.logs import logging_to

    with logging_to(sys.stderr):
        asyncio.run(_serve(settings_of(context), as_json=as_json))


async def _serve(settings: "Settings", *, as_json: bool) -> None:
    from stratlab.cli.hosting import serve_lab

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with serve_lab(settings, settings.address) as address:
        if as_json:
            print_json({"address": address})
        print_note(f"Listening on {address}")
        await stopping.wait()
        print_note("Stopping; running calls are drained, campaigns continue at the next start.")
