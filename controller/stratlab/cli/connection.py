"""Finds the server a command talks to, or starts one inside the command."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from stratlab.api.listener import socket_path
from stratlab.cli.logs import logging_to_home
from stratlab.cli.output import print_note
from stratlab.client import Client
from stratlab.domain.errors import InvalidInputError, ServerUnreachableError

if TYPE_CHECKING:
    from stratlab.settings import Settings


@contextmanager
def running_server(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server.

    Raises:
        ServerUnreachableError: There is none.
    """
    with Client(settings.address) as client:
        if not client.is_serving():
            raise ServerUnreachableError(f"no controller answers at {settings.address}")
        yield client


@contextmanager
def server_or_records(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server, or read what is stored through one of our own."""
    with Client(settings.address) as client:
        if client.is_serving():
            yield client
            return
    # keeps start-up fast: a client of a running server needs no server code
    from stratlab.cli.hosting import in_thread, private_home, serve_records  # noqa: PLC0415

    with (
        logging_to_home(private_home(settings)),
        in_thread(serve_records(settings)) as address,
        Client(address) as own,
    ):
        yield own


@contextmanager
def server_or_lab(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server, or with a whole controller of our own.

    Our own ends with the command; what it did not finish continues at the next start.
    """
    with Client(settings.address) as client:
        if client.is_serving():
            yield client
            return
    # keeps start-up fast: a client of a running server needs no server code
    from stratlab.cli.hosting import in_thread, private_home, serve_lab  # noqa: PLC0415

    print_note(f"No controller runs; this command starts its own in {settings.home_path}.")
    with ExitStack() as resources:
        resources.enter_context(logging_to_home(private_home(settings)))
        address = _own_address(settings, resources)
        address = resources.enter_context(in_thread(serve_lab(settings, address)))
        yield resources.enter_context(Client(address))


def _own_address(settings: "Settings", resources: ExitStack) -> str:
    # The configured address, so that other commands find this controller, too; where its path
    # is too long for a socket, a private one.
    try:
        socket_path(settings.address)
    except InvalidInputError:
        directory = resources.enter_context(tempfile.TemporaryDirectory(prefix="stratlab-"))
        return f"unix:{directory}/stratlab.sock"
    return settings.address
