"""How much one caller may ask for, and how calls end: quotas, sizes, deadlines, slow readers."""

import asyncio
import time
from collections.abc import Callable

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.conftest import Serve
from tests.access.network import ServedNetwork, bearer, details_of, error_of, raw_call
from tests.api.samples import NOW, campaign_of

from stratlab.api.access.quotas import Meter, Quotas
from stratlab.client import Client
from stratlab.domain.access import Role
from stratlab.domain.campaign import CampaignState
from stratlab.domain.errors import RateLimitedError
from stratlab.domain.events import EventKind
from stratlab.domain.trial import TrialProgress
from stratlab_proto.v1 import (
    backtest_service_pb2,
    backtest_service_pb2_grpc,
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)

LIST = "/stratlab.v1.CampaignService/ListCampaigns"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = campaign_service_pb2.WatchCampaignRequest(name="campaigns/c0001")
PAUSE = campaign_service_pb2.PauseCampaignRequest(name="campaigns/c0001")


def campaigns_of(channel: grpc.aio.Channel) -> campaign_service_pb2_grpc.CampaignServiceStub:
    return campaign_service_pb2_grpc.CampaignServiceStub(channel)


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 2), max_size=200),
)
def test_calls_never_exceed_burst_and_rate(rate: float, burst: int, pauses: list[float]) -> None:
    now = 0.0
    meter = Meter(Quotas(rate, burst), clock=lambda: now)
    begun = 0
    for pause in pauses:
        now += pause
        try:
            meter.start_call()
            begun += 1
        except RateLimitedError as error:
            wait = float(error.data["retry_seconds"])
            assert 0 < wait <= 1 / rate + 0.001
        assert begun <= burst + now * rate + 1e-6


@given(rate=st.floats(0.1, 1000), burst=st.integers(1, 50))
def test_call_succeeds_after_the_wait_it_was_told(rate: float, burst: int) -> None:
    now = 0.0
    meter = Meter(Quotas(rate, burst), clock=lambda: now)
    for _ in range(burst):
        meter.start_call()
    with pytest.raises(RateLimitedError) as caught:
        meter.start_call()
    now += float(caught.value.data["retry_seconds"]) + 0.001
    meter.start_call()


async def test_too_many_calls_are_refused_with_the_time_to_wait(serve: Serve) -> None:
    async with serve(calls_per_second=0.01, call_burst=3) as served, served.channel() as channel:
        stub, viewer = campaigns_of(channel), bearer(served.secrets["viewer"])
        request = campaign_service_pb2.ListCampaignsRequest()
        for _ in range(3):
            await stub.ListCampaigns(request, metadata=viewer)
        code, info, retry = await error_of(stub.ListCampaigns(request, metadata=viewer))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert info.reason == "RATE_LIMITED"
        assert 90 < retry <= 100
        # Another token has quotas of its own, and probes have theirs.
        await stub.ListCampaigns(request, metadata=bearer(served.secrets["operator"]))
        assert await raw_call(channel, HEALTH) == "OK"


async def test_refused_calls_count_and_strangers_use_up_nobodys_room(serve: Serve) -> None:
    async with serve(calls_per_second=0.001, call_burst=3) as served, served.channel() as channel:
        for _ in range(10):
            assert await raw_call(channel, LIST) == "UNAUTHENTICATED"
        viewer = bearer(served.secrets["viewer"])
        pause = "/stratlab.v1.CampaignService/PauseCampaign"
        statuses = [await raw_call(channel, pause, viewer) for _ in range(5)]
        assert statuses == ["PERMISSION_DENIED"] * 3 + ["RESOURCE_EXHAUSTED"] * 2
        assert await raw_call(channel, LIST, bearer(served.secrets["operator"])) == "OK"


async def test_owner_knows_no_quotas(serve: Serve) -> None:
    async with (
        serve(calls_per_second=0.001, call_burst=1, streams=1) as served,
        grpc.aio.insecure_channel(served.server.address) as channel,
    ):
        for _ in range(20):
            assert await raw_call(channel, LIST) == "OK"


async def test_python_client_waits_as_long_as_it_is_told(serve: Serve) -> None:
    def talk(address: str, token: str) -> float:
        begin = time.monotonic()
        with Client(f"http://{address}", token=token, timeout=10) as client:
            for _ in range(6):
                assert list(client.list_campaigns()) == []
        return time.monotonic() - begin

    async with serve(calls_per_second=10.0, call_burst=1) as served:
        seconds = await asyncio.to_thread(talk, served.address, served.secrets["viewer"])
    assert seconds > 0.45


