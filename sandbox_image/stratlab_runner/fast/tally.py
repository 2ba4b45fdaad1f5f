"""Counts the calls of a run, and those among them that fell back to stock zipline."""

from collections import Counter
from typing import final


@final
class Tally:
    """What a run asked of the fast engine.

    Attributes:
        calls: All calls that the fast engine was asked to answer.
        fallbacks: Name of a call -> how often stock zipline answered it instead.
    """

    __slots__ = ("calls", "fallbacks")

    def __init__(self) -> None:
        self.calls = 0
        self.fallbacks: Counter[str] = Counter()

    def fell_back(self, name: str) -> None:
        """Note that stock zipline answers a call."""
        self.fallbacks[name] += 1

    @property
    def share(self) -> float:
        """Fraction of all calls that fell back."""
        return self.fallbacks.total() / self.calls if self.calls else 0.0
