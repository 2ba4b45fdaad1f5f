"""An event that can be waited for in both directions: that it comes, and that it is gone."""

import asyncio
from typing import final


@final
class Flag:
    """Like :class:`asyncio.Event`, and tells also when it is cleared; for one event loop."""

    def __init__(self) -> None:
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()

    def is_set(self) -> bool:
        """Return whether it is set now."""
        return self._up.is_set()

    def set(self) -> None:
        """Wake everybody who waits for it."""
        self._down.clear()
        self._up.set()

    def clear(self) -> None:
        """Wake everybody who waits for its end."""
        self._up.clear()
        self._down.set()

    async def wait(self) -> None:
        """Return when it is set, at once when it is already."""
        await self._up.wait()

    async def wait_cleared(self) -> None:
        """Return when it is not set, at once when it is not now."""
        await self._down.wait()
