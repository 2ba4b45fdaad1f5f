"""How long calls may last: the maximum of unary calls, and the end of all when a server stops."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from enum import IntEnum
from typing import Any, TypeVar, final

from stratlab.domain.errors import CallTimeoutError, ServerStoppingError

_Item = TypeVar("_Item")

# Streams that only follow: they would never end by themselves, and their callers continue where
# they were.
_FOLLOWING = frozenset({"/stratlab.v1.CampaignService/WatchCampaign"})


@final
class Phase(IntEnum):
    """How far a server is with stopping."""

    SERVING = 0
    DRAINING = 1
    """Followers are sent away; calls that work go on."""
    ENDING = 2
    """Every call is ended."""


@final
class Lifetimes:
    """Ends calls in time, each with a status that says whether to try again.

    Args:
        call_seconds: The longest a unary call may take.
    """

    def __init__(self, call_seconds: float) -> None:
        self._call_seconds = call_seconds
        self._phase = Phase.SERVING
        self._waiting: dict[asyncio.Timeout, Phase] = {}

    def enter(self, phase: Phase) -> None:
        """Begin a phase of stopping, and end the calls that it ends."""
        self._phase = phase
        now = asyncio.get_running_loop().time()
        for scope, ends_in in list(self._waiting.items()):
            if ends_in <= phase and not scope.expired():
                scope.reschedule(now)

    async def bounded(self, answer: Awaitable[_Item]) -> _Item:
        """Return the answer of a unary call.

        Raises:
            CallTimeoutError: It took longer than allowed.
            ServerStoppingError: The server ended it.
        """
        with self._registered(asyncio.timeout(self._call_seconds), Phase.ENDING) as scope:
            try:
                async with scope:
                    return await answer
            except TimeoutError:
                if not scope.expired():
                    raise  # somebody else's
                if self._phase is Phase.ENDING:
                    raise _stopping() from None
                raise CallTimeoutError(
                    f"the call took longer than {self._call_seconds:g} s"
                ) from None

    async def until_stopped(
        self,
        items: Any,  # noqa: ANN401 (gRPC does not tell what a stream yields)
        method: str,
    ) -> AsyncGenerator[Any, None]:
        """Yield the items of a stream until it ends or the server ends it.

        The time in which the caller takes an item is not bounded: flow control holds the stream
        then, and the server's stop ends it without us.

        Raises:
            ServerStoppingError: The server ended it.
        """
        ends_in = Phase.DRAINING if method in _FOLLOWING else Phase.ENDING
        async with aclosing(items) as stream:
            while True:
                if self._phase >= ends_in:
                    raise _stopping()
                with self._registered(asyncio.timeout(None), ends_in) as scope:
                    try:
                        async with scope:
                            item = await anext(stream)
                    except StopAsyncIteration:
                        return
                    except TimeoutError:
                        if not scope.expired():
                            raise  # somebody else's
                        raise _stopping() from None
                yield item

    @contextmanager
    def _registered(self, scope: asyncio.Timeout, ends_in: Phase) -> Iterator[asyncio.Timeout]:
        self._waiting[scope] = ends_in
        try:
            yield scope
        finally:
            del self._waiting[scope]


def _stopping() -> ServerStoppingError:
    return ServerStoppingError("the controller stops")
