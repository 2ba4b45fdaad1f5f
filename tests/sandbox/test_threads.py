"""A blocking call that was begun is always seen to its end."""

import asyncio
import time

import pytest

from stratlab.sandbox.threads import Threads, to_the_end


async def test_result_and_exception_come_back() -> None:
    threads = Threads()
    assert await threads.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(divmod, 7, 0)
    threads.close()


async def test_cancelled_call_is_delivered_after_the_thread_has_ended() -> None:
    threads, ended = Threads(), []

    def slow() -> None:
        time.sleep(0.1)
        ended.append(True)

    task = asyncio.create_task(threads.call(slow))
    await asyncio.sleep(0.02)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    threads.close()


async def test_cancelled_work_that_also_fails_is_still_a_cancellation() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.02)
        raise ValueError("late")

    task = asyncio.create_task(to_the_end(fail()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
