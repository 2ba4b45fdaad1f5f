"""The audit trail: append-only events, each hashed over the one before."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import final

from stratlab.domain.errors import AuditBrokenError

GENESIS_HASH = "0" * 64


@final
class EventKind(StrEnum):
    """What happened."""

    CAMPAIGN_CREATED = "campaign_created"
    STATE_CHANGED = "state_changed"
    ITERATION_STARTED = "iteration_started"
    CANDIDATE_GENERATED = "candidate_generated"
    CANDIDATE_SCREENED = "candidate_screened"
    TRIAL_STARTED = "trial_started"
    TRIAL_FINISHED = "trial_finished"
    ITERATION_EVALUATED = "iteration_evaluated"
    HALL_OF_FAME_CHANGED = "hall_of_fame_changed"
    CRITIQUE_WRITTEN = "critique_written"
    BUDGET_WARNING = "budget_warning"
    CHECK_FINISHED = "check_finished"
    HOLDOUT_OPENED = "holdout_opened"
    VERDICT_REACHED = "verdict_reached"


@final
@dataclass(frozen=True, slots=True)
class Event:
    """One link of a campaign's audit chain.

    Attributes:
        campaign_id: Chain it belongs to.
        number: 1, 2, 3 ... without gaps.
        at: UTC.
        kind: What happened.
        payload: Canonical JSON text, an object.
        previous_hash: Hash of event ``number - 1``, :data:`GENESIS_HASH` for the first.
        hash: sha256 over all of the above, hex.
    """

    campaign_id: str
    number: int
    at: datetime
    kind: EventKind
    payload: str
    previous_hash: str
    hash: str


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: A float is NaN or infinite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )


def event_hash(
    campaign_id: str, number: int, at: datetime, kind: str, payload: str, previous_hash: str
) -> str:
    """Return the sha256 (hex) that links an event to the one before."""
    text = canonical_json([campaign_id, number, at.isoformat(), kind, payload, previous_hash])
    return hashlib.sha256(text.encode()).hexdigest()


def next_event(
    previous: Event | None,
    campaign_id: str,
    at: datetime,
    kind: EventKind,
    payload: Mapping[str, object],
) -> Event:
    """Return the event that follows ``previous`` in a campaign's chain."""
    number = previous.number + 1 if previous else 1
    previous_hash = previous.hash if previous else GENESIS_HASH
    text = canonical_json(payload)
    return Event(
        campaign_id=campaign_id,
        number=number,
        at=at,
        kind=kind,
        payload=text,
        previous_hash=previous_hash,
        hash=event_hash(campaign_id, number, at, kind, text, previous_hash),
    )


def verify_chain(events: Iterable[Event]) -> int:
    """Check one campaign's whole chain and return its length.

    Raises:
        AuditBrokenError: A number, link or hash is wrong; names the first bad event.
    """
    previous_hash = GENESIS_HASH
    count = 0
    for count, event in enumerate(events, start=1):
        expected = event_hash(
            event.campaign_id, event.number, event.at, event.kind, event.payload, previous_hash
        )
        broken = (
            "number"
            if event.number != count
            else "link"
            if event.previous_hash != previous_hash
            else "hash"
            if event.hash != expected
            else ""
        )
        if broken:
            msg = f"event {event.number} of campaign {event.campaign_id} has a wrong {broken}"
            raise AuditBrokenError(msg, campaign=event.campaign_id, event=event.number)
        previous_hash = event.hash
    return count
