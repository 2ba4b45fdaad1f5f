"""Watchers share what is read, and each gets every event once, in order, whatever happens."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.event_tail import EventTail, News
from stratlab.domain.events import Event, EventKind, next_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Store:
    """Events in memory, read in pages and not at once."""

    def __init__(self, page: int = 500, delay: Callable[[], float] = lambda: 0.0) -> None:
        self.events: list[Event] = []
        self.is_final = False
        self.reads = 0
        self._page = page
        self._delay = delay

    def append(self, count: int = 1) -> None:
        for _ in range(count):
            last = self.events[-1] if self.events else None
            self.events.append(next_event(last, "c1", NOW, EventKind.TRIAL_STARTED, {}))

    async def read(self, number: int) -> News:
        self.reads += 1
        is_final = self.is_final
        await asyncio.sleep(self._delay())
        return News(self.events[number : number + self._page], is_final)


async def follow(bus: EventBus, store: Store, after: int = 0) -> list[int]:
    """Watch as the campaign manager does."""
    seen: list[int] = []
    with bus.subscribe("c1") as subscription:
        last = after
        while True:
            news = await subscription.tail.after(last, store.read)
            for event in news.events:
                last = event.number
                seen.append(last)
            if news.events:
                continue
            if news.is_final:
                return seen
            await subscription.wait()


async def test_thousand_watchers_read_the_store_a_few_times_an_event() -> None:
    bus, store = EventBus(), Store()
    store.append(3)
    tasks = [asyncio.create_task(follow(bus, store)) for _ in range(1000)]
    await asyncio.sleep(0.1)
    store.reads = 0
    for _ in range(20):
        store.append()
        bus.notify("c1")
        await asyncio.sleep(0.02)
    store.is_final = True
    bus.notify("c1")
    results = await asyncio.gather(*tasks)
    assert all(seen == list(range(1, 24)) for seen in results)
    assert store.reads <= 2 * 21


@pytest.mark.parametrize("kept", [1, 7, 2000])
@given(seed=st.integers(0, 10_000), page=st.sampled_from([1, 3, 500]))
def test_every_watcher_gets_every_event_once_in_order(kept: int, seed: int, page: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        bus, store = EventBus(), Store(page, lambda: chance.choice([0, 0, 0.0003]))
        bus._tails["c1"] = EventTail(kept)
        store.append()
        starts, tasks = [], []
        for _ in range(12):
            starts.append(chance.choice([0, 0, len(store.events), len(store.events) // 2]))
            tasks.append(asyncio.create_task(follow(bus, store, starts[-1])))
            await asyncio.sleep(chance.choice([0, 0, 0.0004]))
            store.append(chance.choice([0, 1, 1, 5]))
            bus.notify("c1")
        store.append(chance.choice([0, 1]))
        store.is_final = True
        bus.notify("c1")
        results = await asyncio.wait_for(asyncio.gather(*tasks), 20)
        total = len(store.events)
        assert results == [list(range(start + 1, total + 1)) for start in starts]

    asyncio.run(scenario())


async def test_watcher_that_is_cancelled_while_it_reads_for_all_stops_nobody() -> None:
    bus, store = EventBus(), Store(delay=lambda: 0.05)
    store.append()
    first, second = (asyncio.create_task(follow(bus, store)) for _ in range(2))
    await asyncio.sleep(0.2)
    store.append()
    bus.notify("c1")
    await asyncio.sleep(0.02)
    first.cancel()
    store.is_final = True
    bus.notify("c1")
    assert await asyncio.wait_for(second, 5) == [1, 2]


async def test_tail_is_dropped_with_the_last_watcher() -> None:
    bus, store = EventBus(), Store()
    store.append()
    store.is_final = True
    await follow(bus, store)
    assert bus._tails == {}
    assert bus._subscriptions == {}
