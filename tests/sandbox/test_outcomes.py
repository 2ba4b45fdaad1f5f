"""Hostile strategies in the real container: each ends in its outcome, and nothing is left."""

import asyncio
import time

import pytest
from tests.sandbox.builders import Clock, MemoryLeases
from tests.sandbox.real import RealSandbox
from tests.suites.sandbox_suite import BUY_AND_HOLD, ignore, suite_batch, suite_trial

from stratlab.domain.ports import Lease
from stratlab.domain.trial import Outcome, TrialClaim
from stratlab.sandbox.reaper import Reaper

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

_STRATEGY = """
{imports}


def initialize(context):
    pass


def handle_data(context, data):
{body}
"""


def strategy(body: str, imports: str = "import os") -> str:
    indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return _STRATEGY.format(imports=imports, body=indented)


async def outcome_of(real: RealSandbox, source: str, **limits: object) -> TrialClaim:
    (claim,) = await real.sandbox.run(suite_batch(source, **limits), ignore)
    assert real.containers() == []
    assert real.leases.live() == []
    return claim


async def test_busy_loop_runs_out_of_cpu_time(real: RealSandbox) -> None:
    claim = await outcome_of(real, strategy("while True: pass"), cpu_seconds=1, wall_seconds=30)
    assert claim.outcome is Outcome.TIMEOUT_CPU
    assert 0.5 <= claim.usage.cpu_seconds < 3


async def test_sigxcpu_ignored_still_runs_out_of_cpu_time(real: RealSandbox) -> None:
    body = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    source = strategy(body, "import signal")
    claim = await outcome_of(real, source, cpu_seconds=1, wall_seconds=30)
    assert claim.outcome is Outcome.TIMEOUT_CPU


async def test_memory_hog_runs_out_of_memory_and_the_next_trial_goes_on(
    real: RealSandbox,
) -> None:
    body = (
        'if context.params["shares"] == 99:\n    held = [bytearray(1 << 20) for _ in range(4096)]'
    )
    work = suite_batch(
        strategy(body),
        suite_trial("hog", 0, shares=99),
        suite_trial("modest", 1, shares=1),
        memory_mib=512,
    )
    claims = await real.sandbox.run(work, ignore)
    assert [claim.outcome for claim in claims] == [Outcome.OUT_OF_MEMORY, Outcome.SUCCEEDED]


async def test_fork_bomb_is_bounded(real: RealSandbox) -> None:
    body = "while True:\n    os.fork()"
    claim = await outcome_of(real, strategy(body), cpu_seconds=5, wall_seconds=15)
    assert claim.outcome in {
        Outcome.PIDS,
        Outcome.TIMEOUT_CPU,
        Outcome.TIMEOUT_WALL,
        Outcome.PROTOCOL_VIOLATION,
    }


