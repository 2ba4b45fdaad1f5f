"""Runs a write in a thread such that a cancellation waits for it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def uninterrupted(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread; when cancelled meanwhile, let it end before passing that on.

    A thread cannot be stopped, so without this a cancelled caller would go on while the old
    write still commits behind its back.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
