"""A lab with a real store and a real watch, and scripted campaigns and backtests."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
from tests.api.samples import RESULT, US_DAILY, campaign_of

from stratlab.api.server import ApiServer
from stratlab.campaigns.backtest import BacktestReport, BacktestRequest
from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.manager import CampaignManager
from stratlab.campaigns.transitions import record_transition
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState
from stratlab.domain.errors import DataSetNotFoundError, WrongStateError
from stratlab.domain.events import EventKind
from stratlab.domain.flag import Flag
from stratlab.domain.market import DataSet, MarketSet, PricePanel, Tier
from stratlab.domain.ports import ProgressListener, Repository
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import TrialProgress
from stratlab.screening.screener import SubprocessScreener
from stratlab.store import open_repository
from stratlab.store.artifacts import FileArtifacts

Result = TypeVar("Result")


class FakeMarketData:
    """Two data sets with made-up prices on all weekdays."""

    def __init__(self) -> None:
        self.data_sets = (replace(US_DAILY, name="synthetic"), US_DAILY)

    def list(self) -> Sequence[DataSet]:
        return sorted(self.data_sets, key=lambda data_set: data_set.name)

    def get(self, name: str) -> DataSet:
        for data_set in self.data_sets:
            if data_set.name == name:
                return data_set
        raise DataSetNotFoundError(f"no data set {name}", data_set=name)

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        data_set = self.get(market.data_set)
        missing = set(market.symbols) - set(data_set.symbols)
        if missing:
            raise DataSetNotFoundError(f"{market.data_set} has no {missing}")
        days = np.arange(data_set.warm_up_start, data_set.tiers[tier].end, dtype="datetime64[D]")
        days = days[np.is_busday(days)]
        random = np.random.default_rng(1)
        moves = random.normal(0.0003, 0.01, (len(days), len(market.symbols)))
        close = np.round(50 * np.exp(np.cumsum(moves, axis=0)), 2)
        return PricePanel(
            bars=days.astype("datetime64[s]").astype(np.int64),
            symbols=market.symbols,
            open=close - 0.1,
            high=close + 0.5,
            low=close - 0.5,
            close=close,
            volume=np.full_like(close, 1e6),
        )


@dataclass
class FakeBacktester:
    """Reports progress, then what it was told to; or raises, or waits to be cancelled."""

    report: BacktestReport | None = None
    error: Exception | None = None
    hangs: bool = False
    progress: Sequence[float] = (0.25, 0.5, 1.0)
    requests: list[BacktestRequest] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, request: BacktestRequest, on_progress: ProgressListener) -> BacktestReport:
        self.requests.append(request)
        try:
            for fraction in self.progress:
                on_progress(TrialProgress("", "t1", fraction, 991353600, 100_000.0))
                await asyncio.sleep(0.01)
            if self.hangs:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error:
            raise self.error
        return self.report or BacktestReport(RESULT, ScreeningReport(), request.limits)

    async def smoke(self, request: BacktestRequest) -> ScreeningReport:
        report = await self.run(request, lambda _: None)
        return report.screening


class FakeManager:
    """Stores campaigns and moves their state; watching is the real thing."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.bus = EventBus()
        self.created: list[CampaignSpec] = []
        self.raises: Exception | None = None
        self.opened: list[tuple[str, str, int]] = []
        workshop = SimpleNamespace(repository=repository, bus=self.bus)
        self._real = CampaignManager(workshop, None)  # type: ignore[arg-type]  # watch needs no more
        self.watch = self._real.watch

    async def create(self, spec: CampaignSpec, request_id: str, actor: str) -> Campaign:
        if self.raises:
            raise self.raises
        draft = campaign_of(len(self.created) + 1, spec=spec)
        campaign = await asyncio.to_thread(
            self.repository.create_campaign, draft, request_id, actor
        )
        self.created.append(spec)
        return campaign

    async def pause(self, campaign_id: str, actor: str) -> Campaign:
        return self.move(campaign_id, CampaignState.PAUSED, actor)

    async def resume(self, campaign_id: str, actor: str) -> Campaign:
        return self.move(campaign_id, CampaignState.QUEUED, actor)

    async def approve(self, campaign_id: str, actor: str, *, decline: bool) -> Campaign:
        state = CampaignState.CODE_GENERATED if decline else CampaignState.CAMPAIGN_RUNNING
        return self.move(campaign_id, state, actor)

    async def replay(self, campaign_id: str, request_id: str, actor: str) -> Campaign:
        if self.raises:
            raise self.raises
        original = await asyncio.to_thread(self.repository.get_campaign, campaign_id)
        return await self.create(original.spec, request_id, actor)

    async def open_holdout(self, campaign_id: str, actor: str, *, iteration: int) -> Campaign:
        if self.raises:
            raise self.raises
        campaign = await asyncio.to_thread(self.repository.get_campaign, campaign_id)
        self.opened.append((campaign_id, actor, iteration))
        return campaign

    async def cancel(self, campaign_id: str, actor: str) -> Campaign:
        return self.move(campaign_id, CampaignState.CANCELLED, actor)

    def move(
        self, campaign_id: str, state: CampaignState, actor: str = "", **changes: object
    ) -> Campaign:
        before = self.repository.get_campaign(campaign_id)
        if before.state.is_final:
            raise WrongStateError(f"campaign {campaign_id} is {before.state}")
        after = replace(before, state=state, state_reason="TEST", **changes)
        with self.repository.transaction() as transaction:
            moved = record_transition(transaction, before, after, actor)
        self.bus.notify(campaign_id)
        return moved

    def append(self, campaign_id: str, count: int) -> None:
        """Append events and wake the watchers."""
        at = self.repository.get_campaign(campaign_id).created_at
        for _ in range(count):
            with self.repository.transaction() as transaction:
                payload = {"index": 0, "score": None, "reason": "text"}
                transaction.append_event(campaign_id, at, EventKind.TRIAL_FINISHED, payload)
            self.bus.notify(campaign_id)


