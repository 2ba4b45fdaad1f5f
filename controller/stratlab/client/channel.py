"""Connections of the client: unix socket, TLS, or plaintext that never leaves the machine."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

import grpc

from stratlab.domain.errors import InvalidInputError, UnsafeConfigurationError
from stratlab.private_files import read_private

_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
    # A fresh client connects at once, also where an earlier one just found nobody.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),  # ours know which calls may be repeated
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A server that vanished without a word is noticed while something is watched.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


@final
@dataclass(frozen=True, slots=True)
class Identity:
    """How a client recognises a server, and how TLS proves who it is itself.

    Attributes:
        ca: PEM file with the certificates to trust; None for those that come with gRPC.
        certificate: PEM file with the certificate that a server with mTLS asks for.
        key: PEM file with its private key, of mode 0600.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def read_token(path: Path) -> str:
    """Return the token that a file holds.

    Raises:
        UnsafeConfigurationError: Others can read the file.
        InvalidInputError: It cannot be read, or holds something else.
    """
    token = read_private(path).decode("ascii", errors="replace").strip()
    if not token.isprintable() or not token.isascii() or not token or " " in token:
        raise InvalidInputError(
            f"{path} holds no token", hint="Write the token into it, and nothing else."
        )
    return token


def open_channel(address: str, identity: Identity) -> grpc.Channel:
    """Return a channel; it connects with the first call.

    Args:
        address: ``unix:/path``; ``host:port`` or ``https://host:port`` for TLS;
            ``http://host:port`` for plaintext on loopback.
        identity: Whom to trust, and who calls.

    Raises:
        InvalidInputError: The address or a file cannot be used.
        UnsafeConfigurationError: A token would be sent in plaintext to another machine, or
            others can read the key.
    """
    if address.startswith("unix:"):
        return grpc.insecure_channel(address, options=_OPTIONS)
    parts = urlsplit(address if "://" in address else f"https://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.scheme not in {"http", "https"} or parts.path.strip("/"):
        raise InvalidInputError(
            f"{address[:200]!r} is no address of a controller",
            hint="Write host:port for TLS, http://127.0.0.1:port, or unix:/path.",
        )
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if parts.scheme == "https":
        return grpc.secure_channel(target, _credentials(identity), options=_OPTIONS)
    if not _is_loopback(host):
        raise UnsafeConfigurationError(
            f"{host} is another machine, and http:// encrypts nothing",
            hint=f"Use {target}, which means TLS.",
        )
    return grpc.insecure_channel(target, options=_OPTIONS)


def _credentials(identity: Identity) -> grpc.ChannelCredentials:
    if (identity.certificate is None) != (identity.key is None):
        raise InvalidInputError("a client certificate and its key only work together")
    return grpc.ssl_channel_credentials(
        root_certificates=_read(identity.ca) if identity.ca else None,
        private_key=read_private(identity.key) if identity.key else None,
        certificate_chain=_read(identity.certificate) if identity.certificate else None,
    )


def _read(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