async def test_too_many_threads_is_pids(real: RealSandbox) -> None:
    body = (
        "for _ in range(500):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    claim = await outcome_of(real, strategy(body, "import threading"), wall_seconds=30)
    assert claim.outcome is Outcome.PIDS


async def test_endless_printing_is_an_output_limit(real: RealSandbox) -> None:
    body = 'while True:\n    print("\\x1b[31m" + "x" * 100_000)'
    claim = await outcome_of(real, strategy(body), output_mib=1, wall_seconds=30)
    assert claim.outcome is Outcome.OUTPUT_LIMIT
    assert "\x1b" not in claim.output_tail


async def test_output_that_is_no_text_comes_out_escaped(real: RealSandbox) -> None:
    body = 'os.write(1, b"\\xff\\x00\\x1b]0;title\\x07")'
    claim = await outcome_of(real, strategy(body))
    assert claim.outcome is Outcome.SUCCEEDED
    assert "\\xff\\x00\\x1b]0;title\\x07" in claim.output_tail


async def test_exception_text_that_is_no_unicode_is_charged_to_the_strategy(
    real: RealSandbox,
) -> None:
    claim = await outcome_of(real, strategy('raise ValueError("\\udc80")'))
    assert claim.outcome in {Outcome.STRATEGY_ERROR, Outcome.PROTOCOL_VIOLATION}


async def test_exception_text_with_control_characters_comes_out_escaped(
    real: RealSandbox,
) -> None:
    claim = await outcome_of(real, strategy('raise ValueError("\\u202e\\x1b[0m")'))
    assert claim.outcome is Outcome.STRATEGY_ERROR
    assert claim.failure.message == "\\u202e\\x1b[0m"


async def test_strategy_that_kills_itself_is_a_signal(real: RealSandbox) -> None:
    claim = await outcome_of(real, strategy("os.kill(os.getpid(), 11)"))
    assert claim.outcome is Outcome.SIGNAL


async def test_strategy_that_kills_everything_is_charged_and_the_rest_goes_on(
    real: RealSandbox,
) -> None:
    body = 'if context.params["shares"] == 99:\n    os.kill(-1, 9)\n    os.kill(os.getpid(), 9)'
    trials = (suite_trial("bad", 0, shares=99), suite_trial("good", 1, shares=1))
    claims = await real.sandbox.run(suite_batch(strategy(body), *trials), ignore)
    assert claims[0].outcome in {Outcome.SIGNAL, Outcome.PROTOCOL_VIOLATION}
    assert claims[1].outcome is Outcome.SUCCEEDED
    assert real.containers() == []


async def test_source_that_does_not_compile_is_a_strategy_error_with_its_line(
    real: RealSandbox,
) -> None:
    claim = await outcome_of(real, "def initialize(context):\n    pass\n\ndef handle_data(:\n")
    assert claim.outcome is Outcome.STRATEGY_ERROR
    assert (claim.failure.type, claim.failure.line) == ("SyntaxError", 4)


async def test_daemon_left_behind_does_not_outlive_the_container(real: RealSandbox) -> None:
    body = (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        time.sleep(3600)\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    source = strategy(body, "import os, signal, time").replace(
        "    pass", "    context.done = False"
    )
    began = time.monotonic()
    claim = await outcome_of(real, source, wall_seconds=30)
    assert claim.outcome in {Outcome.SUCCEEDED, Outcome.PIDS, Outcome.PROTOCOL_VIOLATION}
    assert time.monotonic() - began < 60


async def test_member_is_used_once(real: RealSandbox) -> None:
    claims = [await outcome_of(real, BUY_AND_HOLD) for _ in range(2)]
    assert claims[0].sandbox.member_id != claims[1].sandbox.member_id


async def test_container_killed_from_outside_the_trial_is_run_again(real: RealSandbox) -> None:
    body = (
        "context.count = getattr(context, 'count', 0) + 1\nif context.count < 100: time.sleep(0.02)"
    )
    running = asyncio.Event()
    work = suite_batch(strategy(body, "import time"))
    task = asyncio.create_task(real.sandbox.run(work, lambda _: running.set()))
    await asyncio.wait_for(running.wait(), 60)
    (first,) = await asyncio.to_thread(real.containers)
    await asyncio.to_thread(real.engine.kill, first)
    (claim,) = await task
    assert claim.outcome is Outcome.SUCCEEDED
    assert claim.sandbox.member_id != first


async def test_lease_exists_before_its_container(
    real: RealSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    acquire = MemoryLeases.acquire

    def watching(self: MemoryLeases, lease: Lease) -> Lease:
        acquired = acquire(self, lease)
        seen.append(real.containers())
        return acquired

    monkeypatch.setattr(MemoryLeases, "acquire", watching)
    await outcome_of(real, BUY_AND_HOLD)
    assert seen == [[]]


async def test_sweep_during_a_trial_does_not_disturb_it(real: RealSandbox) -> None:
    reaper = Reaper(real.engine, real.leases, Clock(), real.installation)
    work = suite_batch(BUY_AND_HOLD)
    task = asyncio.create_task(real.sandbox.run(work, ignore))
    swept: list[str] = []
    while not task.done():
        swept += (await asyncio.to_thread(reaper.sweep)).containers
        await asyncio.sleep(0.02)
    assert swept == []
    assert [claim.outcome for claim in await task] == [Outcome.SUCCEEDED]
