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
    from stratlab.api.network import network_of
    from stratlab.cli.hosting import open_server

    # Before anything is opened: what would not be safe does not even start.
    network = network_of(settings.server, settings.token_path)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with open_server(settings, settings.address, network) as server:
        if as_json:
            print_json({"address": server.address, "listen": server.network_address or None})
        print_note(f"Listening on {server.address}")
        if network:
            protection = "TLS" if network.credentials else "plaintext, loopback only"
            print_note(f"Listening on {server.network_address} ({protection})")
        await stopping.wait()
        print_note("Stopping; running calls are drained, campaigns continue at the next start.")
