"""Warm containers that wait for work: each is used once, and others are warmed meanwhile.

A container is kept for one kind of work (:class:`Kind`). Warming takes cores only while no trial
wants them, and gives them back as soon as one does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic, Protocol, TypeVar, final

import structlog

from stratlab.domain.errors import StratlabError
from stratlab.domain.trial import Limits
from stratlab.sandbox.admission import Admission, Need, Spare
from stratlab.sandbox.containers import Site
from stratlab.sandbox.pool_stats import PoolStats

_log = structlog.get_logger(__name__)

IDLE_MIB: Final = 256
"""Memory that a waiting container is taken to use; it can be had back at once."""

_LONGEST_PAUSE_SECONDS: Final = 60.0
_ANY: Final = Limits()


W = TypeVar("W", bound="Warm")


class Warm(Protocol):
    """A warm container, as far as the pool knows."""

    async def gone(self) -> None:
        """Wait until it says something or hangs up, which ends it."""
        ...

    async def close(self) -> None:
        """Kill and remove it."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """What a container can be used for: all that it is made from, and no more.

    Attributes:
        site: With the limits of the container alone; those of its trials come with them.
    """

    site: Site

    @classmethod
    def of(cls, site: Site) -> "Kind":
        """Return the kind of work that is done at ``site``."""
        limits = replace(
            _ANY,
            memory_mib=site.limits.memory_mib,
            cpus=site.limits.cpus,
            pids=site.limits.pids,
            tmp_mib=site.limits.tmp_mib,
        )
        return cls(replace(site, limits=limits))


@final
@dataclass(slots=True, eq=False)
class _Idle(Generic[W]):
    kind: Kind
    member: W
    spare: Spare
    watch: "asyncio.Task[None] | None" = None


@final
@dataclass(slots=True, eq=False)
class _Refill:
    kind: Kind
    spare: Spare
    task: "asyncio.Task[None]"


@final
class Pool(Generic[W]):
    """Keeps containers warm for the kinds of work that were asked for lately.

    For one event loop. :meth:`take` is for callers that hold their turn of the admission.

    Args:
        low: Containers to keep for each kind in use; 0 for none at all.
        high: The most to keep over all kinds.
        idle_seconds: How long one waits; a kind is in use for as long after it was asked for.
        admission: Where cores and memory come from.
        warm_up: Makes a container of a kind for the pool.
        monotonic: Clock.
    """

    def __init__(
        self,
        *,
        low: int,
        high: int,
        idle_seconds: float,
        admission: Admission,
        warm_up: Callable[[Kind], Awaitable[W]],
        monotonic: Callable[[], float],
    ) -> None:
        self._low = low
        self._high = high
        self._idle_seconds = idle_seconds
        self._admission = admission
        self._warm_up = warm_up
        self._monotonic = monotonic
        self._idle: list[_Idle[W]] = []
        self._refills: list[_Refill] = []
        self._waiters: dict[Kind, deque[asyncio.Future[W | None]]] = {}
        self._wanted: dict[Kind, float] = {}
        self._paused_until: dict[Kind, float] = {}
        self._failures: dict[Kind, int] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._stats = PoolStats()
        self._open = True

    @property
    def stats(self) -> PoolStats:
        """What happened so far, and what there is now."""
        return replace(self._stats, idle=len(self._idle), warming=len(self._warming))

    @property
    def _warming(self) -> list[_Refill]:
        # One that is done is still in the list until the event loop has called back.
        return [refill for refill in self._refills if not refill.task.done()]

    def want(self, kind: Kind) -> None:
        """Expect work of a kind, and warm a container for it when there is room."""
        self._wanted[kind] = self._monotonic()
        self.refill()

    async def take(self, kind: Kind) -> W | None:
        """Return a container that waits, or one that is being warmed once it does.

        Returns:
            None when there is none of either; the caller then starts its own.
        """
        self._wanted[kind] = self._monotonic()
        for idle in self._idle:
            if idle.kind == kind:
                self._drop(idle)
                self._count(hits=1)
                return idle.member
        promised = len(self._waiters.get(kind, ()))
        if sum(refill.kind == kind for refill in self._warming) > promised:
            member = await self._next_arrival(kind)
            if member is not None:
                self._count(late=1)
                return member
        self._count(misses=1)
        return None

    def make_way(self, kind: Kind, need: Need) -> None:
        """Stop warming for other kinds, and let go of who waits, if ``need`` has no room else."""
        if self._admission.has_room(need):
            return
        for refill in self._refills:
            if (
                refill.kind != kind
                and refill.kind not in self._waiters
                and not refill.task.cancelling()
            ):
                refill.task.cancel()
                self._count(displaced=1)
        short = self._admission.shortage(need)
        for idle in sorted(self._idle, key=lambda each: self._wanted.get(each.kind, 0.0)):
            if short <= 0:
                return
            if idle.kind != kind:
                self._evict(idle)
                self._count(displaced=1)
                short -= IDLE_MIB

    def refill(self) -> None:
        """Warm what is missing, as far as nobody else wants the room; never waits."""
        if not self._open:
            return
        now = self._monotonic()
        for kind in sorted(self._wanted, key=self._wanted.__getitem__, reverse=True):
            if now - self._wanted[kind] > self._idle_seconds:
                del self._wanted[kind]
            elif now >= self._paused_until.get(kind, 0.0):
                self._refill_kind(kind)

    def drain(self) -> None:
        """Let go of every container that waits or is warmed, and of what was asked for."""
        self._wanted.clear()
        for refill in self._refills:
            refill.task.cancel()
        for idle in list(self._idle):
            self._evict(idle)

    def shut(self) -> None:
        """Let go of everything, for good; whoever still takes gets nothing."""
        self._open = False
        self.drain()

    async def close(self) -> None:
        """Do :meth:`shut`, and wait until every container that waited is removed."""
        self.shut()
        await asyncio.gather(*(refill.task for refill in self._refills), return_exceptions=True)
        await asyncio.gather(*self._closing, return_exceptions=True)
        _log.info("pool closed", **self.stats.as_mapping())

    def _refill_kind(self, kind: Kind) -> None:
        while len(self._idle) + len(self._warming) < self._high:
            kinds = [idle.kind for idle in self._idle] + [each.kind for each in self._warming]
            if kinds.count(kind) >= self._low:
                return
            spare = self._admission.spare(Need(1, kind.site.limits.memory_mib))
            if spare is None:
                return
            task = asyncio.create_task(self._fill(kind, spare), name="pool-refill")
            refill = _Refill(kind, spare, task)
            self._refills.append(refill)
            task.add_done_callback(partial(self._refilled, refill))

    async def _fill(self, kind: Kind, spare: Spare) -> None:
        try:
            member = await self._warm_up(kind)
        except StratlabError as error:
            self._count(failed=1)
            failures = self._failures[kind] = self._failures.get(kind, 0) + 1
            pause = min(_LONGEST_PAUSE_SECONDS, 2.0**failures)
            self._paused_until[kind] = self._monotonic() + pause
            _log.warning("no warm container", error=str(error), pause_seconds=pause)
            self._arrived(kind, None)
            spare.release()
        else:
            self._failures.pop(kind, None)
            self._count(warmed=1)
            self._keep(kind, member, spare)

    def _refilled(self, refill: _Refill, task: "asyncio.Task[None]") -> None:
        self._refills.remove(refill)
        if task.cancelled() or task.exception() is not None:
            # Perhaps before it began, so it cannot see to that itself.
            self._arrived(refill.kind, None)
            refill.spare.release()
            if not task.cancelled():
                _log.error("warming failed", error=repr(task.exception()))
        # Another kind may have waited for its core.
        self.refill()

    def _keep(self, kind: Kind, member: W, spare: Spare) -> None:
        if self._arrived(kind, member):
            spare.release()
            return
        if not self._open:
            self._discard(member, spare)
            return
        spare.keep(Need(0, IDLE_MIB))
        idle = _Idle(kind, member, spare)
        self._idle.append(idle)
        idle.watch = asyncio.create_task(self._watch(idle), name="pool-watch")

    def _arrived(self, kind: Kind, member: W | None) -> bool:
        # Whether somebody waited for it.
        waiters = self._waiters.get(kind)
        while waiters:
            waiter = waiters.popleft()
            if not waiters:
                self._waiters.pop(kind, None)
            if not waiter.done():
                waiter.set_result(member)
                return True
        return False

    async def _next_arrival(self, kind: Kind) -> W | None:
        waiter: asyncio.Future[W | None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(kind, deque()).append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            waiters = self._waiters.get(kind)
            if waiters and waiter in waiters:
                waiters.remove(waiter)
                if not waiters:
                    del self._waiters[kind]
            if waiter.done() and not waiter.cancelled() and (member := waiter.result()):
                # It came in the same moment, and nothing has run in it.
                self._discard(member, None)
            raise

    async def _watch(self, idle: _Idle[W]) -> None:
        try:
            async with asyncio.timeout(self._idle_seconds):
                await idle.member.gone()
        except TimeoutError:
            self._count(expired=1)
        else:
            self._count(died=1)
            _log.warning("a waiting container died")
        idle.watch = None
        self._evict(idle)
        self.refill()

    def _drop(self, idle: _Idle[W]) -> None:
        # It is nobody's now: who called uses it or closes it.
        self._idle.remove(idle)
        idle.spare.release()
        if idle.watch is not None:
            idle.watch.cancel()

    def _evict(self, idle: _Idle[W]) -> None:
        self._idle.remove(idle)
        if idle.watch is not None:
            idle.watch.cancel()
        self._discard(idle.member, idle.spare)

    def _discard(self, member: W, spare: Spare | None) -> None:
        async def close() -> None:
            try:
                await member.close()
            except StratlabError as error:
                # What could not be removed or written off is left to the reaper.
                _log.warning("a warm container was not closed", error=str(error))
            finally:
                if spare is not None:
                    spare.release()

        task = asyncio.create_task(close(), name="pool-discard")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self._stats, name) + count for name, count in more.items()}
        self._stats = replace(self._stats, **counted)