async def test_open_streams_are_bounded_and_given_back(serve: Serve) -> None:
    async with serve(streams=2) as served, served.channel() as channel:
        served.lab.repository.create_campaign(campaign_of(1), "r")
        stub, viewer = campaigns_of(channel), bearer(served.secrets["viewer"])
        watches = [stub.WatchCampaign(WATCH, metadata=viewer) for _ in range(2)]
        for watch in watches:
            assert (await watch.read()).event.number == 1
        code, info, retry = await error_of(stub.WatchCampaign(WATCH, metadata=viewer).read())
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (info.reason, retry) == ("RATE_LIMITED", 1.0)
        other = stub.WatchCampaign(WATCH, metadata=bearer(served.secrets["operator"]))
        assert (await other.read()).event.number == 1
        assert await raw_call(channel, LIST, viewer) == "OK"
        watches[0].cancel()
        for _ in range(100):
            again = stub.WatchCampaign(WATCH, metadata=viewer)
            try:
                assert (await again.read()).event.number == 1
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
        else:
            pytest.fail("the stream's place was never given back")


async def test_oversized_requests_and_metadata_are_refused(served: ServedNetwork) -> None:
    researcher = bearer(served.secrets["researcher"])
    async with served.channel() as channel:
        stub = strategy_service_pb2_grpc.StrategyServiceStub(channel)
        request = strategy_service_pb2.ValidateStrategyRequest(source="#" * 1_100_000)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ValidateStrategy(request, metadata=researcher)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # Without a token nothing of it is even read.
        code, _, _ = await error_of(stub.ValidateStrategy(request))
        assert code is grpc.StatusCode.UNAUTHENTICATED
        large = (*researcher, ("x-large", "x" * 40_000))
        assert await raw_call(channel, LIST, large) == "RESOURCE_EXHAUSTED"
        assert await raw_call(channel, LIST, researcher) == "OK"


