"""Verify audit chains: every link, every hash, and that nothing is missing at the end."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, final

from stratlab.domain.errors import AuditBrokenError
from stratlab.domain.events import GENESIS_HASH, Event, verify_chain


@final
@dataclass(frozen=True, slots=True)
class AuditTrail:
    """A chain as stored, and where it should end.

    Attributes:
        number: Number of the last event according to the campaign, 0 for none.
        hash: Its hash, :data:`~stratlab.domain.events.GENESIS_HASH` for none.
        events: All events in the order of their numbers, read once.
    """

    number: int
    hash: str
    events: Iterator[Event]


class AuditSource(Protocol):
    """What verification needs from a repository."""

    def campaign_ids(self) -> Sequence[str]:
        """Return the ids of all campaigns."""
        ...

    def audit_trail(self, campaign_id: str) -> AbstractContextManager[AuditTrail]:
        """Open one campaign's chain; events and end belong to the same instant."""
        ...

    def orphaned_events(self) -> Sequence[str]:
        """Return campaign ids that have events but no campaign."""
        ...


def verify_audit(source: AuditSource, campaign_id: str | None = None) -> dict[str, int]:
    """Check the audit chain of one campaign, or of all.

    Args:
        source: The repository.
        campaign_id: None for all campaigns.

    Returns:
        Number of events by campaign id.

    Raises:
        AuditBrokenError: Something was changed, removed or added; names the first bad event.
        NotFoundError: No such campaign.
    """
    ids = source.campaign_ids() if campaign_id is None else [campaign_id]
    counts = {each: _verify(source, each) for each in ids}
    for orphan in source.orphaned_events() if campaign_id is None else ():
        raise AuditBrokenError(
            f"event 1 of campaign {orphan} belongs to no campaign", campaign=orphan, event=1
        )
    return counts


def _verify(source: AuditSource, campaign_id: str) -> int:
    end = GENESIS_HASH

    def remember(events: Iterator[Event]) -> Iterator[Event]:
        nonlocal end
        for event in events:
            end = event.hash
            yield event

    with source.audit_trail(campaign_id) as trail:
        count = verify_chain(remember(trail.events))
    if (count, end) == (trail.number, trail.hash):
        return count
    first_bad, what = (
        (count + 1, "is missing")
        if count < trail.number
        else (trail.number + 1, "was never recorded by its campaign")
        if count > trail.number
        else (count, "is not the one its campaign recorded last")
    )
    raise AuditBrokenError(
        f"event {first_bad} of campaign {campaign_id} {what}",
        campaign=campaign_id,
        event=first_bad,
    )
