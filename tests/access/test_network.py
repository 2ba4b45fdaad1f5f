"""The TCP listener: what it refuses to start with, and whom TLS lets in."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.access.conftest import Serve
from tests.access.network import Pki, bearer, raw_call
from tests.api.fake_lab import FakeLab
from tests.cli.conftest import Ended, home, stratlab  # noqa: F401 (fixtures)

from stratlab.api.access.tokens import TokenFile
from stratlab.api.network import network_of
from stratlab.api.server import ApiServer
from stratlab.client import Client
from stratlab.domain.access import Role
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    ServerUnreachableError,
    StratlabError,
    UnauthenticatedError,
    UnsafeConfigurationError,
)
from stratlab.settings import ServerSettings

LIST = "/stratlab.v1.CampaignService/ListCampaigns"
HEALTH = "/grpc.health.v1.Health/Check"
UNKNOWN = "stratlab_" + "A" * 43
Program = Callable[..., Ended]


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    TokenFile(tmp_path / "tokens.json").create("alice", Role.VIEWER)
    return tmp_path / "tokens.json"


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:0", "[::]:0", "192.168.1.1:7443", "[2001:db8::1]:1", "[::ffff:127.0.0.1]:1"]
)
def test_other_machines_without_tls_are_refused(tokens: Path, listen: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="nothing is encrypted"):
        network_of(ServerSettings(listen=listen), tokens)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"])
def test_network_without_tokens_is_refused_even_on_loopback(
    pki: Pki, tmp_path: Path, listen: str
) -> None:
    with pytest.raises(UnsafeConfigurationError, match="nobody could be told apart"):
        network_of(ServerSettings(listen=listen, **pki.mtls), tmp_path / "none.json")


def test_token_file_or_key_that_others_can_read_is_refused(
    pki: Pki, tokens: Path, tmp_path: Path
) -> None:
    key = tmp_path / "server.key"
    key.write_bytes(pki.server.key.read_bytes())
    key.chmod(0o640)
    section = ServerSettings(
        listen="0.0.0.0:0", tls_certificate=str(pki.server.certificate), tls_key=str(key)
    )
    with pytest.raises(UnsafeConfigurationError, match=r"server\.key"):
        network_of(section, tokens)
    key.chmod(0o600)
    assert network_of(section, tokens)
    tokens.chmod(0o644)
    with pytest.raises(UnsafeConfigurationError, match=r"tokens\.json"):
        network_of(section, tokens)


def test_client_certificates_without_encryption_are_refused(pki: Pki, tokens: Path) -> None:
    section = ServerSettings(listen="127.0.0.1:0", tls_client_ca=str(pki.ca))
    with pytest.raises(UnsafeConfigurationError, match="tls_client_ca"):
        network_of(section, tokens)


@pytest.mark.parametrize(
    "listen",
    ["localhost:1", "host:1", ":7443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:1",
     "127.0.0.1:-1", "[127.0.0.1]:1", "unix:/x", "127.1:1", "127.0.0.1:٣", "[::1%lo]:1:1"],
)  # fmt: skip
def test_address_that_is_no_ip_and_port_is_invalid(tokens: Path, listen: str) -> None:
    with pytest.raises(InvalidInputError, match=r"server\.listen"):
        network_of(ServerSettings(listen=listen), tokens)


def test_files_that_are_no_pair_are_invalid(pki: Pki, tokens: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "text").chmod(0o600)
    certificate, key, text = str(pki.server.certificate), str(pki.server.key), f"{tmp_path}/text"
    for section in (
        {"tls_certificate": certificate},
        {"tls_key": key},
        {"tls_certificate": certificate, "tls_key": str(pki.client.key)},
        {"tls_certificate": text, "tls_key": key},
        {"tls_certificate": certificate, "tls_key": text},
        {"tls_certificate": f"{tmp_path}/none", "tls_key": key},
        {"tls_certificate": certificate, "tls_key": f"{tmp_path}/none"},
        {**pki.tls, "tls_client_ca": text},
        {**pki.tls, "tls_client_ca": key},
    ):
        with pytest.raises(InvalidInputError):
            network_of(ServerSettings(listen="127.0.0.1:0", **section), tokens)


def test_without_listen_there_is_no_network(tmp_path: Path) -> None:
    assert network_of(ServerSettings(), tmp_path / "none.json") is None


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "127.0.0.1:0"])
def test_serve_ends_with_2_before_anything_is_opened(
    stratlab: Program,  # noqa: F811
    home: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    listen: str,
) -> None:
    monkeypatch.setenv("STRATLAB_SERVER__LISTEN", listen)
    ended = stratlab("serve", "--json")
    assert ended.code == 2
    assert '"type": "UNSAFE_CONFIGURATION"' in ended.out
    assert "next: " in ended.err
    assert list(home.iterdir()) == []


async def test_port_in_use_is_refused_and_the_socket_is_given_back(
    lab: FakeLab, tokens: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        section = ServerSettings(listen=f"127.0.0.1:{other.getsockname()[1]}")
        server = ApiServer(
            lab, address=f"unix:{tmp_path}/run/s", network=network_of(section, tokens)
        )
        with pytest.raises(AlreadyExistsError, match="in use"):
            await server.start()
    assert not (tmp_path / "run" / "s").exists()
    async with ApiServer(
        lab, address=f"unix:{tmp_path}/run/s", network=network_of(section, tokens)
    ):
        pass


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="missing: IPv6 on this host")
async def test_ipv6_loopback_is_served(serve: Serve) -> None:
    async with serve(listen="[::1]:0") as served:
        assert served.address.startswith("[::1]:")
        async with served.channel() as channel:
            assert await raw_call(channel, LIST, bearer(served.secrets["viewer"])) == "OK"


def secure(pki: Pki, address: str, **files: Path) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        files.get("ca", pki.ca).read_bytes(),
        files["key"].read_bytes() if "key" in files else None,
        files["certificate"].read_bytes() if "certificate" in files else None,
    )
    return grpc.aio.secure_channel(
        address, credentials, options=[("grpc.use_local_subchannel_pool", 1)]
    )


async def test_tls_serves_those_who_trust_it_and_have_a_token(serve: Serve, pki: Pki) -> None:
    async with serve(**pki.tls) as served:
        token = bearer(served.secrets["viewer"])
        async with secure(pki, served.address) as channel:
            assert await raw_call(channel, LIST, token) == "OK"
            assert await raw_call(channel, LIST) == "UNAUTHENTICATED"
        async with secure(pki, served.address, ca=pki.strange_ca) as channel:
            assert await raw_call(channel, LIST, token) == "UNAVAILABLE"
        async with served.channel() as plaintext:
            assert await raw_call(plaintext, LIST, token) == "UNAVAILABLE"


async def test_mtls_serves_nothing_without_the_right_certificate(serve: Serve, pki: Pki) -> None:
    async with serve(**pki.mtls) as served:
        token = bearer(served.secrets["operator"])
        strange = {"certificate": pki.strange_client.certificate, "key": pki.strange_client.key}
        known = {"certificate": pki.client.certificate, "key": pki.client.key}
        for files, expected in (({}, "UNAVAILABLE"), (strange, "UNAVAILABLE"), (known, "OK")):
            async with secure(pki, served.address, **files) as channel:
                assert await raw_call(channel, LIST, token) == expected
                assert await raw_call(channel, HEALTH) == expected
        async with secure(pki, served.address, **known) as channel:
            assert await raw_call(channel, LIST) == "UNAUTHENTICATED"
        async with served.channel() as plaintext:
            assert await raw_call(plaintext, HEALTH) == "UNAVAILABLE"


async def test_tls_client_at_a_plaintext_port_fails(serve: Serve, pki: Pki) -> None:
    async with serve() as served, secure(pki, served.address) as channel:
        assert await raw_call(channel, LIST, bearer(served.secrets["viewer"])) == "UNAVAILABLE"


async def test_garbage_on_the_port_disturbs_nobody(serve: Serve, pki: Pki) -> None:
    async with serve(**pki.tls) as served:
        for garbage in (b"", b"\0" * 4096, b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096)):
            with socket.create_connection(("127.0.0.1", served.port)) as raw:
                raw.sendall(garbage)
        async with secure(pki, served.address) as channel:
            assert await raw_call(channel, LIST, bearer(served.secrets["viewer"])) == "OK"


def test_client_refuses_what_would_betray_the_token(pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(UnsafeConfigurationError, match="encrypts nothing"):
        Client("http://192.0.2.1:7443", token=UNKNOWN)
    key = tmp_path / "client.key"
    key.write_bytes(pki.client.key.read_bytes())
    key.chmod(0o644)
    with pytest.raises(UnsafeConfigurationError, match=r"client\.key"):
        Client("127.0.0.1:1", certificate=pki.client.certificate, key=key)


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:", "ftp://host:1", "https://host", "host:99999", "http://h:1/path", "//"],
)
def test_client_refuses_an_address_it_cannot_use(address: str) -> None:
    with pytest.raises(InvalidInputError):
        Client(address)


def test_client_refuses_half_a_pair_and_missing_files(pki: Pki, tmp_path: Path) -> None:
    for files in (
        {"certificate": pki.client.certificate},
        {"key": pki.client.key},
        {"ca": tmp_path / "none"},
        {"certificate": tmp_path / "none", "key": pki.client.key},
    ):
        with pytest.raises(InvalidInputError):
            Client("127.0.0.1:1", **files)


async def test_python_client_speaks_mtls_with_a_token(serve: Serve, pki: Pki) -> None:
    def talk(address: str, token: str) -> list[object]:
        files = {"ca": pki.ca, "certificate": pki.client.certificate, "key": pki.client.key}
        with Client(address, token=token, timeout=5, **files) as client:
            return list(client.list_datasets())

    def fail(token: str, expected: type[StratlabError], **files: Path) -> StratlabError:
        with (
            Client(address, token=token, timeout=5, **files) as client,
            pytest.raises(expected) as caught,
        ):
            list(client.list_datasets())
        return caught.value

    async with serve(**pki.mtls) as served:
        address, token = served.address, served.secrets["viewer"]
        assert len(await asyncio.to_thread(talk, address, token)) == 2
        assert len(await asyncio.to_thread(talk, f"https://{address}", token)) == 2
        with pytest.raises(UnauthenticatedError):
            await asyncio.to_thread(talk, address, UNKNOWN)
        error = await asyncio.to_thread(fail, token, ServerUnreachableError, ca=pki.strange_ca)
        assert "--ca" in error.hint


async def test_commands_reach_a_server_elsewhere(serve: Serve, pki: Pki, tmp_path: Path) -> None:
    async with serve(**pki.mtls) as served:
        token = tmp_path / "token"
        token.touch(mode=0o600)
        token.write_text(served.secrets["viewer"] + "\n")

        async def run(*arguments: str) -> tuple[int, str, str]:
            program = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", "from stratlab.cli.main import run; run()"),
                *("--home", str(tmp_path / "empty"), "--address", served.address),
                *("--ca", str(pki.ca), *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await program.communicate()
            return program.returncode, out.decode(), err.decode()

        certificate = ("--cert", str(pki.client.certificate), "--key", str(pki.client.key))
        whole = (*certificate, "--token-file", str(token))
        code, out, err = await run(*whole, "data", "list", "--json")
        assert (code, err) == (0, "")
        assert "us-daily" in out
        code, _, err = await run(*whole, "campaign", "pause", "c0001")
        assert code == 2
        assert "viewer" in err
        code, _, err = await run(*certificate, "data", "list")
        assert code == 2
        assert "--token-file" in err
        code, _, err = await run("--token-file", str(token), "campaign", "list")
        assert code == 4
        assert err.startswith("error: no controller answers")
        token.chmod(0o644)
        code, _, err = await run(*whole, "campaign", "list")
        assert code == 2
        assert "chmod 600" in err
    assert not (tmp_path / "empty" / "stratlab.db").exists()
