"""Runs a controller inside this process: for `serve`, and for commands without a server."""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import final

from stratlab.api.backend import Backend
from stratlab.api.network import Network
from stratlab.api.server import ApiServer
from stratlab.campaigns.backtest import BacktestReport, BacktestRequest
from stratlab.domain.campaign import Campaign, CampaignSpec
from stratlab.domain.errors import ServerUnreachableError
from stratlab.domain.events import Event
from stratlab.domain.flag import Flag
from stratlab.domain.ports import Artifacts, ProgressListener, Repository
from stratlab.domain.strategy import GeneratorKind, ScreeningReport
from stratlab.domain.trial import TrialProgress
from stratlab.market_data import Catalogue
from stratlab.screening import SubprocessScreener
from stratlab.settings import Settings
from stratlab.store import FileArtifacts, open_repository
from stratlab.store.home import make_home


def private_home(settings: Settings) -> Path:
    """Return the home directory, made or made private; see :func:`stratlab.store.home.make_home`.

    Raises:
        InvalidInputError: It cannot be made.
        UnsafeConfigurationError: It belongs to something else.
        DiskFullError: No space is left for it.
    """
    return make_home(settings.home_path)


@asynccontextmanager
async def serve_lab(settings: Settings, address: str) -> AsyncIterator[str]:
    """Serve a whole lab on a unix socket and yield the address; see :func:`open_server`."""
    async with open_server(settings, address) as server:
        yield server.address


@asynccontextmanager
async def open_server(
    settings: Settings, address: str, network: Network | None = None
) -> AsyncIterator[ApiServer]:
    """Serve a whole lab; unfinished campaigns continue at once.

    Args:
        settings: All of them.
        address: ``unix:/path``.
        network: The TCP listener; None for none.

    Raises:
        WrongStateError: Another controller uses this home directory.
        StoreError: The database cannot be opened.
    """
    # keeps start-up fast: reading what is stored needs no sandbox, generators or loop
    from stratlab.bootstrap import open_lab  # noqa: PLC0415

    private_home(settings)
    async with open_lab(settings) as lab, _server(lab, settings, address, network) as server:
        yield server


@asynccontextmanager
async def serve_records(settings: Settings) -> AsyncIterator[str]:
    """Serve what is stored, for reading, and yield the address; nothing is run or changed."""
    home = private_home(settings)
    with (
        contextlib.closing(open_repository(settings.store_url)) as repository,
        tempfile.TemporaryDirectory(prefix="stratlab-") as directory,
    ):
        address = f"unix:{directory}/stratlab.sock"
        artifacts = FileArtifacts(home, repository)
        async with _server(_Records(home, repository, artifacts), settings, address):
            yield address


@contextmanager
def in_thread(service: AbstractAsyncContextManager[str]) -> Iterator[str]:
    """Run a service in a thread with an event loop of its own, and yield its address.

    What the service raises, at its start or at its end, is raised here.
    """
    started: Future[str] = Future()
    ended: Future[None] = Future()
    loop, stopping = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with service as address:
            started.set_result(address)
            await stopping.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            (ended if started.done() else started).set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=work, name="controller")
    thread.start()
    try:
        yield started.result()
    finally:
        # Also when the caller was interrupted before the service had started.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stopping.set)
        thread.join()
    ended.result()


def _server(
    backend: Backend, settings: Settings, address: str, network: Network | None = None
) -> ApiServer:
    return ApiServer(
        backend,
        address=address,
        network=network,
        runtime=settings.sandbox.runtime,
        generator=(GeneratorKind.HYBRID if settings.can_ask_models else GeneratorKind.FACTOR_GRAPH),
        call_seconds=settings.server.call_seconds,
        drain_seconds=settings.server.drain_seconds,
    )


@final
class _Records:
    # A Backend that only reads.

    def __init__(self, home: Path, repository: Repository, artifacts: Artifacts) -> None:
        self.repository = repository
        self.artifacts = artifacts
        self.market_data = Catalogue(home)
        self.screener = SubprocessScreener()
        self.manager = _NoController()
        self.backtester = _NoController()
        self.sandbox_ready = Flag()


@final
class _NoController:
    # Stands for campaigns and backtests where nothing is run.

    async def create(self, spec: CampaignSpec, request_id: str, actor: str) -> Campaign:
        del spec, request_id, actor
        raise _nobody_runs()

    async def replay(self, campaign_id: str, request_id: str, actor: str) -> Campaign:
        del campaign_id, request_id, actor
        raise _nobody_runs()

    async def pause(self, campaign_id: str, actor: str) -> Campaign:
        del campaign_id, actor
        raise _nobody_runs()

    resume = cancel = pause

    async def approve(self, campaign_id: str, actor: str, *, decline: bool) -> Campaign:
        del campaign_id, actor, decline
        raise _nobody_runs()

    async def open_holdout(self, campaign_id: str, actor: str, *, iteration: int) -> Campaign:
        del campaign_id, actor, iteration
        raise _nobody_runs()

    def watch(
        self, campaign_id: str, *, after: int, include_progress: bool
    ) -> AsyncIterator[Event | TrialProgress]:
        del campaign_id, after, include_progress
        raise _nobody_runs()

    async def run(self, request: BacktestRequest, on_progress: ProgressListener) -> BacktestReport:
        del request, on_progress
        raise _nobody_runs()

    async def smoke(self, request: BacktestRequest) -> ScreeningReport:
        del request
        raise _nobody_runs()


def _nobody_runs() -> ServerUnreachableError:
    return ServerUnreachableError("no controller runs, so nothing can be run or changed")
