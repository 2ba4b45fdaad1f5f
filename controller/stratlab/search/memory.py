"""Remembers what was computed of a text under a short key, so that no text is kept."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar, final

Value = TypeVar("Value")

KEPT = 16_384
"""Values that one memory keeps; the oldest go first."""


@final
class Memory(Generic[Value]):
    """A bounded cache; of two threads that ask for the same at once, both may compute it.

    Args:
        kept: Number of values.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._values: dict[object, Value] = {}
        self._lock = Lock()

    def get(self, key: object, compute: Callable[[], Value]) -> Value:
        """Return the value of a key, computed at first."""
        found = self._values.get(key)
        if found is None:
            found = compute()
            with self._lock:
                self._values[key] = found
                if len(self._values) > self._kept:
                    del self._values[next(iter(self._values))]
        return found
