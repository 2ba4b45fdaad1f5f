"""Cassettes: what was asked of language models and what they answered, for replay and resumption.

A recording stands for one sample: it is never handed out for another one, so the same prompt
asked twice in a campaign is answered twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, final

from stratlab.domain.events import canonical_json
from stratlab.domain.spending import TokenUsage


@final
class RecordingKind(StrEnum):
    """How a call ended."""

    ANSWER = "answer"
    FAILURE = "failure"


@final
@dataclass(frozen=True, slots=True)
class SampleKey:
    """Identity of one sample.

    Attributes:
        prompt: sha256 (hex) over everything that the model is told.
        model: Who is asked.
        parameters: Of the call, canonical JSON.
        sample: Which of the answers to the same prompt this is.
    """

    prompt: str
    model: str
    parameters: str
    sample: int

    @property
    def digest(self) -> str:
        """The key as one sha256, hex."""
        text = canonical_json([self.prompt, self.model, self.parameters, self.sample])
        return hashlib.sha256(text.encode()).hexdigest()


@final
@dataclass(frozen=True, slots=True)
class Recording:
    """One call as it is kept; no secret is in it.

    Attributes:
        key: Which sample.
        call: Its place in the campaign.
        kind: How it ended.
        request: Body of the request, canonical JSON.
        text: What the model wrote, or why there is no answer.
        stop_reason: Why the model stopped; of a failure its reason code.
        usage: Tokens; of a failure none are known.
        at: When it ended, UTC.
    """

    key: SampleKey
    call: str
    kind: RecordingKind
    request: str
    text: str
    stop_reason: str
    usage: TokenUsage
    at: datetime


class Cassettes(Protocol):
    """Recordings by campaign; every call is safe from any thread."""

    def find(self, campaign_id: str, key: SampleKey) -> Recording | None:
        """Return the recording of a sample, None when there is none."""
        ...

    def keep(self, campaign_id: str, recording: Recording) -> Recording:
        """Store a recording and return it; the one that is there already stays, and is returned.

        Raises:
            NotFoundError: No such campaign.
        """
        ...

    def all(self, campaign_id: str) -> Sequence[Recording]:
        """Return a campaign's recordings by call, then by time."""
        ...

    def counts(self, campaign_id: str) -> Mapping[RecordingKind, int]:
        """Return how many calls ended in each way, of those that any ended in."""
        ...
