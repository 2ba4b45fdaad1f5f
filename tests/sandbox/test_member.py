"""A member's life against a stand-in container: manners, lies, hangs and deaths."""

import asyncio
import time

import pytest
from tests.sandbox.builders import FIRST_BAR, batch, trial
from tests.sandbox.member_scene import scene
from tests.sandbox.stand_in import (
    Channel,
    hang,
    honest,
)

from stratlab.domain.errors import EngineError, EngineUnavailableError, UnsafeConfigurationError
from stratlab.domain.trial import Outcome
from stratlab.sandbox.engine_facts import ContainerState
from stratlab.sandbox.member import MemberReport
from stratlab_proto.runner.v1 import runner_service_pb2 as pb


async def test_honest_container_all_trials_succeed_in_order() -> None:
    work = batch(trial("a"), trial("b"), trial("c"))
    async with scene() as here:
        report = await here.run(work)
    assert [claim.trial_id for claim in report.claims] == ["a", "b", "c"]
    assert {claim.outcome for claim in report.claims} == {Outcome.SUCCEEDED}
    assert report.lost == ""
    claim = report.claims[0]
    assert [order.symbol for order in claim.log] == ["AAPL"]
    assert [point.value for point in claim.equity] == [1e5, 1.1e5]
    assert claim.usage.cpu_seconds == 0.1
    assert claim.usage.startup_seconds > 0
    assert report.claims[1].usage.startup_seconds == 0
    assert claim.sandbox.runtime == "runc"
    assert claim.sandbox.seccomp_digest == "d" * 64
    assert [(p.trial_id, p.fraction) for p in here.progress] == [("a", 0.5), ("b", 0.5), ("c", 0.5)]


async def test_member_started_lease_is_written_before_create() -> None:
    async with scene() as here:
        order: list[str] = []
        acquire, create = here.leases.acquire, here.engine.create
        here.leases.acquire = lambda lease: (order.append("lease"), acquire(lease))[1]
        here.engine.create = lambda name, config: (order.append("create"), create(name, config))[1]
        await here.run(batch())
    assert order == ["lease", "create"]


async def test_run_trial_sent_carries_the_whole_specification() -> None:
    seen: list[pb.RunTrial] = []

    async def look(channel: Channel) -> None:
        await channel.greet()
        while (run := await channel.next_run()) is not None:
            seen.append(run)
            await channel.succeed(run.trial_id)

    async with scene(look) as here:
        await here.run(batch(trial(seed=7), max_position_shares=500))
    run = seen[0]
    assert (run.trial_id, run.start, run.end) == ("t1", "2001-06-01", "2001-12-31")
    assert run.parameters_json == '{"n": 3}'
    assert list(run.symbols) == ["AAPL", "IBM"]
    assert (run.cost_model, run.seed, run.max_position_shares) == ("next_open", 7, 500)
    assert run.max_output_bytes == 64 << 20


