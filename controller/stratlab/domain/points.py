"""The registry of points: every parameter set of a candidate that anything was computed for."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from stratlab.domain.trial import Parameters, TrialPurpose


@final
@dataclass(frozen=True, slots=True)
class Point:
    """One entry of the registry, which only ever grows.

    A candidate's point is registered once for a purpose and occasion, however many market sets,
    tiers and attempts it is run on. Searches have no occasion, so that N, the number of distinct
    (candidate, parameters) whose score could influence selection, is the number of entries with
    the purpose SEARCH; failed ones are among them, for they are registered before they run.

    Attributes:
        campaign_id, iteration: Where it was computed.
        candidate: Hash of the candidate.
        parameters: Name -> value.
        purpose: Why.
        occasion: What tells repetitions apart, "" where there are none: of a re-run the trial
            and the attempt.
        score: What the screen or the sensitivity found; None for trials, whose results are stored
            as such, and where it is undefined.
    """

    campaign_id: str
    iteration: int
    candidate: str
    parameters: Parameters
    purpose: TrialPurpose
    occasion: str = ""
    score: float | None = None

    @property
    def digest(self) -> str:
        """Identity of the parameters among those of one candidate."""
        return point_digest(self.parameters)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is registered once in a campaign: candidate, digest, purpose, occasion."""
        return self.candidate, self.digest, self.purpose.value, self.occasion


def point_digest(parameters: Parameters) -> str:
    """Return the sha256 (hex) of a parameter set; 1 and 1.0 are one value, order has no meaning."""
    numbers = {name: float(value) for name, value in parameters.items()}
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()


def registry_digest(points: Sequence[Point]) -> str:
    """Return the sha256 (hex) of entries and their scores, in order, for the audit chain."""
    content = [[*point.key, point.score] for point in points]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


class PointRegister(Protocol):
    """The registry as a transaction sees it."""

    def register_points(self, campaign_id: str, points: Sequence[Point]) -> int:
        """Append the entries that are not there yet and return how many they were.

        Raises:
            NotFoundError: No such campaign.
            InvalidInputError: An entry belongs to another campaign, or is not finite.
        """
        ...


class PointReader(Protocol):
    """The registry as everybody else sees it."""

    def points(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Point]:
        """Return entries in the order of registration, from the one behind number ``after`` on."""
        ...

    def point_counts(self, campaign_id: str) -> Mapping[TrialPurpose, int]:
        """Return the number of entries by purpose, of those that have any."""
        ...
