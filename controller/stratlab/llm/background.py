"""An event loop in a thread of its own, so that code without one can ask models."""

import asyncio
import threading
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Self, final

from stratlab.domain.errors import ServerStoppingError
from stratlab.llm.answer import Answer
from stratlab.llm.door import Door
from stratlab.llm.prompt import Call


@final
class Models:
    """A door that is open as long as this context; asked from any thread but its own.

    Leaving it ends every call that is under way: its reservation stays counted as spent.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="models", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all calls, then the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, call: Call) -> Answer:
        """Return the answer to a call; blocks.

        Raises:
            ModelFailedError, ModelUnavailableError, BudgetExhaustedError: As
                :meth:`stratlab.llm.door.Door.ask` says.
            ServerStoppingError: The context was left, also meanwhile.
        """
        if not self._loop.is_running():
            raise ServerStoppingError("the door to language models is closed")
        try:
            return asyncio.run_coroutine_threadsafe(self._door.ask(call), self._loop).result()
        except CancelledError:
            raise ServerStoppingError("the controller stops while a model is asked") from None

    async def _close(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._door.close()
        await asyncio.get_running_loop().shutdown_default_executor()
