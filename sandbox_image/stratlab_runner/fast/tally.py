"""Counts the calls of a run, and those among them that fell back to stock zipline."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


@final
class Tally:
    """What a run asked of the fast engine.

    Attributes:
        calls: How many calls of ``data`` there were.
        fallbacks: Name of a call -> how often stock zipline answered it instead.
        refusals: Name of a call -> how often stock zipline refused it, with its own error.
    """

    __slots__ = ("_inside", "calls", "fallbacks", "refusals")

    def __init__(self) -> None:
        self.calls = 0
        self.fallbacks: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self._inside = False

    @contextmanager
    def fallback(self, name: str) -> Iterator[None]:
        """Count what happens inside as one fallback, or as a refusal when it raises.

        Args:
            name: Of the call that stock zipline answers; calls inside it do not count.
        """
        if self._inside:
            yield
            return
        self._inside = True
        try:
            yield
        except Exception:
            self.refusals[name] += 1
            raise
        else:
            self.fallbacks[name] += 1
        finally:
            self._inside = False

    @property
    def share(self) -> float:
        """Fraction of all calls that fell back."""
        return self.fallbacks.total() / self.calls if self.calls else 0.0
