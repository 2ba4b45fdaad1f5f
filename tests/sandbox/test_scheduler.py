"""Dealing containers: bounded, fair, and charging a strategy only for what it did."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sandbox.builders import batch, trial
from tests.sandbox.sandbox_scene import ALL_PROVEN, prove_at_once, sandbox
from tests.sandbox.stand_in import Channel, hang, honest

from stratlab.domain.errors import (
    EngineError,
    EngineUnavailableError,
    InvalidSourceError,
    InvalidSpecError,
    PermissionDeniedError,
    SandboxNotReadyError,
    UnsafeConfigurationError,
)
from stratlab.domain.market import Tier, Window
from stratlab.domain.trial import Outcome, TrialClaim, TrialPurpose
from stratlab.sandbox import readiness, reaper, scheduler
from stratlab.sandbox.canary import CanaryReport
from stratlab.sandbox.engine_facts import ContainerState
from stratlab.sandbox.scheduler import DockerSandbox


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    prove_at_once(monkeypatch)


def ignore(_: object) -> None:
    pass


async def test_batch_comes_back_in_order(tmp_path: Path) -> None:
    work = batch(*(trial(name) for name in "abc"))
    async with sandbox(tmp_path) as (made, engine):
        claims = await made.run(work, ignore)
        assert len([line for line in engine.history if line.startswith("create")]) == 1
    assert [claim.trial_id for claim in claims] == ["a", "b", "c"]


async def test_empty_batch_starts_nothing(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        assert await made.run(replace(batch(), trials=()), ignore) == []
        assert engine.history == []


async def test_engine_refuses_twice_third_try_succeeds(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        engine.refuse = 2
        claims = await made.run(batch(), ignore)
    assert [claim.outcome for claim in claims] == [Outcome.SUCCEEDED]


async def test_engine_refuses_for_good_every_trial_is_infrastructure(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        engine.refuse, engine.refuse_with = 99, EngineError("disk full")
        claims = await made.run(batch(trial("a"), trial("b")), ignore)
        assert len([line for line in engine.history if line.startswith("create")]) == 3
    assert [claim.outcome for claim in claims] == [Outcome.INFRASTRUCTURE] * 2
    assert "disk full (3 tries)" in claims[0].reason
    assert claims[0].sandbox.runtime == "runc"


async def test_engine_away_for_good_is_raised(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        engine.refuse, engine.refuse_with = 99, EngineUnavailableError("gone")
        with pytest.raises(EngineUnavailableError):
            await made.run(batch(), ignore)


async def test_image_gone_is_raised_at_once_and_the_proof_is_forgotten(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        await made.ready.wait()
        engine.refuse, engine.refuse_with = 1, SandboxNotReadyError("no image")
        with pytest.raises(SandboxNotReadyError):
            await made.run(batch(), ignore)
        assert not made.ready.is_set()
        assert made.proof is None
        assert (await made.run(batch(), ignore))[0].outcome is Outcome.SUCCEEDED
        assert made.ready.is_set()


async def test_policy_refusal_is_raised_and_not_tried_again(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        with pytest.raises(UnsafeConfigurationError):
            await made.run(batch(memory_mib=1), ignore)
        assert not any(line.startswith("create") for line in engine.history)


async def die_before_start(channel: Channel) -> None:
    await channel.greet()
    await channel.next_run()


async def die_in_second(channel: Channel) -> None:
    await channel.greet()
    await channel.succeed((await channel.next_run()).trial_id)
    await channel.start_trial((await channel.next_run()).trial_id)
    await asyncio.sleep(0.05)


async def test_trial_whose_member_died_before_it_started_is_run_again(tmp_path: Path) -> None:
    async with sandbox(tmp_path, die_before_start, honest) as (made, engine):
        engine.exit_state = ContainerState(False, 1, False, "")
        claims = await made.run(batch(trial("a"), trial("b")), ignore)
    assert [claim.outcome for claim in claims] == [Outcome.SUCCEEDED] * 2
    assert claims[0].sandbox.member_id == claims[1].sandbox.member_id


async def test_trial_that_never_starts_is_infrastructure_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    behaviours = (die_before_start,) * 3
    async with sandbox(tmp_path, *behaviours, honest) as (made, engine):
        engine.exit_state = ContainerState(False, 1, False, "")
        claims = await made.run(batch(trial("a"), trial("b")), ignore)
    assert [claim.outcome for claim in claims] == [Outcome.INFRASTRUCTURE, Outcome.SUCCEEDED]
    assert "exit code 1 (3 tries)" in claims[0].reason


async def test_first_trial_that_cannot_be_run_is_not_judged_and_holds_the_others_back(
    tmp_path: Path,
) -> None:
    async def judge(claim: TrialClaim) -> bool:
        raise AssertionError("nothing is there to be judged")

    async with sandbox(tmp_path, *(die_before_start,) * 3, honest) as (made, engine):
        engine.exit_state = ContainerState(False, 1, False, "")
        claims = await made.run(batch(trial("a"), trial("b")), ignore, judge)
    assert [claim.outcome for claim in claims] == [Outcome.INFRASTRUCTURE]
    async with sandbox(tmp_path) as (made, engine):
        engine.refuse, engine.refuse_with = 99, EngineError("disk full")
        claims = await made.run(batch(trial("a"), trial("b")), ignore, judge)
    assert [claim.outcome for claim in claims] == [Outcome.INFRASTRUCTURE]


async def test_first_trial_is_judged_once_although_a_later_one_needs_another_member(
    tmp_path: Path,
) -> None:
    judged: list[str] = []

    async def judge(claim: TrialClaim) -> bool:
        judged.append(claim.trial_id)
        return True

    async with sandbox(tmp_path, die_in_second, honest) as (made, engine):
        engine.exit_state = ContainerState(False, 137, True, "")
        claims = await made.run(batch(*(trial(name) for name in "abc")), ignore, judge)
    assert [claim.outcome for claim in claims] == [
        Outcome.SUCCEEDED,
        Outcome.OUT_OF_MEMORY,
        Outcome.SUCCEEDED,
    ]
    assert judged == ["a"]


async def test_trial_that_killed_its_member_is_charged_and_the_rest_gets_a_fresh_one(
    tmp_path: Path,
) -> None:
    async with sandbox(tmp_path, die_in_second, honest) as (made, engine):
        engine.exit_state = ContainerState(False, 137, True, "")
        claims = await made.run(batch(*(trial(name) for name in "abcd")), ignore)
    assert [claim.outcome for claim in claims] == [
        Outcome.SUCCEEDED,
        Outcome.OUT_OF_MEMORY,
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
    ]
    members = [claim.sandbox.member_id for claim in claims]
    assert members[0] == members[1]
    assert members[2] == members[3]
    assert members[1] != members[2]


async def test_member_is_never_used_for_a_second_batch(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, _):
        members = {(await made.run(batch(), ignore))[0].sandbox.member_id for _ in range(3)}
    assert len(members) == 3


async def brief(channel: Channel) -> None:
    await channel.greet()
    await asyncio.sleep(0.05)
    await channel.succeed((await channel.next_run()).trial_id)
    await channel.next_run()


async def test_containers_at_a_time_are_bounded_over_all_campaigns(tmp_path: Path) -> None:
    async with sandbox(tmp_path, brief, members=2) as (made, engine):
        await asyncio.gather(
            *(made.run(batch(trial(f"t{n}"), campaign_id=f"c{n % 3}"), ignore) for n in range(9))
        )
        assert engine.most == 2


async def test_small_campaign_is_not_starved_by_a_large_one(tmp_path: Path) -> None:
    order: list[str] = []

    async def one(made: DockerSandbox, campaign: str, number: int) -> None:
        work = batch(trial(f"{campaign}{number}"), campaign_id=campaign)
        await made.run(work, ignore)
        order.append(campaign)

    async with sandbox(tmp_path, brief, members=1) as (made, _):
        await made.ready.wait()
        large = [asyncio.create_task(one(made, "large", n)) for n in range(6)]
        await asyncio.sleep(0.01)
        small = asyncio.create_task(one(made, "small", 0))
        await asyncio.gather(*large, small)
    assert order.index("small") <= 2


async def test_cancelled_while_waiting_for_a_turn_nothing_starts(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def sleep(channel: Channel) -> None:
        await channel.greet()
        await channel.start_trial((await channel.next_run()).trial_id)
        started.set()
        await hang()

    async with sandbox(tmp_path, sleep, members=1) as (made, engine):
        first = asyncio.create_task(made.run(batch(trial("a")), ignore))
        await started.wait()
        second = asyncio.create_task(made.run(batch(trial("b")), ignore))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        for task in (second, first):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert time.monotonic() - began < 0.5
        assert len([line for line in engine.history if line.startswith("create")]) == 1


@pytest.mark.parametrize("source", ["\udc80", "x" * (2 << 20)])
async def test_source_that_cannot_be_sent_is_refused(tmp_path: Path, source: str) -> None:
    async with sandbox(tmp_path) as (made, _):
        with pytest.raises(InvalidSourceError):
            await made.run(batch(source=source), ignore)


async def test_batch_over_two_tiers_or_with_equal_ids_is_refused(tmp_path: Path) -> None:
    other = trial("b", window=Window(Tier.HOLDOUT, *_dates()))
    async with sandbox(tmp_path) as (made, _):
        with pytest.raises(InvalidSpecError, match="tier"):
            await made.run(batch(trial("a"), other), ignore)
        with pytest.raises(InvalidSpecError, match="ids"):
            await made.run(batch(trial("a"), trial("a")), ignore)


@pytest.mark.parametrize("purpose", [p for p in TrialPurpose if p is not TrialPurpose.ADHOC])
async def test_holdout_is_mounted_for_no_purpose_of_a_campaign(
    tmp_path: Path, purpose: TrialPurpose
) -> None:
    sealed = trial("a", window=Window(Tier.HOLDOUT, *_dates()), purpose=purpose)
    async with sandbox(tmp_path) as (made, engine):
        with pytest.raises(PermissionDeniedError, match="sealed"):
            await made.run(batch(sealed), ignore)
        assert engine.history == []


def _dates() -> tuple[object, object]:
    window = trial().window
    return window.start, window.end


async def test_runtime_that_the_engine_lacks_is_not_ready(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, _):
        with pytest.raises(SandboxNotReadyError, match="runsc"):
            await made.run(replace(batch(), runtime="runsc"), ignore)


async def test_unproven_limit_batches_are_refused_with_the_limit_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unproven(*_: object) -> CanaryReport:
        findings = tuple(
            replace(finding, proven=finding.limit != "memory") for finding in ALL_PROVEN.findings
        )
        return replace(ALL_PROVEN, findings=findings)

    monkeypatch.setattr(readiness, "prove", unproven)
    async with sandbox(tmp_path) as (made, engine):
        with pytest.raises(SandboxNotReadyError, match="memory") as caught:
            await made.run(batch(), ignore)
        assert "memory cgroup" in caught.value.hint
        assert not made.ready.is_set()
        assert engine.history == []


@pytest.mark.parametrize("put_off", [True, False], ids=["refused", "away"])
async def test_failed_proof_is_tried_again_after_a_while_or_when_an_engine_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put_off: bool
) -> None:
    error = SandboxNotReadyError("no limit") if put_off else EngineUnavailableError("starting")
    tries = 0

    async def first_fails(*_: object) -> CanaryReport:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise error
        return ALL_PROVEN

    monkeypatch.setattr(readiness, "prove", first_fails)
    async with sandbox(tmp_path) as (made, _):
        with pytest.raises(type(error)):
            await made.prove()
        if put_off:
            with pytest.raises(SandboxNotReadyError):
                await made.prove()
            assert tries == 1
            monkeypatch.setattr(readiness, "_COOL_DOWN_SECONDS", 0.0)
        assert (await made.prove()).report is ALL_PROVEN
        assert tries == 2


async def test_engine_that_went_away_is_proven_again_before_anything_runs(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as (made, engine):
        await made.ready.wait()
        engine.refuse, engine.refuse_with = 3, EngineUnavailableError("gone")
        with pytest.raises(EngineUnavailableError):
            await made.run(batch(), ignore)
        assert not made.ready.is_set()
        assert made.proof is None
        await asyncio.wait_for(made.ready.wait(), 5)  # nobody has to ask for it
        assert (await made.run(batch(), ignore))[0].outcome is Outcome.SUCCEEDED


async def test_sweep_that_no_engine_answers_takes_readiness_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(scheduler, "_PROVE_AGAIN_SECONDS", 0.02)
    async with sandbox(tmp_path) as (made, engine):
        await made.ready.wait()

        def gone(*_: object) -> None:
            raise EngineUnavailableError("gone")

        with monkeypatch.context() as away:
            away.setattr(engine, "labelled", gone)
            away.setattr(engine, "info", gone)
            await asyncio.wait_for(made.ready.wait_cleared(), 5)
        await asyncio.wait_for(made.ready.wait(), 5)