async def test_trial_that_sleeps_wall_deadline_kills_and_charges() -> None:
    async def sleep(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        await hang()

    async with scene(sleep) as here:
        began = time.monotonic()
        report = await here.run(batch(trial("a"), trial("b"), wall_seconds=1))
        assert time.monotonic() - began < 2.5
    assert [(c.trial_id, c.outcome) for c in report.claims] == [("a", Outcome.TIMEOUT_WALL)]


async def test_flood_of_frames_wall_deadline_or_limit_ends_it() -> None:
    async def flood(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        while True:
            await channel.send(
                progress=pb.TrialProgress(
                    trial_id=run.trial_id, fraction=0.1, bar=FIRST_BAR, equity=1.0
                )
            )

    async with scene(flood) as here:
        began = time.monotonic()
        report = await here.run(batch(wall_seconds=3))
        assert time.monotonic() - began < 5
    assert report.claims[0].outcome in {Outcome.OUTPUT_LIMIT, Outcome.TIMEOUT_WALL}


async def test_too_many_bytes_output_limit() -> None:
    async def pour(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        while True:
            tail = b"x" * (1 << 20)
            await channel.send(output=pb.Output(trial_id=run.trial_id, tail=tail, total_bytes=9))

    async with scene(pour) as here:
        report = await here.run(batch(output_mib=3))
    assert report.claims[0].outcome is Outcome.OUTPUT_LIMIT
    assert len(report.claims[0].output_tail) < 10_000


async def test_task_cancelled_container_is_killed_within_half_a_second() -> None:
    running = asyncio.Event()

    async def sleep(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        running.set()
        await hang()

    async with scene(sleep) as here:
        task = asyncio.create_task(here.run(batch()))
        await running.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 0.5
        assert here.engine.running == []


async def test_task_cancelled_twice_teardown_still_completes() -> None:
    running = asyncio.Event()

    async def sleep(channel: Channel) -> None:
        await channel.greet()
        running.set()
        await hang()

    async with scene(sleep) as here:
        kill = here.engine.kill
        here.engine.kill = lambda name: (time.sleep(0.1), kill(name))[1]
        task = asyncio.create_task(here.run(batch()))
        await running.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.03)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_task_cancelled_during_create_nothing_is_left() -> None:
    creating = asyncio.Event()
    async with scene() as here:
        create, loop = here.engine.create, asyncio.get_running_loop()

        def slow(name: str, config: object) -> None:
            loop.call_soon_threadsafe(creating.set)
            time.sleep(0.2)
            create(name, config)

        here.engine.create = slow
        task = asyncio.create_task(here.run(batch()))
        await creating.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(here.engine.history) >= 2


async def test_container_that_never_dials_startup_deadline() -> None:
    async def silent(channel: Channel) -> None:
        await hang()

    async with scene(silent) as here:
        with pytest.raises(EngineError, match=r"not ready within 0\.3 s"):
            await here.run(batch(), startup_seconds=0.3)


async def test_container_that_ends_at_once_reports_its_exit_code() -> None:
    async def exit_now(channel: Channel) -> None:
        return

    async with scene(exit_now) as here:
        here.engine.exit_state = ContainerState(False, 3, False, "")
        with pytest.raises(EngineError, match="exit code 3"):
            await here.run(batch())


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        (pb.TrialFailed.CAUSE_EXCEPTION, Outcome.STRATEGY_ERROR),
        (pb.TrialFailed.CAUSE_CPU, Outcome.TIMEOUT_CPU),
        (pb.TrialFailed.CAUSE_SIGNAL, Outcome.SIGNAL),
        (pb.TrialFailed.CAUSE_MEMORY, Outcome.OUT_OF_MEMORY),
        (pb.TrialFailed.CAUSE_PIDS, Outcome.PIDS),
        (pb.TrialFailed.CAUSE_PROTOCOL, Outcome.PROTOCOL_VIOLATION),
        (pb.TrialFailed.CAUSE_OUTPUT, Outcome.OUTPUT_LIMIT),
    ],
)
async def test_failure_cause_maps_to_an_outcome_and_the_member_goes_on(
    cause: pb.TrialFailed.Cause, outcome: Outcome
) -> None:
    async def fail_first(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        failed = pb.TrialFailed(
            trial_id=run.trial_id,
            cause=cause,
            type="ValueError",
            message="no\x1b[31m",
            line=3,
            text="raise ValueError",
        )
        await channel.send(failed=failed)
        await channel.succeed((await channel.next_run()).trial_id)
        await channel.next_run()

    async with scene(fail_first) as here:
        report = await here.run(batch(trial("a"), trial("b")))
    assert [c.outcome for c in report.claims] == [outcome, Outcome.SUCCEEDED]
    failure = report.claims[0].failure
    assert (failure is not None) == (outcome is Outcome.STRATEGY_ERROR)
    if failure is not None:
        assert (failure.type, failure.line, failure.message) == ("ValueError", 3, "no\\x1b[31m")


async def test_fault_of_the_runner_is_not_charged() -> None:
    async def broken(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.send(
            failed=pb.TrialFailed(
                trial_id=run.trial_id, cause=pb.TrialFailed.CAUSE_RUNNER, message="oops"
            )
        )
        await hang()

    async with scene(broken) as here:
        report = await here.run(batch())
    assert report == MemberReport((), lost="oops")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (ContainerState(False, 137, True, ""), Outcome.OUT_OF_MEMORY),
        (ContainerState(False, 139, False, ""), Outcome.SIGNAL),
        (ContainerState(False, 1, False, ""), Outcome.PROTOCOL_VIOLATION),
    ],
)
async def test_container_that_dies_in_a_trial_is_charged_by_how_it_died(
    state: ContainerState, outcome: Outcome
) -> None:
    async def die(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        await asyncio.sleep(0.05)

    async with scene(die) as here:
        here.engine.exit_state = state
        report = await here.run(batch())
    assert [c.outcome for c in report.claims] == [outcome]


@pytest.mark.parametrize("started", [True, False])
async def test_container_killed_from_outside_loses_the_trial_uncharged(started: bool) -> None:
    async def die(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        if started:
            await channel.start_trial(run.trial_id)
            await asyncio.sleep(0.05)

    async with scene(die) as here:
        here.engine.exit_state = ContainerState(False, 137, False, "")
        report = await here.run(batch())
    assert report.claims == ()
    assert "137" in report.lost


async def test_policy_refuses_limits_nothing_is_created() -> None:
    async with scene() as here:
        with pytest.raises(UnsafeConfigurationError, match="memory_mib"):
            await here.run(batch(memory_mib=16))
        assert not any(line.startswith("create") for line in here.engine.history)


async def test_engine_away_at_teardown_lease_stays_for_the_reaper() -> None:
    async with scene(tidy=False) as here:

        def gone(name: str) -> None:
            raise EngineUnavailableError("gone")

        here.engine.remove = gone
        report = await here.run(batch())
        assert report.claims[0].outcome is Outcome.SUCCEEDED
        assert len(here.leases.live()) == 1


async def test_trials_done_container_is_killed_before_it_is_removed() -> None:
    async with scene(honest) as here:
        calls: list[str] = []
        kill, remove = here.engine.kill, here.engine.remove
        here.engine.kill = lambda name: (calls.append("kill"), kill(name))[1]
        here.engine.remove = lambda name: (calls.append("remove"), remove(name))[1]
        await here.run(batch())
    assert calls[0] == "kill"
    assert "remove" in calls
