"""What the API costs: unary calls, a thousand watchers of a campaign, a hundred created at once.

Run ``python -m benchmarks.api [--streams N]``. The server is the real one, in a process of its own
on a unix socket, over the small lab (real store, loop, screening and reports; scripted sandbox);
this process is the only client, and both share the machine's cores.

The latency of an event is the time from its entry in the audit chain to its arrival in this
process, by the same clock. Every watcher's events are counted and compared with the stored ones.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from benchmarks.support.figures import head, machine, percentile, resident_mib, row

from stratlab_proto.v1 import campaign_service_pb2 as pb
from stratlab_proto.v1 import campaign_service_pb2_grpc as api

CALLS = 2000
CALLERS = 16
WATCHED_ITERATIONS = 6
BATCH_SECONDS = 2.0
CAMPAIGNS = 100
STREAMS_PER_CONNECTION = 250
_LOCAL_POOL = (("grpc.use_local_subchannel_pool", 1),)


@dataclass
class Server:
    """The server's process and address."""

    process_id: int
    address: str

    @contextmanager
    def connections(self, count: int) -> Iterator[list[api.CampaignServiceStub]]:
        """Open several connections, each with a stub."""
        channels = [grpc.aio.insecure_channel(self.address, _LOCAL_POOL) for _ in range(count)]
        yield [api.CampaignServiceStub(channel) for channel in channels]


