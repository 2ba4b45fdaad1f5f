"""Follows a campaign for whoever watches it: stored events without a gap, and live progress."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.event_tail import News
from stratlab.domain.errors import StratlabError
from stratlab.domain.events import Event
from stratlab.domain.ports import Repository
from stratlab.domain.trial import TrialProgress

_EVENT_PAGE: Final = 500


def listener(bus: EventBus, campaign_id: str) -> Callable[[TrialProgress | None], None]:
    """Return what passes news of a campaign on to the bus of this event loop, from any thread."""
    event_loop = asyncio.get_running_loop()

    def notify(progress: TrialProgress | None) -> None:
        # A loop that has ended has no watchers.
        if not event_loop.is_closed():
            event_loop.call_soon_threadsafe(bus.notify, campaign_id, progress)

    return notify


async def follow(
    repository: Repository,
    bus: EventBus,
    campaign_id: str,
    after: int,
    *,
    came_to_rest: Callable[[], Awaitable[bool]],
    stall: Callable[[], StratlabError | None],
) -> AsyncGenerator[Event | TrialProgress, None]:
    """Yield stored events after a number, then what happens, until the campaign rests.

    Args:
        repository: Where events are stored.
        bus: Tells of changes.
        campaign_id: Which campaign.
        after: Number of the last event that is known.
        came_to_rest: Asked of a final campaign; False when something happened while it waited.
        stall: What keeps the campaign from being stored, None for nothing.

    Raises:
        StratlabError: The campaign stands still and cannot say so in the store.
    """

    def load(number: int) -> News:
        # The state is read first: events stored before it became final are then seen.
        is_final = repository.get_campaign(campaign_id).state.is_final
        return News(repository.events(campaign_id, after=number, limit=_EVENT_PAGE), is_final)

    async def read(number: int) -> News:
        return await asyncio.to_thread(load, number)

    with bus.subscribe(campaign_id) as subscription:
        last = after
        while True:
            news = await subscription.tail.after(last, read)
            for event in news.events:
                last = event.number
                yield event
            if news.events:
                continue
            if news.is_final:
                if await came_to_rest():
                    return
                continue
            if cause := stall():
                raise cause.with_traceback(None)
            for progress in await subscription.wait():
                yield progress
