"""Certificates, tokens and raw calls: what the tests of access share."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
import trustme
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.api.fake_lab import FakeLab

from stratlab.api.access.tokens import TokenFile
from stratlab.api.server import ApiServer
from stratlab.domain.access import Role

OK = "OK"
KEEP = ("grpc.use_local_subchannel_pool", 1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Pki:
    """An authority with a server and a client, and a stranger's authority with a client."""

    ca: Path
    server: Pair
    client: Pair
    strange_ca: Path
    strange_client: Pair

    @staticmethod
    def make(folder: Path) -> "Pki":
        authority, strange = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        strange.cert_pem.write_to_path(folder / "strange_ca.pem")
        return Pki(
            ca=folder / "ca.pem",
            server=_pair(authority, folder / "server", "127.0.0.1"),
            client=_pair(authority, folder / "client", "client.example"),
            strange_ca=folder / "strange_ca.pem",
            strange_client=_pair(strange, folder / "strange", "client.example"),
        )

    @property
    def tls(self) -> dict[str, str]:
        """Settings of a server with TLS."""
        return {
            "tls_certificate": str(self.server.certificate),
            "tls_key": str(self.server.key),
        }

    @property
    def mtls(self) -> dict[str, str]:
        """Settings of a server that asks for client certificates."""
        return {**self.tls, "tls_client_ca": str(self.ca)}


def _pair(authority: trustme.CA, stem: Path, name: str) -> Pair:
    leaf = authority.issue_cert(name)
    pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    pair.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    pair.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(pair.key)
    return pair


class ServedNetwork:
    """A lab on a TCP port, and the tokens that it takes."""

    def __init__(self, lab: FakeLab, tokens: Path) -> None:
        self.lab = lab
        self.file = TokenFile(tokens)
        self.secrets: dict[str, str] = {}

    def started(self, server: ApiServer) -> None:
        self.server = server
        self.address = server.network_address
        self.port = int(self.address.rpartition(":")[2])

    def add_token(self, name: str, role: Role, expires: datetime | None = None) -> str:
        self.secrets[name] = self.file.create(name, role, expires)
        return self.secrets[name]

    def channel(self, *options: tuple[str, int]) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.address, options=[KEEP, *options])


def bearer(secret: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {secret}"),)


async def raw_call(
    channel: grpc.aio.Channel, method: str, metadata: object = (), request: bytes = b""
) -> str:
    """Call a method of any kind, read one answer, and return "OK" or the name of the status."""
    call = channel.stream_stream(method)(iter([request]), metadata=metadata, timeout=10)
    try:
        await call.read()
        if not call.done():
            return OK
        return (await call.code()).name
    except grpc.aio.AioRpcError as error:
        return error.code().name
    finally:
        call.cancel()


async def error_of(call: object) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, float]:
    """Return status, ErrorInfo and the delay of RetryInfo (0 without one) of a failing call."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return details_of(error)
    raise AssertionError("the call did not fail")


def details_of(
    error: grpc.aio.AioRpcError,
) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, float]:
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    binary = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    assert binary, error
    status = rpc_status.status_pb2.Status.FromString(binary)
    assert status.details[0].Unpack(info)
    for detail in status.details[1:]:
        assert detail.Unpack(retry)
    return error.code(), info, retry.retry_delay.ToMilliseconds() / 1000