@contextmanager
def served(seconds: float) -> Iterator[Server]:
    """Run a server on a fresh home directory; a batch of trials takes ``seconds``."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        command = [sys.executable, "-m", "benchmarks.support.server", home, str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "serving\n"
            try:
                yield Server(process.pid, f"unix:{home}/stratlab.sock")
            finally:
                process.kill()


def campaign_request(iterations: int) -> pb.CreateCampaignRequest:
    """Return the request for a campaign of the small lab."""
    spec = pb.CampaignSpec(
        display_name="bench",
        data_set="small",
        markets=[pb.MarketSet(symbols=["AAA", "BBB"])],
        generator=pb.GENERATOR_KIND_TEMPLATE,
        stop_rules=pb.StopRules(max_iterations=iterations),
        seed=1,
    )
    return pb.CreateCampaignRequest(spec=spec, request_id=uuid.uuid4().hex)


async def timed(work: Callable[[], Awaitable[object]], calls: int, callers: int) -> list[float]:
    """Return the seconds of each of ``calls`` calls, ``callers`` of them at a time."""
    taken: list[float] = []

    async def caller() -> None:
        for _ in range(calls // callers):
            began = time.perf_counter()
            await work()
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return taken


async def finished(stub: api.CampaignServiceStub, name: str) -> None:
    """Wait until a campaign has ended."""
    async for _ in stub.WatchCampaign(pb.WatchCampaignRequest(name=name)):
        pass


def milliseconds(values: list[float]) -> tuple[str, str, str]:
    """Return p50, p99 and maximum as text."""
    return (
        *(f"{1e3 * percentile(values, share):.2f}" for share in (0.5, 0.99)),
        f"{1e3 * max(values):.2f}",
    )


async def measure_unary() -> None:
    """Print the latency of single calls against a server that is otherwise idle."""
    with served(0.0) as server, server.connections(1) as (stub,):
        campaign = await stub.CreateCampaign(campaign_request(10))
        await finished(stub, campaign.name)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "GetCampaign": lambda: stub.GetCampaign(pb.GetCampaignRequest(name=campaign.name)),
            "GetIteration": lambda: stub.GetIteration(
                pb.GetIterationRequest(name=f"{campaign.name}/iterations/5")
            ),
            "ListCampaigns": lambda: stub.ListCampaigns(pb.ListCampaignsRequest()),
        }
        print(head("unary call, milliseconds", "p50", "p99", "max", "calls/s"))
        for name, call in calls.items():
            await timed(call, 100, 1)
            for callers in (1, CALLERS):
                began = time.perf_counter()
                values = await timed(call, CALLS, callers)
                rate = len(values) / (time.perf_counter() - began)
                print(row(f"{name}, {callers} at a time", *milliseconds(values), f"{rate:.0f}"))
        print()


@dataclass
class Watcher:
    """What one stream has received."""

    numbers: list[int] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)  # (stored at, seconds)


async def watch(stub: api.CampaignServiceStub, name: str, watcher: Watcher) -> None:
    """Follow a campaign to its end."""
    async for item in stub.WatchCampaign(pb.WatchCampaignRequest(name=name)):
        stored = item.event.time.seconds + item.event.time.nanos / 1e9
        watcher.numbers.append(item.event.number)
        watcher.latencies.append((stored, time.time() - stored))


async def measure_watchers(count: int) -> None:
    """Print memory and latency of ``count`` streams on one campaign; check that none lost any."""
    connections = -(-count // STREAMS_PER_CONNECTION)
    with served(BATCH_SECONDS) as server, server.connections(connections + 1) as stubs:
        first, *others = stubs
        campaign = await first.CreateCampaign(campaign_request(WATCHED_ITERATIONS))
        watchers = [Watcher() for _ in range(count)]
        before = resident_mib(server.process_id)
        began = time.perf_counter()
        tasks = [
            asyncio.create_task(watch(others[index % connections], campaign.name, watcher))
            for index, watcher in enumerate(watchers)
        ]
        while not all(watcher.numbers for watcher in watchers):  # noqa: ASYNC110 - a poll disturbs least
            await asyncio.sleep(0.05)
        opened, live_from = time.perf_counter() - began, time.time()
        memory = resident_mib(server.process_id) - before
        await asyncio.gather(*tasks)
        wall = time.perf_counter() - began
        stored = [
            item.event.number
            async for item in first.WatchCampaign(pb.WatchCampaignRequest(name=campaign.name))
        ]
    lost = sum(watcher.numbers != stored for watcher in watchers)
    live = [s for w in watchers for at, s in w.latencies if at > live_from]
    print(head(f"{count} watchers of one campaign", "value"))
    print(
        row("events stored, delivered", f"{len(stored)}, {sum(len(w.numbers) for w in watchers)}")
    )
    print(row("watchers with a lost, repeated or misplaced event", lost))
    print(row("all streams open and caught up after, s", f"{opened:.2f}"))
    print(row("memory of the server per stream, KiB", f"{1024 * memory / count:.1f}"))
    print(row("events delivered live", len(live)))
    for share in (0.5, 0.95, 0.99):
        print(row(f"event latency p{100 * share:.0f}, ms", f"{1e3 * percentile(live, share):.1f}"))
    print(row("campaign with watchers, s", f"{wall:.1f}"))
    print()
    assert lost == 0, f"{lost} watchers did not get every event once, in order"


async def measure_creation() -> None:
    """Print how long it takes to create many campaigns at once, and to run them all."""
    with served(0.0) as server, server.connections(1) as (stub,):
        taken: list[float] = []

        async def create() -> pb.Campaign:
            began = time.perf_counter()
            made = await stub.CreateCampaign(campaign_request(1))
            taken.append(time.perf_counter() - began)
            return made

        began = time.perf_counter()
        made = await asyncio.gather(*(create() for _ in range(CAMPAIGNS)))
        created = time.perf_counter() - began
        assert len({campaign.name for campaign in made}) == CAMPAIGNS
        await asyncio.gather(*(finished(stub, campaign.name) for campaign in made))
        wall = time.perf_counter() - began
        states = {
            (await stub.GetCampaign(pb.GetCampaignRequest(name=campaign.name))).state
            for campaign in made
        }
        assert states == {pb.Campaign.STATE_COMPLETED}
    print(head(f"{CAMPAIGNS} campaigns created at once", "value"))
    print(row("all created after, s", f"{created:.2f}"))
    print(row("CreateCampaign p50, p99, max, ms", ", ".join(milliseconds(taken))))
    print(row("all completed (one iteration each) after, s", f"{wall:.1f}"))


async def main(streams: int) -> None:
    """Print the tables."""
    print(machine(), end="\n\n")
    await measure_unary()
    await measure_watchers(streams)
    await measure_creation()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    asyncio.run(main(parser.parse_args().streams))
