"""The newest events of a campaign, read from the store once for all who watch it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, final

from stratlab.domain.events import Event

KEPT: Final = 2000
"""Events that are held; a watcher further behind reads the store itself."""


@final
@dataclass(frozen=True, slots=True)
class News:
    """What happened after an event.

    Attributes:
        events: The next events in order, not always all of them.
        is_final: Whether the campaign was final before they were read; then, once there are no
            more events, only an opening of the holdout brings new ones.
    """

    events: Sequence[Event]
    is_final: bool


Reader = Callable[[int], Awaitable[News]]
"""Reads from the store what follows an event number; first the state, then the events."""


@final
class EventTail:
    """Serves watchers of one campaign inside one event loop.

    Nothing can get lost here: what is not held is read from the store, and what is held was read
    from it in order.

    Args:
        kept: Number of events to hold.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._is_final = False
        self._changes = 0
        self._read_at = 0
        self._reading = asyncio.Lock()

    def note_change(self) -> None:
        """Say that events were stored: what was read until now may not be all."""
        self._changes += 1

    async def after(self, number: int, read: Reader) -> News:
        """Return what follows event ``number``; no events mean that there are none yet."""
        await self._refresh(number, read)
        if self._events and self._events[0].number - 1 <= number:
            first = number - self._events[0].number + 1
            return News(tuple(islice(self._events, first, None)), self._is_final)
        changes = self._changes
        news = await read(number)
        # The first watcher that has caught up begins the tail; from there on it is shared.
        if not self._events and news.events:
            self._events.extend(news.events)
            self._is_final = news.is_final
            # What came while it was read, or did not fit into one page, is read next time.
            self._read_at = changes - 1
        return news

    async def _refresh(self, number: int, read: Reader) -> None:
        # One reads for all; the others wait for it and find what they need.
        while self._is_behind(number):
            async with self._reading:
                if not self._is_behind(number):
                    return
                changes = self._changes
                news = await read(self._events[-1].number)
                self._events.extend(news.events)
                self._is_final = news.is_final
                if not news.events:
                    self._read_at = changes

    def _is_behind(self, number: int) -> bool:
        # Whether the store may have something for this watcher that the tail has not.
        if not self._events or self._events[-1].number > number:
            return False
        return self._read_at != self._changes
