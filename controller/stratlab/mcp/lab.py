"""Calls of the lab's client from tools: in threads, ended when nobody waits for them any more."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar, final

import anyio
from anyio import to_thread

from stratlab.client import Client

Connect = Callable[[], AbstractContextManager[Client]]
"""Opens a connection of its own to the configured controller."""

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Tells whoever waits for a tool: how far, of how much, and what happens."""

_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


@final
class Lab:
    """The only door to the lab: its API, with the caller's own token.

    Every call has a connection of its own. Closing that is what ends a call which its caller
    gave up, and a token that was replaced counts from the next call on.

    Args:
        connect: Opens a connection.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def ask(self, call: Callable[[Client], _Answer]) -> _Answer:
        """Return what a call of the client returns.

        Raises:
            StratlabError: What the client raises.
        """
        with self._connect() as client:
            return await to_thread.run_sync(call, client, abandon_on_cancel=True)

    async def follow(
        self,
        start: Callable[[Client], Iterator[_Item]],
        on_item: Callable[[_Item], Awaitable[bool]],
        seconds: float,
    ) -> bool:
        """Follow a stream for a limited time.

        Args:
            start: Opens it.
            on_item: Called with each item; returns whether it wants more.
            seconds: When to stop waiting.

        Returns:
            Whether the stream ended by itself.

        Raises:
            StratlabError: What the client raises.
        """
        with self._connect() as client:
            items = start(client)
            with anyio.move_on_after(seconds):
                while (
                    item := await to_thread.run_sync(_next, items, abandon_on_cancel=True)
                ) is not None:
                    if not await on_item(item):
                        return False
                return True
        return False


def _next(items: Iterator[_Item]) -> _Item | None:
    return next(items, None)
