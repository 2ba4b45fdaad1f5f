"""Finds the server a command talks to, or starts one inside the command."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stratlab.api.listener import socket_path
from stratlab.cli.logs import logging_to_home
from stratlab.cli.output import print_note
from stratlab.client import Client, read_token
from stratlab.domain.errors import InvalidInputError, ServerUnreachableError

if TYPE_CHECKING:
    from stratlab.settings import ClientSettings, Settings


@contextmanager
def running_server(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server.

    Raises:
        ServerUnreachableError: There is none.
    """
    with ExitStack() as resources:
        client = _find_server(settings, resources)
        if client is None:
            raise ServerUnreachableError(f"no controller answers at {settings.address}")
        yield client


@contextmanager
def server_or_records(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server, or read what is stored through one of our own."""
    with ExitStack() as resources:
        client = _find_server(settings, resources)
        yield client or _serve_records(settings, resources)


@contextmanager
def server_or_lab(settings: "Settings") -> Iterator[Client]:
    """Connect with the running server, or with a whole controller of our own.

    Our own ends with the command; what it did not finish continues at the next start.
    """
    with ExitStack() as resources:
        client = _find_server(settings, resources)
        yield client or _serve_lab(settings, resources)


def configured_client(settings: "Settings") -> Client:
    """Return a client of the configured controller; it connects with its first call."""
    return _remote(settings.client) if settings.client.address else Client(settings.address)


def _find_server(settings: "Settings", resources: ExitStack) -> Client | None:
    if settings.client.address:
        # Somebody else's: what is wrong with it is told by the first call.
        return resources.enter_context(_remote(settings.client))
    if not _is_usable(settings):
        return None
    client = resources.enter_context(Client(settings.address))
    if client.is_serving():
        return client
    client.close()
    return None


def _remote(settings: "ClientSettings") -> Client:
    return Client(
        settings.address,
        token=read_token(Path(settings.token_file)) if settings.token_file else "",
        ca=Path(settings.ca) if settings.ca else None,
        certificate=Path(settings.certificate) if settings.certificate else None,
        key=Path(settings.key) if settings.key else None,
    )


def _serve_records(settings: "Settings", resources: ExitStack) -> Client:
    # keeps start-up fast: a client of a running server needs no server code
    from stratlab.cli.hosting import in_thread, private_home, serve_records  # noqa: PLC0415

    resources.enter_context(logging_to_home(private_home(settings)))
    return resources.enter_context(
        Client(resources.enter_context(in_thread(serve_records(settings))))
    )


def _serve_lab(settings: "Settings", resources: ExitStack) -> Client:
    # keeps start-up fast: a client of a running server needs no server code
    from stratlab.cli.hosting import in_thread, private_home, serve_lab  # noqa: PLC0415

    print_note(f"No controller runs; this command starts its own in {settings.home_path}.")
    resources.enter_context(logging_to_home(private_home(settings)))
    # The configured address, so that other commands find this controller, too.
    address = settings.address
    if not _is_usable(settings):
        directory = resources.enter_context(tempfile.TemporaryDirectory(prefix="stratlab-"))
        address = f"unix:{directory}/stratlab.sock"
    served = resources.enter_context(in_thread(serve_lab(settings, address)))
    return resources.enter_context(Client(served))


def _is_usable(settings: "Settings") -> bool:
    # A home directory may be too deep for a socket; an address that somebody chose may not.
    try:
        socket_path(settings.address)
    except InvalidInputError:
        if settings.server.address:
            raise
        return False
    return True
