"""Turns for a bounded number of containers, dealt round robin among campaigns."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final


@final
class FairSlots:
    """At most ``capacity`` holders at a time.

    Within a campaign whoever asked first goes first; between campaigns each gets one turn
    before any gets its next, so a campaign of a thousand trials does not starve another.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._free = capacity
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, campaign_id: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it inside the ``with`` block."""
        await self._acquire(campaign_id)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, campaign_id: str) -> None:
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(campaign_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The slot was handed over in the same moment: pass it on.
                self._release()
            else:
                self._forget(campaign_id, turn)
            raise

    def _release(self) -> None:
        while self._waiting:
            campaign_id, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[campaign_id] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, campaign_id: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(campaign_id)
        if turns is None:
            return
        if turn in turns:
            turns.remove(turn)
        if not turns:
            del self._waiting[campaign_id]
