"""Certificates made for the tests, and a lab that is served on a TCP port."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.access.network import Pki, ServedNetwork
from tests.api.fake_lab import FakeLab

from stratlab.api.network import network_of
from stratlab.api.server import ApiServer
from stratlab.domain.access import Role
from stratlab.settings import ServerSettings

Serve = Callable[..., AbstractAsyncContextManager[ServedNetwork]]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[FakeLab]:
    lab = FakeLab(tmp_path)
    yield lab
    lab.repository.close()


@pytest.fixture
def serve(lab: FakeLab, tmp_path: Path) -> Serve:
    """Serve the lab with a token of each role; settings of the server section are arguments."""

    @contextlib.asynccontextmanager
    async def serve(**section: object) -> AsyncIterator[ServedNetwork]:
        settings = ServerSettings(**{"listen": "127.0.0.1:0", "drain_seconds": 0.2} | section)
        tokens = tmp_path / "tokens.json"
        served = ServedNetwork(lab, tokens)
        for role in Role:
            served.add_token(role.name.lower(), role)
        server = ApiServer(
            lab,
            address=f"unix:{tmp_path}/run/s",
            network=network_of(settings, tokens),
            call_seconds=settings.call_seconds,
            drain_seconds=settings.drain_seconds,
        )
        async with server:
            served.started(server)
            yield served

    return serve


@pytest.fixture
async def served(serve: Serve) -> AsyncIterator[ServedNetwork]:
    async with serve() as served:
        yield served
