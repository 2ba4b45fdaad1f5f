"""A member's life against a stand-in container: manners, lies, hangs and deaths."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.sandbox.builders import DAY, FIRST_BAR, Clock, MemoryLeases, batch, trial
from tests.sandbox.stand_in import (
    Behaviour,
    Channel,
    StandInEngine,
    hang,
    honest,
    market_order,
    stand_in_engine,
)

from stratlab.domain.errors import EngineError, EngineUnavailableError, UnsafeConfigurationError
from stratlab.domain.trial import Outcome, TrialBatch, TrialProgress
from stratlab.sandbox.containers import Site, Workplace
from stratlab.sandbox.engine import ContainerState
from stratlab.sandbox.identity import controller_id
from stratlab.sandbox.member import Member, MemberReport
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.seccomp import SeccompProfile
from stratlab.sandbox.threads import Threads
from stratlab_proto.runner.v1 import runner_service_pb2 as pb


@dataclass
class Scene:
    engine: StandInEngine
    leases: MemoryLeases
    workplace: Workplace
    folder: Path
    progress: list[TrialProgress]

    def member(self, work: TrialBatch, startup_seconds: float = 10.0) -> Member:
        site = Site(
            "sha256:" + "a" * 64,
            "runc",
            HostTraits(cpus=2),
            work.limits,
            data_directory=self.folder,
        )
        return Member(self.workplace, site, work, startup_seconds, self.progress.append)

    async def run(self, work: TrialBatch, startup_seconds: float = 10.0) -> MemberReport:
        return await self.member(work, startup_seconds).run(work.trials)


@asynccontextmanager
async def scene(*behaviours: Behaviour, tidy: bool = True) -> AsyncIterator[Scene]:
    """Open a workplace; after it nothing may be left (unless not ``tidy``)."""
    threads = Threads()
    with TemporaryDirectory(prefix="sl-") as folder:
        async with stand_in_engine(*behaviours) as engine:
            leases = MemoryLeases()
            workplace = Workplace(
                engine=engine,
                threads=threads,
                leases=leases,
                clock=Clock(),
                profile=SeccompProfile("{}", "d" * 64),
                installation="0123456789abcdef",
                controller=controller_id(),
                socket_root=Path(folder),
            )
            made = Scene(engine, leases, workplace, Path(folder), [])
            yield made
            if tidy:
                assert leases.live() == []
                assert engine.configs == {}
                await asyncio.sleep(0)
                assert engine.running == []
            assert list(Path(folder).iterdir()) == []
    threads.close()


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
        with pytest.raises(EngineError, match="not ready within 0.3 s"):
            await here.run(batch(), startup_seconds=0.3)


async def test_container_that_ends_at_once_reports_its_exit_code() -> None:
    async def exit_now(channel: Channel) -> None:
        return

    async with scene(exit_now) as here:
        here.engine.exit_state = ContainerState(False, 3, False, "")
        with pytest.raises(EngineError, match="exit code 3"):
            await here.run(batch())


@pytest.mark.parametrize("garbage", [b"\xff" * 40, b"", b"\x0a\x05hello" * 100])
async def test_garbage_instead_of_hello_is_nobody_s_trial(garbage: bytes) -> None:
    async def babble(channel: Channel) -> None:
        await channel.send_bytes(garbage)
        await hang()

    async with scene(babble) as here:
        with pytest.raises(EngineError, match="greet"):
            await here.run(batch())


async def _wrong_nonce(channel: Channel, trial_id: str) -> None:
    channel.nonce = b"guess"
    await channel.start_trial(trial_id)


async def _wrong_sequence(channel: Channel, trial_id: str) -> None:
    channel.sequence += 1
    await channel.start_trial(trial_id)


async def _garbage(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.send_bytes(b"\xff\x00garbage")


async def _oversize(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.send_bytes(b"\x00" * (5 << 20))


async def _not_a_number(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    equity = pb.EquityBatch(trial_id=trial_id, bars=[FIRST_BAR], values=[float("nan")])
    await channel.send(equity=equity)


async def _foreign_symbol(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    entry = market_order(symbol="MSFT")
    await channel.send(log=pb.LogBatch(trial_id=trial_id, entries=[entry]))


async def _future_bar(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    entry = market_order(bar=FIRST_BAR + 4000 * DAY)
    await channel.send(log=pb.LogBatch(trial_id=trial_id, entries=[entry]))


async def _hello_again(channel: Channel, trial_id: str) -> None:
    channel.nonce = b""
    await channel.send(hello=pb.Hello())


async def _hung_up(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.hang_up()


@pytest.mark.parametrize(
    "misdeed",
    [
        _wrong_nonce,
        _wrong_sequence,
        _garbage,
        _oversize,
        _not_a_number,
        _foreign_symbol,
        _future_bar,
        _hello_again,
        _hung_up,
    ],
)
async def test_misdeed_in_a_trial_is_a_protocol_violation_of_that_trial(misdeed: object) -> None:
    async def misbehave(channel: Channel) -> None:
        await channel.greet()
        await channel.succeed((await channel.next_run()).trial_id)
        run = await channel.next_run()
        await misdeed(channel, run.trial_id)
        await hang()

    async with scene(misbehave) as here:
        report = await here.run(batch(trial("good"), trial("bad"), trial("later")))
    assert [(c.trial_id, c.outcome) for c in report.claims] == [
        ("good", Outcome.SUCCEEDED),
        ("bad", Outcome.PROTOCOL_VIOLATION),
    ]
    assert report.claims[1].reason


async def test_frame_after_the_last_end_voids_that_trial() -> None:
    async def late(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.succeed(run.trial_id)
        await channel.finish(run.trial_id)
        await hang()

    async with scene(late) as here:
        report = await here.run(batch())
    assert report.claims[0].outcome is Outcome.PROTOCOL_VIOLATION


async def test_frame_of_an_ended_trial_in_the_next_voids_the_ended_one_only() -> None:
    async def late(channel: Channel) -> None:
        await channel.greet()
        first = await channel.next_run()
        await channel.succeed(first.trial_id)
        await channel.next_run()
        await channel.finish(first.trial_id)
        await hang()

    async with scene(late) as here:
        report = await here.run(batch(trial("a"), trial("b")))
    assert [(c.trial_id, c.outcome) for c in report.claims] == [("a", Outcome.PROTOCOL_VIOLATION)]


async def test_half_a_frame_is_a_protocol_violation() -> None:
    async def half(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        frame = pb.AttachRequest(
            sequence=channel.sequence, nonce=channel.nonce, output=pb.Output(tail=b"x" * 1000)
        ).SerializeToString()
        await channel.send_bytes(frame[: len(frame) // 2])
        await hang()

    async with scene(half) as here:
        report = await here.run(batch(wall_seconds=1))
    assert report.claims[0].outcome is Outcome.PROTOCOL_VIOLATION


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


async def test_second_connection_is_refused() -> None:
    refused: list[str] = []

    async def twice(channel: Channel) -> None:
        await channel.greet()
        await asyncio.sleep(0.1)
        second = Channel(channel.path)
        try:
            await second.greet()
        except Exception as error:  # noqa: BLE001 - any refusal will do
            refused.append(type(error).__name__)
        await second.close()
        run = await channel.next_run()
        await channel.succeed(run.trial_id)
        await channel.next_run()

    async with scene(twice) as here:
        report = await here.run(batch())
    assert len(refused) == 1
    assert report.claims[0].outcome is Outcome.SUCCEEDED


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
