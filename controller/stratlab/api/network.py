"""The optional TCP listener: refuses every configuration that would not be safe."""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn, final

import grpc

from stratlab.api.access.quotas import Quotas
from stratlab.api.access.tokens import TokenFile
from stratlab.domain.errors import (
    InvalidInputError,
    NotFoundError,
    UnsafeConfigurationError,
)
from stratlab.private_files import read_private
from stratlab.settings import ServerSettings

_MAX_PORT = 65535


@final
@dataclass(frozen=True, slots=True)
class Network:
    """A TCP listener that was found to be safe.

    Attributes:
        address: ``host:port``.
        credentials: TLS; None for plaintext on loopback.
        tokens: Who may call.
        quotas: What each token may ask for.
    """

    address: str
    credentials: grpc.ServerCredentials | None
    tokens: TokenFile
    quotas: Quotas


def network_of(server: ServerSettings, tokens: Path) -> Network | None:
    """Return the TCP listener that the settings describe, None when they describe none.

    Args:
        server: The server's section.
        tokens: The token file.

    Raises:
        UnsafeConfigurationError: Callers could be overheard, impersonated or unknown.
        InvalidInputError: The address, a certificate or the token file cannot be used.
    """
    encrypted = bool(server.tls_certificate or server.tls_key)
    if server.tls_client_ca and not encrypted:
        raise UnsafeConfigurationError(
            "server.tls_client_ca is set, but nothing is encrypted",
            hint="Set server.tls_certificate and server.tls_key too.",
        )
    if not server.listen:
        return None
    is_loopback = _is_loopback(server.listen)
    if not is_loopback and not encrypted:
        raise UnsafeConfigurationError(
            f"{server.listen} can be reached from other machines, and nothing is encrypted",
            hint="Set server.tls_certificate and server.tls_key, or listen on 127.0.0.1.",
        )
    file = TokenFile(tokens)
    try:
        file.tokens()
    except NotFoundError as error:
        raise UnsafeConfigurationError(
            f"nobody could be told apart: {error.message}", hint=error.hint
        ) from None
    return Network(
        address=server.listen,
        credentials=_credentials(server) if encrypted else None,
        tokens=file,
        quotas=Quotas(server.calls_per_second, server.call_burst, server.streams),
    )


def _is_loopback(listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        # Names are refused: what they resolve to may change, and loopback is judged here.
        address = ip_address(bare)
        usable = port.isascii() and port.isdigit() and int(port) <= _MAX_PORT
    except ValueError:
        usable = False
    if not usable or (":" in bare) != (bare != host):
        raise InvalidInputError(
            f"server.listen: {listen[:100]!r} is no IP address and port",
            hint="Write 127.0.0.1:7443, 0.0.0.0:7443 or [::1]:7443.",
            field="server.listen",
        )
    return address.is_loopback


def _credentials(server: ServerSettings) -> grpc.ServerCredentials:
    certificate = _pem("tls_certificate", server.tls_certificate)
    if not server.tls_key:
        _refuse("tls_key", "is missing, and TLS needs certificate and key")
    key = read_private(Path(server.tls_key))
    client_ca = _pem("tls_client_ca", server.tls_client_ca) if server.tls_client_ca else None
    try:
        # gRPC would only say that it cannot listen. Without a password, an encrypted key fails
        # here instead of asking the terminal.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            Path(server.tls_certificate).expanduser(),
            Path(server.tls_key).expanduser(),
            password="",
        )
        if client_ca:
            context.load_verify_locations(cadata=client_ca.decode("ascii", errors="replace"))
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInputError(
            f"the server's certificate, its key or the clients' CA cannot be used: {error}",
            hint="Give PEM files, and the key (not encrypted) that belongs to the certificate.",
        ) from None
    return grpc.ssl_server_credentials(
        [(key, certificate)],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


def _pem(name: str, path: str) -> bytes:
    if not path:
        _refuse(name, "is missing, and TLS needs certificate and key")
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        _refuse(name, f"{path} cannot be read: {error.strerror}")


def _refuse(name: str, text: str) -> NoReturn:
    raise InvalidInputError(
        f"server.{name}: {text}", hint="Correct the settings.", field=f"server.{name}"
    )
