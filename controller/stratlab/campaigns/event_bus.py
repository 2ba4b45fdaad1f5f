"""Wakes watchers when something happened, and lets those of one campaign share what is read."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from stratlab.campaigns.event_tail import EventTail
from stratlab.domain.trial import TrialProgress

# A slow watcher loses old progress, never an event: those are read from the store.
_PROGRESS_KEPT = 64


@final
class Subscription:
    """One watcher's view of one campaign.

    Attributes:
        tail: The campaign's newest events, shared with its other watchers.
    """

    def __init__(self, tail: EventTail) -> None:
        self.tail = tail
        self._changed = asyncio.Event()
        self._progress: deque[TrialProgress] = deque(maxlen=_PROGRESS_KEPT)

    def notify(self, progress: TrialProgress | None) -> None:
        """Wake the watcher, with progress or because events were stored."""
        if progress is not None:
            self._progress.append(progress)
        self._changed.set()

    async def wait(self) -> list[TrialProgress]:
        """Wait until something happened and return the progress since the last call."""
        await self._changed.wait()
        self._changed.clear()
        progress = list(self._progress)
        self._progress.clear()
        return progress


@final
class EventBus:
    """Connects the loop with watchers inside one event loop."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._tails: dict[str, EventTail] = {}

    @contextmanager
    def subscribe(self, campaign_id: str) -> Iterator[Subscription]:
        """Register a watcher for as long as the context lasts."""
        subscription = Subscription(self._tails.setdefault(campaign_id, EventTail()))
        watchers = self._subscriptions.setdefault(campaign_id, set())
        watchers.add(subscription)
        try:
            yield subscription
        finally:
            watchers.discard(subscription)
            if not watchers:
                self._subscriptions.pop(campaign_id, None)
                self._tails.pop(campaign_id, None)

    def notify(self, campaign_id: str, progress: TrialProgress | None = None) -> None:
        """Wake all watchers of a campaign, with progress or because events were stored."""
        if progress is None and campaign_id in self._tails:
            self._tails[campaign_id].note_change()
        for subscription in self._subscriptions.get(campaign_id, ()):
            subscription.notify(progress)
