"""The pool by itself: what is kept, for whom, at whose cost, and that nothing is used twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from stratlab.domain.errors import EngineError
from stratlab.domain.trial import Limits
from stratlab.sandbox.admission import Admission, Need
from stratlab.sandbox.containers import Site
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.pool import Kind, Pool
from stratlab.sandbox.threads import to_the_end


def kind(memory_mib: int = 512, **limits: int) -> Kind:
    site = Site("sha256:" + "a" * 64, "runc", HostTraits(cpus=2), Limits(memory_mib, **limits))
    return Kind.of(site)


TRAIN, VALIDATION = kind(512), kind(513)


@dataclass(eq=False)
class Container:
    """A warm container that is none."""

    kind: Kind
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    claims: int = 0

    async def gone(self) -> None:
        await self.dead.wait()

    async def close(self) -> None:
        await asyncio.sleep(0)
        assert not self.closed
        self.closed = True


class Yard:
    """Where containers are made: at once, or when `gate` opens."""

    def __init__(self, **options: float) -> None:
        self.admission = Admission(2)
        self.made: list[Container] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.started = 0
        marks = {"low": 1, "high": 2, "idle_seconds": 60.0} | options
        self.pool: Pool[Container] = Pool(
            **marks, admission=self.admission, warm_up=self.warm_up, monotonic=time.monotonic
        )

    async def warm_up(self, wanted: Kind) -> Container:
        self.started += 1
        await self.gate.wait()
        if self.broken:
            raise EngineError("no room on the disk")
        self.made.append(Container(wanted))
        return self.made[-1]

    async def claim(self, wanted: Kind) -> Container | None:
        found = await self.pool.take(wanted)
        if found is not None:
            assert not found.closed
            assert found.kind == wanted
            found.claims += 1
        return found

    async def settled(self) -> None:
        await asyncio.sleep(0.01)


@asynccontextmanager
async def yard(**options: float) -> AsyncIterator[Yard]:
    made = Yard(**options)
    yield made
    await made.pool.close()
    assert all(each.closed for each in made.made if not each.claims)
    assert (made.pool.stats.idle, made.pool.stats.warming) == (0, 0)
    assert made.admission.has_room(Need(2, 0))


def figures(made: Yard, *names: str) -> list[int]:
    return [getattr(made.pool.stats, name) for name in names]


async def test_first_claim_misses_and_the_next_finds_what_was_warmed_meanwhile() -> None:
    async with yard() as here:
        assert await here.claim(TRAIN) is None
        here.pool.refill()
        await here.settled()
        assert await here.claim(TRAIN) is here.made[0]
        assert figures(here, "hits", "misses", "warmed", "idle") == [1, 1, 1, 0]
        assert here.pool.stats.hit_rate == 0.5


async def test_container_of_another_kind_is_not_given() -> None:
    async with yard() as here:
        here.pool.want(TRAIN)
        await here.settled()
        assert await here.claim(VALIDATION) is None


def test_kind_is_what_a_container_is_made_from_and_not_what_trials_may_do() -> None:
    assert kind(512, wall_seconds=5, output_mib=1) == kind(512)
    assert kind(512, pids=99) != kind(512)


async def test_claim_while_one_is_warmed_waits_for_that_one() -> None:
    async with yard() as here:
        here.gate.clear()
        here.pool.want(TRAIN)
        first = asyncio.create_task(here.claim(TRAIN))
        await here.settled()
        assert await here.claim(TRAIN) is None  # the one on its way is promised
        here.gate.set()
        assert await first is here.made[0]
        assert figures(here, "late", "misses") == [1, 1]


async def test_claim_cancelled_while_it_waits_leaves_the_container_to_others() -> None:
    async with yard() as here:
        here.gate.clear()
        here.pool.want(TRAIN)
        first = asyncio.create_task(here.claim(TRAIN))
        await here.settled()
        first.cancel()
        here.gate.set()
        await here.settled()
        assert await here.claim(TRAIN) is here.made[0]


async def test_claim_cancelled_in_the_moment_of_arrival_leaves_nothing_behind() -> None:
    async with yard() as here:
        here.gate.clear()
        here.pool.want(TRAIN)
        first = asyncio.create_task(here.pool.take(TRAIN))
        await here.settled()
        here.pool._arrived(TRAIN, late := Container(TRAIN))
        first.cancel()
        here.gate.set()
        await here.settled()
        assert late.closed


async def test_container_that_dies_while_it_waits_is_replaced_and_costs_no_claim() -> None:
    async with yard() as here:
        here.pool.want(TRAIN)
        await here.settled()
        here.made[0].dead.set()
        await here.settled()
        assert here.made[0].closed
        assert await here.claim(TRAIN) is here.made[1]
        assert figures(here, "died", "misses") == [1, 0]


async def test_container_that_waits_in_vain_is_removed_and_not_replaced() -> None:
    async with yard(idle_seconds=0.05) as here:
        here.pool.want(TRAIN)
        await asyncio.sleep(0.2)
        assert [each.closed for each in here.made] == [True]
        assert figures(here, "expired", "idle") == [1, 0]


async def test_marks_bound_what_is_kept() -> None:
    async with yard(low=2, high=3) as here:
        here.admission.cores = 9
        for wanted in (TRAIN, VALIDATION, kind(514)):
            here.pool.want(wanted)
        await here.settled()
        assert figures(here, "idle", "warming") == [3, 0]
        assert [each.kind for each in here.made] == [TRAIN, TRAIN, VALIDATION]


async def test_low_mark_of_nothing_keeps_nothing() -> None:
    async with yard(low=0) as here:
        here.pool.want(TRAIN)
        await here.settled()
        assert here.started == 0


async def test_nothing_is_warmed_while_trials_have_every_core() -> None:
    async with yard() as here:
        async with here.admission.turn("c1", Need(2, 0)):
            here.pool.want(TRAIN)
            await here.settled()
            assert here.started == 0
        here.pool.refill()
        await here.settled()
        assert here.started == 1


async def test_trial_that_wants_the_core_stops_the_warming_for_others() -> None:
    async with yard() as here:
        here.gate.clear()
        here.pool.want(VALIDATION)
        await here.settled()
        need = Need(2, 0)
        here.pool.make_way(TRAIN, need)
        async with asyncio.timeout(1), here.admission.turn("c1", need):
            assert figures(here, "displaced", "warming") == [1, 0]


async def test_warming_that_is_stopped_before_it_began_gives_its_core_back() -> None:
    async with yard() as here:
        here.pool.want(VALIDATION)
        need = Need(2, 0)
        here.pool.make_way(TRAIN, need)
        async with asyncio.timeout(1), here.admission.turn("c1", need):
            assert here.started == 0


async def test_warming_of_what_the_trial_wants_itself_goes_on() -> None:
    async with yard() as here:
        here.gate.clear()
        here.pool.want(TRAIN)
        await here.settled()
        here.pool.make_way(TRAIN, Need(2, 0))
        await here.settled()
        assert figures(here, "displaced", "warming") == [0, 1]


async def test_memory_of_containers_that_wait_is_had_back_for_a_trial() -> None:
    async with yard() as here:
        here.admission.memory_mib = 2000
        here.pool.want(VALIDATION)
        await here.settled()
        need = Need(1, 1900)
        assert here.admission.shortage(need) == 156
        here.pool.make_way(TRAIN, need)
        async with asyncio.timeout(1), here.admission.turn("c1", need):
            assert here.made[0].closed


async def test_warming_that_fails_pauses_and_whoever_waits_starts_its_own() -> None:
    async with yard() as here:
        here.gate.clear()
        here.broken = True
        here.pool.want(TRAIN)
        waiting = asyncio.create_task(here.claim(TRAIN))
        await here.settled()
        here.gate.set()
        assert await waiting is None
        here.pool.refill()
        await here.settled()
        assert here.started == 1
        assert figures(here, "failed", "misses") == [1, 1]


async def test_drained_pool_is_empty_and_forgets_what_was_wanted() -> None:
    async with yard() as here:
        here.pool.want(TRAIN)
        await here.settled()
        here.pool.drain()
        await here.settled()
        here.pool.refill()
        await here.settled()
        assert [each.closed for each in here.made] == [True]


async def test_closed_pool_warms_nothing_more() -> None:
    async with yard() as here:
        await here.pool.close()
        here.pool.want(TRAIN)
        await here.settled()
        assert here.started == 0


class Life:
    """What can happen to a pool, by name."""

    def __init__(self, here: Yard) -> None:
        self.here = here
        self.kinds = (TRAIN, VALIDATION, kind(514))
        self.claims: list[asyncio.Task[None]] = []
        self.done = asyncio.Event()

    def claim(self, number: int) -> None:
        self.claims.append(asyncio.create_task(self._work(self.kinds[number])))

    def want(self, number: int) -> None:
        self.here.pool.want(self.kinds[number])

    def end(self, number: int) -> None:
        self.done.set()
        self.done = asyncio.Event()

    def die(self, number: int) -> None:
        if self.here.made:
            self.here.made[-1 - number % len(self.here.made)].dead.set()

    def gate(self, number: int) -> None:
        gate = self.here.gate
        (gate.clear if gate.is_set() else gate.set)()

    def drain(self, number: int) -> None:
        self.here.pool.drain()

    def cancel(self, number: int) -> None:
        if self.claims:
            self.claims[number % len(self.claims)].cancel()

    def wait(self, number: int) -> None:
        """Nothing happens."""

    async def _work(self, wanted: Kind) -> None:
        need = Need(1, wanted.site.limits.memory_mib)
        self.here.pool.make_way(wanted, need)
        try:
            async with self.here.admission.turn("c", need):
                found = await self.here.claim(wanted)
                try:
                    await self.done.wait()
                finally:
                    if found is not None:
                        assert found.claims == 1
                        await to_the_end(found.close())
        finally:
            self.here.pool.refill()


_steps = st.lists(
    st.tuples(
        st.sampled_from(["claim", "want", "end", "die", "gate", "drain", "cancel", "wait"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_steps, st.integers(0, 2), st.integers(2, 3))
def test_random_life_uses_nothing_twice_and_leaves_nothing(
    steps: list[tuple[str, int, int]], low: int, high: int
) -> None:
    async def live() -> None:
        async with yard(low=low, high=high) as here:
            life = Life(here)
            for step, number, pauses in steps:
                getattr(life, step)(number)
                for _ in range(pauses):
                    await asyncio.sleep(0)
                assert here.pool.stats.idle + here.pool.stats.warming <= high
            here.gate.set()
            for each in life.claims:
                each.cancel()
            ends = await asyncio.gather(*life.claims, return_exceptions=True)
            assert not [end for end in ends if isinstance(end, AssertionError)]
        assert all(each.closed for each in here.made)

    asyncio.run(live())
