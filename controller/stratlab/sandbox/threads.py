"""Blocking calls on threads, such that a cancellation never leaves one behind."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar, final

P = ParamSpec("P")
T = TypeVar("T")

_MAX_THREADS: Final = 32


@final
class Threads:
    """Threads for calls to the engine and the store.

    They are our own: in the event loop's pool somebody else's slow calls could delay a kill.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="sandbox")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on a thread; a cancellation is delivered after it has ended."""
        loop = asyncio.get_running_loop()

        async def on_thread() -> T:
            return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))

        return await to_the_end(on_thread())

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end, and only then deliver a cancellation that came meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # What it raised is of less interest than that the caller is to stop.
        task.exception()
        raise cancelled
    return task.result()
