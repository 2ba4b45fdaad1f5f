"""Trials beside each other in one container: bounded, complete, and nobody pays for another."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.sandbox.builders import batch, trial
from tests.sandbox.member_scene import scene
from tests.sandbox.sandbox_scene import prove_at_once, sandbox
from tests.sandbox.stand_in import Channel, hang, honest

from stratlab.domain.trial import Outcome, TrialClaim
from stratlab.sandbox.engine_facts import ContainerState
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

WORK = batch(*(trial(name) for name in "abcd"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    prove_at_once(monkeypatch)


class Juggler:
    """A container that runs what it is asked at once; `bad` names a trial and what it does."""

    def __init__(self, bad: str = "", cause: int = 0, seconds: float = 0.02) -> None:
        self.bad, self.cause, self.seconds = bad, cause, seconds
        self.running = 0
        self.most = 0
        self.asked: list[str] = []

    async def __call__(self, channel: Channel) -> None:
        await channel.greet()
        lock = asyncio.Lock()

        async def one(trial_id: str) -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            async with lock:
                await channel.start_trial(trial_id)
            await asyncio.sleep(self.seconds)
            self.running -= 1
            async with lock:
                if trial_id == self.bad:
                    failed = pb.TrialFailed(trial_id=trial_id, cause=self.cause, message="bad")
                    await channel.send(failed=failed)
                else:
                    await channel.finish(trial_id)

        async with asyncio.TaskGroup() as tasks:
            while (run := await channel.next_run()) is not None:
                self.asked.append(run.trial_id)
                tasks.create_task(one(run.trial_id))


async def test_trials_run_beside_each_other_up_to_the_lanes() -> None:
    juggler = Juggler()
    async with scene(juggler) as here:
        report = await here.run(WORK, lanes=3)
    assert juggler.most == 3
    assert sorted(claim.trial_id for claim in report.claims) == ["a", "b", "c", "d"]
    assert {claim.outcome for claim in report.claims} == {Outcome.SUCCEEDED}


async def test_trial_that_failed_in_company_is_run_again_alone_and_then_charged() -> None:
    juggler = Juggler("b", pb.TrialFailed.CAUSE_MEMORY)
    async with scene(juggler) as here:
        report = await here.run(WORK, lanes=4)
    assert juggler.asked == ["a", "b", "c", "d", "b"]
    outcomes = {claim.trial_id: claim.outcome for claim in report.claims}
    assert outcomes.pop("b") is Outcome.OUT_OF_MEMORY
    assert set(outcomes.values()) == {Outcome.SUCCEEDED}


async def test_trial_that_failed_alone_is_not_run_again() -> None:
    juggler = Juggler("b", pb.TrialFailed.CAUSE_MEMORY)
    async with scene(juggler) as here:
        await here.run(WORK, lanes=1)
    assert juggler.asked == ["a", "b", "c", "d"]


async def test_member_that_dies_in_company_charges_nobody_and_names_who_ran() -> None:
    async def die(channel: Channel) -> None:
        await channel.greet()
        for _ in range(2):
            await channel.start_trial((await channel.next_run()).trial_id)
        await asyncio.sleep(0.05)

    async with scene(die) as here:
        here.engine.exit_state = ContainerState(False, 139, False, "")
        report = await here.run(WORK, lanes=2)
    assert report.claims == ()
    assert report.suspects == ("a", "b")
    assert "139" in report.lost


async def test_trial_that_stalls_in_company_is_not_charged_unheard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stratlab.sandbox.member._GRACE_IN_COMPANY_SECONDS", 0.1)

    async def stall(channel: Channel) -> None:
        await channel.greet()
        await channel.succeed((await channel.next_run()).trial_id)
        await hang()

    async with scene(stall) as here:
        report = await here.run(batch(trial("a"), trial("b"), wall_seconds=1), lanes=2)
    assert [claim.trial_id for claim in report.claims] == ["a"]
    assert report.suspects == ("b",)


async def test_bad_point_that_kills_its_member_never_ends_the_others(tmp_path: Path) -> None:
    work = batch(trial("a"), trial("b", parameters={"bad": 1}), trial("c"), trial("d"))

    class Killer(Juggler):
        async def __call__(self, channel: Channel) -> None:
            await channel.greet()
            while (run := await channel.next_run()) is not None:
                await channel.start_trial(run.trial_id)
                if "bad" in run.parameters_json:
                    await asyncio.sleep(0.05)
                    return
                await channel.finish(run.trial_id)

    async with sandbox(tmp_path, Killer(), members=2, sweep_processes=2) as (made, engine):
        engine.exit_state = ContainerState(False, 139, False, "")
        claims = await made.run(work, lambda _: None)
    assert [claim.trial_id for claim in claims] == ["a", "b", "c", "d"]
    outcomes = {claim.trial_id: claim.outcome for claim in claims}
    assert outcomes.pop("b") is Outcome.SIGNAL
    assert set(outcomes.values()) == {Outcome.SUCCEEDED}


async def test_first_trial_runs_alone_until_it_is_judged(tmp_path: Path) -> None:
    juggler = Juggler()

    async def judge(claim: TrialClaim) -> bool:
        assert claim.trial_id == "a"
        assert len(juggler.asked) == 1
        return True

    async with sandbox(tmp_path, juggler, members=2, sweep_processes=2) as (made, _):
        claims = await made.run(WORK, lambda _: None, judge)
    assert [claim.outcome for claim in claims] == [Outcome.SUCCEEDED] * 4
    assert juggler.most == 2


async def test_container_is_told_names_that_tell_it_nothing(tmp_path: Path) -> None:
    juggler, seen = Juggler(), set[str]()
    work = batch(*(trial(f"c1-0003-000-cut{number:02d}") for number in range(3)))
    async with sandbox(tmp_path, juggler, members=2) as (made, _):
        claims = await made.run(work, lambda progress: seen.add(progress.trial_id))
        again = await made.run(work, lambda _: None)
    assert [claim.trial_id for claim in claims] == [each.trial_id for each in work.trials]
    assert [claim.trial_id for claim in again] == [each.trial_id for each in work.trials]
    assert len(set(juggler.asked)) == 6
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in juggler.asked)
    assert seen <= {each.trial_id for each in work.trials}


async def test_container_of_a_sweep_has_room_for_every_lane(tmp_path: Path) -> None:
    async with sandbox(tmp_path, honest, members=2, sweep_processes=2) as (made, engine):
        create = engine.create
        seen: list[tuple[int, int]] = []

        def look(name: str, config: dict[str, dict[str, int]]) -> None:
            host = config["HostConfig"]
            seen.append((host["Memory"] >> 20, host["NanoCpus"]))
            create(name, config)

        engine.create = look
        await made.run(WORK, lambda _: None)
        await made.run(batch(), lambda _: None)
    assert seen == [(2048, 2_000_000_000), (1024, 1_000_000_000)]