async def test_call_that_takes_too_long_is_ended_by_the_server(serve: Serve) -> None:
    cancelled = asyncio.Event()

    async def hang(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(call_seconds=0.3) as served, served.channel() as channel:
        served.lab.repository.create_campaign(campaign_of(1), "r")
        served.lab.manager.pause = hang
        call = campaigns_of(channel).PauseCampaign(
            PAUSE, metadata=bearer(served.secrets["operator"]), timeout=60
        )
        begin = time.monotonic()
        code, info, _ = await error_of(call)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert info.reason == "CALL_TIMEOUT"
        assert time.monotonic() - begin < 10
        assert cancelled.is_set()


async def test_callers_deadline_ends_the_work(served: ServedNetwork) -> None:
    cancelled = asyncio.Event()

    async def hang(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    served.lab.repository.create_campaign(campaign_of(1), "r")
    served.lab.manager.pause = hang
    async with served.channel() as channel:
        call = campaigns_of(channel).PauseCampaign(
            PAUSE, metadata=bearer(served.secrets["operator"]), timeout=0.2
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(cancelled.wait(), 5)


def append_large_events(served: ServedNetwork, count: int) -> None:
    text = "x" * 2000
    with served.lab.repository.transaction() as transaction:
        for index in range(count):
            payload = {"index": index, "score": None, "reason": text}
            transaction.append_event("c0001", NOW, EventKind.TRIAL_FINISHED, payload)


@pytest.fixture
def count_pages(monkeypatch: pytest.MonkeyPatch) -> Callable[[ServedNetwork], list[int]]:
    def count(served: ServedNetwork) -> list[int]:
        pages: list[int] = []
        real = served.lab.repository.events

        def events(campaign_id: str, **bounds: int) -> object:
            page = real(campaign_id, **bounds)
            pages.append(len(page))
            return page

        monkeypatch.setattr(served.lab.repository, "events", events)
        return pages

    return count


async def test_slow_reader_holds_back_the_server_and_loses_nothing(
    served: ServedNetwork, count_pages: Callable[[ServedNetwork], list[int]]
) -> None:
    served.lab.repository.create_campaign(campaign_of(1), "r")
    append_large_events(served, 12_000)  # 25 MB, 25 pages
    pages, viewer = count_pages(served), bearer(served.secrets["viewer"])
    async with served.channel() as slow, served.channel() as quick:
        watch = campaigns_of(slow).WatchCampaign(WATCH, metadata=viewer)
        numbers = [(await watch.read()).event.number]
        # It reads no further: what the server has read for it stops to grow ...
        held = -1
        while held < len(pages):
            held = len(pages)
            await asyncio.sleep(0.6)
        assert held <= 10
        # ... and everybody else is served as before.
        for _ in range(5):
            begin = time.monotonic()
            assert await raw_call(quick, LIST, viewer) == "OK"
            assert time.monotonic() - begin < 5.0
        served.lab.manager.move("c0001", CampaignState.CANCELLED)
        numbers += [item.event.number for item in await _rest(watch)]
    assert numbers == list(range(1, 12_003))


async def test_slow_reader_of_progress_misses_some_and_no_event(served: ServedNetwork) -> None:
    served.lab.repository.create_campaign(campaign_of(1), "r")
    async with served.channel() as channel:
        request = campaign_service_pb2.WatchCampaignRequest(
            name="campaigns/c0001", include_progress=True
        )
        watch = campaigns_of(channel).WatchCampaign(
            request, metadata=bearer(served.secrets["viewer"])
        )
        assert (await watch.read()).event.number == 1
        await asyncio.sleep(0.1)
        for index in range(50_000):
            progress = TrialProgress("c0001", "t" * 100, index / 50_000, 991353600, 1.0)
            served.lab.manager.bus.notify("c0001", progress)
        served.lab.manager.append("c0001", 3)
        served.lab.manager.move("c0001", CampaignState.CANCELLED)
        items = await _rest(watch)
    numbers = [item.event.number for item in items if item.HasField("event")]
    assert numbers == [2, 3, 4, 5]
    assert len(items) - len(numbers) <= 64


async def test_stop_sends_watchers_to_the_next_server_and_lets_work_end(serve: Serve) -> None:
    pausing = asyncio.Event()

    async with serve(drain_seconds=5.0) as served, served.channel() as channel:
        lab = served.lab
        lab.repository.create_campaign(campaign_of(1), "r")

        async def slow(*_: object) -> object:
            pausing.set()
            await asyncio.sleep(0.5)
            return lab.repository.get_campaign("c0001")

        lab.manager.pause = slow
        stub, operator = campaigns_of(channel), bearer(served.secrets["operator"])
        watch = stub.WatchCampaign(WATCH, metadata=operator)
        assert (await watch.read()).event.number == 1
        pause = asyncio.ensure_future(_answer(stub.PauseCampaign(PAUSE, metadata=operator)))
        await pausing.wait()
        begin = time.monotonic()
        stopping = asyncio.create_task(served.server.stop())
        code, info, _ = await error_of(watch.read())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert info.reason == "SERVER_STOPPING"
        assert not stopping.done()
        assert (await pause).name == "campaigns/c0001"
        await stopping
        assert time.monotonic() - begin < 4
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PauseCampaign(PAUSE, metadata=operator)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_work_that_outlives_the_drain_is_told_to_come_back(serve: Serve) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async with serve(drain_seconds=0.3) as served, served.channel() as channel:
        lab = served.lab
        lab.repository.create_campaign(campaign_of(1), "r")
        lab.manager.pause = hang
        lab.backtester.hangs = True
        researcher = bearer(served.add_token("alice", Role.OPERATOR))
        backtest = backtest_service_pb2_grpc.BacktestServiceStub(channel).RunBacktest(
            backtest_service_pb2.RunBacktestRequest(source="x = 1"), metadata=researcher
        )
        await backtest.read()
        pause = asyncio.ensure_future(
            _answer(campaigns_of(channel).PauseCampaign(PAUSE, metadata=researcher))
        )
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        await served.server.stop()
        assert time.monotonic() - begin < 5
        for call in (pause, _rest(backtest)):
            code, info, _ = await error_of(call)
            assert code is grpc.StatusCode.UNAVAILABLE
            assert info.reason == "SERVER_STOPPING"
        await asyncio.wait_for(lab.backtester.cancelled.wait(), 5)


async def test_reader_that_never_reads_does_not_hold_up_the_stop(serve: Serve) -> None:
    async with serve(drain_seconds=0.2) as served, served.channel() as channel:
        served.lab.repository.create_campaign(campaign_of(1), "r")
        append_large_events(served, 6000)
        viewer = bearer(served.secrets["viewer"])
        watch = campaigns_of(channel).WatchCampaign(WATCH, metadata=viewer)
        await watch.read()
        await asyncio.sleep(0.3)
        begin = time.monotonic()
        await served.server.stop()
        assert time.monotonic() - begin < 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _rest(watch)
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_status_of_a_stopping_server_fits_every_client(serve: Serve) -> None:
    async with serve(drain_seconds=0.0) as served, served.channel() as channel:
        served.lab.repository.create_campaign(campaign_of(1), "r")
        watch = campaigns_of(channel).WatchCampaign(
            WATCH, metadata=bearer(served.secrets["viewer"])
        )
        await watch.read()
        await served.server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    _, info, _ = details_of(caught.value)
    assert "again" in info.metadata["hint"]


async def _answer(call: object) -> object:
    return await call


async def _rest(call: object) -> list[campaign_service_pb2.WatchCampaignResponse]:
    items = []
    while (item := await call.read()) is not grpc.aio.EOF:
        items.append(item)
    return items
