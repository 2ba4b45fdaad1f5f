"""Who may start a container: cores and memory for all, dealt round robin among campaigns."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Need:
    """What a container takes.

    Attributes:
        cores: Of CPU time.
        memory_mib: Of memory.
    """

    cores: int = 0
    memory_mib: int = 0

    def __add__(self, other: "Need") -> "Need":
        return Need(self.cores + other.cores, self.memory_mib + other.memory_mib)

    def __sub__(self, other: "Need") -> "Need":
        return Need(self.cores - other.cores, self.memory_mib - other.memory_mib)


NOTHING = Need()


@final
class Spare:
    """What was left over and is held until a trial needs it; made by :meth:`Admission.spare`."""

    def __init__(self, admission: "Admission", need: Need) -> None:
        self._admission = admission
        self._need = need

    def keep(self, need: Need) -> None:
        """Give back what is more than ``need``."""
        self._admission.give_back(self._need - need)
        self._need = need

    def release(self) -> None:
        """Give back everything; may be called again."""
        self.keep(NOTHING)


@final
class Admission:
    """Bounds what all containers take together.

    Within a campaign whoever asked first goes first; between campaigns each gets one turn
    before any gets its next, so a campaign of a thousand trials does not starve another. Nobody
    overtakes a large need that waits for room. A need that is larger than everything is met when
    nothing else is.

    Args:
        cores: How many there are.

    Attributes:
        cores: As above.
        memory_mib: How much there is, 0 for no bound.
    """

    def __init__(self, cores: int) -> None:
        if cores < 1:
            raise ValueError("cores must be at least 1")
        self.cores = cores
        self.memory_mib = 0
        self._used = NOTHING
        self._holders: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[tuple[Need, asyncio.Future[None]]]] = OrderedDict()

    def campaigns_with(self, campaign_id: str) -> int:
        """Return how many campaigns hold or wait for something, ``campaign_id`` among them."""
        return len({campaign_id, *self._holders, *self._waiting})

    def has_room(self, need: Need) -> bool:
        """Return whether ``need`` would be met at once."""
        return not self._waiting and self._fits(need)

    def shortage(self, need: Need) -> int:
        """Return how much memory is missing for ``need`` now, in MiB; 0 when none is."""
        if not self.memory_mib:
            return 0
        return max(0, self._used.memory_mib + need.memory_mib - self.memory_mib)

    @asynccontextmanager
    async def turn(self, campaign_id: str, need: Need) -> AsyncIterator[None]:
        """Wait for ``need`` and hold it inside the ``with`` block."""
        await self._acquire(campaign_id, need)
        self._holders[campaign_id] += 1
        try:
            yield
        finally:
            self._holders -= Counter({campaign_id: 1})
            self.give_back(need)

    def spare(self, need: Need) -> Spare | None:
        """Return ``need`` if nobody waits for it, else None; never waits."""
        if not self.has_room(need):
            return None
        self._used += need
        return Spare(self, need)

    def give_back(self, need: Need) -> None:
        """Return what was held; for holders alone."""
        self._used -= need
        self._serve()

    async def _acquire(self, campaign_id: str, need: Need) -> None:
        if self.has_room(need):
            self._used += need
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = need, turn
        self._waiting.setdefault(campaign_id, deque()).append(waiter)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was handed over in the same moment: pass it on.
                self.give_back(need)
            else:
                self._forget(campaign_id, waiter)
            raise

    def _fits(self, need: Need) -> bool:
        after = self._used + need
        return self._used == NOTHING or (
            after.cores <= self.cores
            and (not self.memory_mib or after.memory_mib <= self.memory_mib)
        )

    def _serve(self) -> None:
        while self._waiting:
            campaign_id, turns = next(iter(self._waiting.items()))
            need, turn = turns[0]
            if not turn.done() and not self._fits(need):
                return
            turns.popleft()
            del self._waiting[campaign_id]
            if turns:
                self._waiting[campaign_id] = turns
            if not turn.done():
                self._used += need
                turn.set_result(None)

    def _forget(self, campaign_id: str, waiter: tuple[Need, asyncio.Future[None]]) -> None:
        turns = self._waiting.get(campaign_id)
        if turns is None:
            return
        if waiter in turns:
            turns.remove(waiter)
        if not turns:
            del self._waiting[campaign_id]
        # Whoever waited behind it may fit.
        self._serve()
