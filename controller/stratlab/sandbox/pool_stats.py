"""What the pool of warm containers did, in figures."""

from dataclasses import asdict, dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class PoolStats:
    """Counts since the start, and what there is now.

    Attributes:
        hits: Claims that found a container waiting.
        late: Claims that waited for one that was being warmed already.
        misses: Claims that had to start one.
        warmed, failed: Containers that were warmed ahead, and that could not be.
        died: Containers that ended while they waited.
        expired: Those that waited in vain.
        displaced: Those that made way for other work.
        idle: Those that wait now.
        warming: Those that will soon.
    """

    hits: int = 0
    late: int = 0
    misses: int = 0
    warmed: int = 0
    failed: int = 0
    died: int = 0
    expired: int = 0
    displaced: int = 0
    idle: int = 0
    warming: int = 0

    @property
    def claims(self) -> int:
        """All claims."""
        return self.hits + self.late + self.misses

    @property
    def hit_rate(self) -> float:
        """Fraction of claims that found a container waiting; 0 before the first claim."""
        return self.hits / self.claims if self.claims else 0.0

    def as_mapping(self) -> dict[str, float]:
        """Return the figures by name, the hit rate among them."""
        return asdict(self) | {"hit_rate": round(self.hit_rate, 4)}
