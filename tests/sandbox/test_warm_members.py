"""Batches over a warm pool: found waiting, never used twice, dead ones free of charge."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.sandbox.builders import FolderData, MemoryLeases, batch, trial
from tests.sandbox.sandbox_scene import leased_sandbox, prove_at_once
from tests.sandbox.stand_in import Behaviour, Channel, StandInEngine, hang, honest

from stratlab.domain.errors import EngineError, UnsafeConfigurationError
from stratlab.domain.market import Tier
from stratlab.domain.ports import POOL, Lease
from stratlab.domain.trial import Outcome, TrialBatch
from stratlab.sandbox.labels import ContainerLabels
from stratlab.sandbox.scheduler import DockerSandbox
from stratlab.settings import SandboxSettings

VALIDATION = replace(trial().window, tier=Tier.VALIDATION)


class Scene:
    def __init__(self, sandbox: DockerSandbox, engine: StandInEngine, leases: MemoryLeases) -> None:
        self.sandbox = sandbox
        self.engine = engine
        self.leases = leases
        self.used: Counter[str] = Counter()

    async def run(self, work: TrialBatch | None = None) -> list[Outcome]:
        claims = await self.sandbox.run(work or batch(), lambda _: None)
        self.used.update({claim.sandbox.member_id for claim in claims})
        return [claim.outcome for claim in claims]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - raises no event
                await asyncio.sleep(0.01)

    async def until_idle(self, count: int = 1) -> None:
        await self.until(lambda: self.sandbox.pool_stats.idle == count)

    @property
    def created(self) -> int:
        return sum(line.startswith("create") for line in self.engine.history)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    prove_at_once(monkeypatch)


@asynccontextmanager
async def scene(home: Path, *behaviours: Behaviour, **options: float) -> AsyncIterator[Scene]:
    options = {"members": 2, "sweep_processes": 1} | options
    async with leased_sandbox(home, *behaviours, **options) as parts:
        made = Scene(*parts)
        yield made
    assert made.used.total() == len(made.used)


async def test_second_batch_finds_a_container_waiting(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.run()
        await here.until_idle()
        before = here.created
        assert await here.run() == [Outcome.SUCCEEDED]
        assert here.sandbox.pool_stats.hits == 1
        await here.until_idle()
        assert here.created == before + 1  # the one that waits now


async def test_container_that_waits_has_a_lease_of_its_own_that_the_claim_assigns(
    tmp_path: Path,
) -> None:
    seen: list[Lease] = []

    async def look(channel: Channel) -> None:
        await channel.greet()
        while (run := await channel.next_run()) is not None:
            await asyncio.sleep(0.05)
            seen.extend(lease for lease in here.leases.live() if lease.campaign_id != POOL)
            await channel.succeed(run.trial_id)

    async with scene(tmp_path, look, members=1) as here:
        await here.run()
        await here.until_idle()
        (lease,) = here.leases.live()
        assert lease.campaign_id == POOL
        labels = ContainerLabels.from_mapping(here.engine.labels[lease.member_id])
        assert labels.campaign == POOL
        assert labels.deadline > lease.deadline.timestamp() + 3600
        seen.clear()
        await here.run(batch(campaign_id="c7", wall_seconds=3000))
        assert [(each.member_id, each.campaign_id) for each in seen] == [(lease.member_id, "c7")]
        assert seen[0].deadline > lease.deadline


async def test_container_that_died_while_it_waited_costs_the_next_batch_nothing(
    tmp_path: Path,
) -> None:
    async def die(channel: Channel) -> None:
        await channel.greet()
        await asyncio.sleep(0.1)

    async with scene(tmp_path, honest, die, honest) as here:
        await here.run()
        await here.until(lambda: here.sandbox.pool_stats.died == 1)
        await here.until_idle()
        assert await here.run() == [Outcome.SUCCEEDED]
        assert here.sandbox.pool_stats.hits == 1


async def test_container_that_dies_as_it_is_claimed_is_no_try(tmp_path: Path) -> None:
    async def die_when_asked(channel: Channel) -> None:
        await channel.greet()
        await channel.next_run()

    behaviours = (honest, die_when_asked, die_when_asked, die_when_asked, honest)
    async with scene(tmp_path, *behaviours, pool_low=2, pool_high=2) as here:
        await here.run()
        await here.until_idle(2)
        assert await here.run() == [Outcome.SUCCEEDED]


async def test_container_that_speaks_while_it_waits_is_removed(tmp_path: Path) -> None:
    async def babble(channel: Channel) -> None:
        await channel.greet()
        await asyncio.sleep(0.05)
        await channel.start_trial("t1")
        await hang()

    async with scene(tmp_path, honest, babble, honest) as here:
        await here.run()
        await here.until(lambda: here.sandbox.pool_stats.died == 1)
        await here.until_idle()
        assert await here.run() == [Outcome.SUCCEEDED]


async def test_validation_is_warmed_while_training_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tier in ("train", "validation"):
        (tmp_path / tier).mkdir()
    monkeypatch.setattr(FolderData, "mount", lambda _, __, tier, *___: tmp_path / tier.value)
    async with scene(tmp_path) as here:
        await here.run()
        await here.until_idle(2)
        mounts = [config["HostConfig"]["Mounts"][1] for config in here.engine.configs.values()]
        assert {Path(mount["Source"]).name for mount in mounts} == {"train", "validation"}
        assert await here.run(batch(trial(window=VALIDATION))) == [Outcome.SUCCEEDED]
        assert here.sandbox.pool_stats.hits == 1


async def test_data_that_was_built_again_is_not_served_by_who_opened_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "tier"
    data.mkdir()
    monkeypatch.setattr(FolderData, "mount", lambda *_: data)
    async with scene(tmp_path) as here:
        await here.run(batch(trial(window=VALIDATION)))
        await here.until_idle()
        (data / "new").touch()
        await here.run(batch(trial(window=VALIDATION)))
        assert here.sandbox.pool_stats.hits == 0


async def test_burst_of_fifty_is_served_in_bounds_and_every_container_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.run()
        work = [batch(trial(f"t{n}"), campaign_id=f"c{n % 5}") for n in range(50)]
        outcomes = await asyncio.gather(*(here.run(each) for each in work))
        assert outcomes == [[Outcome.SUCCEEDED]] * 50
        assert len(here.used) == 51
        assert here.engine.most <= 2 + 2  # at work, and waiting


async def test_cancelled_batch_does_not_give_its_container_back(tmp_path: Path) -> None:
    running = asyncio.Event()

    async def sleep(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        running.set()
        await hang()

    async with scene(tmp_path, honest, sleep, honest) as here:
        await here.run()
        await here.until_idle()
        (waiting,) = here.leases.live()
        task = asyncio.create_task(here.run())
        await running.wait()
        began = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.get_running_loop().time() - began < 0.5
        assert waiting.member_id not in here.engine.configs
        assert await here.run() == [Outcome.SUCCEEDED]


async def test_limits_are_checked_although_the_container_is_made_already(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.run()
        await here.until_idle()
        with pytest.raises(UnsafeConfigurationError, match="cpu_seconds"):
            await here.run(batch(cpu_seconds=0))


async def test_refill_that_the_engine_refuses_does_not_fail_a_batch(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.run()
        await here.until_idle()
        here.engine.refuse, here.engine.refuse_with = 1, EngineError("disk full")
        assert await here.run() == [Outcome.SUCCEEDED]
        await here.until(lambda: here.sandbox.pool_stats.failed == 1)
        assert await here.run() == [Outcome.SUCCEEDED]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"pool_low": 3, "pool_high": 2},
        {"pool_low": -1},
        {"pool_high": 1000},
        {"pool_idle_seconds": 0},
        {"memory_mib": -1},
        {"sweep_processes": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(nonsense: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SandboxSettings(**nonsense)