class FakeLab:
    """Everything an ApiServer needs."""

    def __init__(self, home: Path) -> None:
        self.repository = open_repository(f"sqlite:///{home / 'stratlab.db'}")
        self.artifacts = FileArtifacts(home, self.repository)
        self.market_data = FakeMarketData()
        self.screener = SubprocessScreener()
        self.manager = FakeManager(self.repository)
        self.backtester = FakeBacktester()
        self.sandbox_ready = Flag()


@contextlib.asynccontextmanager
async def serve(lab: FakeLab, directory: Path) -> AsyncIterator[str]:
    """Serve a lab inside the running loop and yield the address."""
    address = f"unix:{directory / 'stratlab.sock'}"
    async with ApiServer(lab, address=address, drain_seconds=0.2):
        yield address


class ServedLab:
    """A lab served in a thread of its own, for callers that block; ``close`` stops it."""

    def __init__(self, lab: FakeLab, address: str, stop: Callable[[], None]) -> None:
        self.lab = lab
        self.address = address
        self.close = stop
        self._loop = asyncio.get_running_loop()

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Run a function inside the server's loop and return what it returns."""

        async def run() -> Result:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)


@contextlib.contextmanager
def serve_in_thread(home: Path) -> Iterator[ServedLab]:
    """Serve a fresh lab below ``home`` until the context ends."""
    started: queue.Queue[ServedLab | BaseException] = queue.Queue()
    stopping = threading.Event()

    async def main() -> None:
        lab = FakeLab(home)
        try:
            async with serve(lab, home) as address:
                started.put(ServedLab(lab, address, stop))
                await asyncio.to_thread(stopping.wait)
        finally:
            lab.repository.close()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            started.put(error)
            raise

    def stop() -> None:
        stopping.set()
        thread.join(timeout=30)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        served = started.get(timeout=30)
        if isinstance(served, BaseException):
            raise served
        yield served
    finally:
        stop()
