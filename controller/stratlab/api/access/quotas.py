"""How much one token may ask for: calls per second and open streams."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import final

from stratlab.domain.errors import RateLimitedError


@final
@dataclass(frozen=True, slots=True)
class Quotas:
    """What each token may ask for.

    Attributes:
        calls_per_second: Calls it may start, on average.
        burst: Calls it may start at once.
        streams: Streams it may have open.
    """

    calls_per_second: float = 20.0
    burst: int = 100
    streams: int = 32


@final
class Meter:
    """Counts what one token asks for: a token bucket, and a count of open streams.

    Args:
        quotas: The bounds.
        clock: Returns seconds of a clock that never goes back.
    """

    def __init__(self, quotas: Quotas, clock: Callable[[], float] = monotonic) -> None:
        self._quotas = quotas
        self._clock = clock
        self._calls = float(quotas.burst)
        self._seen = clock()
        self._streams = 0

    def start_call(self) -> None:
        """Count a call.

        Raises:
            RateLimitedError: There were too many; ``retry_seconds`` says how long to wait.
        """
        quotas, now = self._quotas, self._clock()
        refilled = self._calls + (now - self._seen) * quotas.calls_per_second
        self._calls, self._seen = min(float(quotas.burst), refilled), now
        if self._calls < 1.0:
            seconds = (1.0 - self._calls) / quotas.calls_per_second
            raise RateLimitedError(
                f"more than {quotas.calls_per_second:g} calls per second",
                retry_seconds=f"{max(seconds, 0.001):.3f}",
            )
        self._calls -= 1.0

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream for as long as the context lasts.

        Raises:
            RateLimitedError: As many as allowed are open.
        """
        if self._streams >= self._quotas.streams:
            raise RateLimitedError(
                f"{self._streams} streams of this token are open already", retry_seconds="1.000"
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
