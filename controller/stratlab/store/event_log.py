"""The audit chain in SQL: append to its end, read it back, distrust every stored byte."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import DBAPIError

from stratlab.domain.errors import AuditBrokenError, InvalidInputError, NotFoundError
from stratlab.domain.events import GENESIS_HASH, Event, EventKind, next_event
from stratlab.store.failures import error_code
from stratlab.store.schema import campaigns, events

_PAGE = 500
_COLUMNS = (
    events.c.number,
    events.c.at,
    events.c.kind,
    events.c.payload,
    events.c.previous_hash,
    events.c.hash,
)


def append(
    connection: Connection,
    campaign_id: str,
    at: datetime,
    kind: EventKind,
    payload: Mapping[str, object],
) -> Event:
    """Append to a campaign's chain and move the chain's recorded end.

    Args:
        connection: An open write transaction.
        campaign_id: The chain.
        at: Aware time, stored in UTC.
        kind: What happened.
        payload: Finite numbers, text and containers of them.

    Raises:
        NotFoundError: No such campaign.
        AuditBrokenError: The chain's end is not where it was left.
        InvalidInputError: The payload is not JSON, or the time has no zone.
    """
    number, digest = chain_end(connection, campaign_id)
    last = _last(connection, campaign_id)
    if (last.number if last else 0, last.hash if last else GENESIS_HASH) != (number, digest):
        raise AuditBrokenError(
            f"the chain of campaign {campaign_id} does not end at event {number}",
            campaign=campaign_id,
            event=number,
        )
    if at.tzinfo is None:
        raise InvalidInputError("an event needs a time with a zone")
    try:
        event = next_event(last, campaign_id, at.astimezone(UTC), kind, payload)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"this event payload cannot be stored: {error}") from error
    connection.execute(
        insert(events).values(
            campaign_id=campaign_id,
            number=event.number,
            at=event.at.isoformat(),
            kind=event.kind.value,
            payload=event.payload,
            previous_hash=event.previous_hash,
            hash=event.hash,
        )
    )
    connection.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id)
        .values(event_number=event.number, event_hash=event.hash)
    )
    return event


def chain_end(connection: Connection, campaign_id: str) -> tuple[int, str]:
    """Return number and hash of the last event as the campaign's row has them.

    Raises:
        NotFoundError: No such campaign.
    """
    row = connection.execute(
        select(campaigns.c.event_number, campaigns.c.event_hash).where(
            campaigns.c.id == campaign_id
        )
    ).first()
    if row is None:
        raise NotFoundError(f"campaign {campaign_id} does not exist", campaign=campaign_id)
    return row.event_number, row.event_hash


def page(connection: Connection, campaign_id: str, after: int, limit: int) -> list[Event]:
    """Return up to ``limit`` events that follow event number ``after``.

    Raises:
        AuditBrokenError: A stored event cannot be read; names it.
    """
    query = _of(campaign_id).where(events.c.number > after).limit(limit)
    return [_decode(campaign_id, row) for row in connection.execute(query)]


def walk(connection: Connection, campaign_id: str) -> Iterator[Event]:
    """Yield every event of a campaign in order, from whatever number the rows begin with.

    Raises:
        AuditBrokenError: A stored event cannot be read; names it.
    """
    query, last, size = _of(campaign_id), 0, _PAGE
    while True:
        try:
            rows = connection.execute(query.limit(size)).all()
        except DBAPIError as error:
            if not _is_damage(error):
                raise
            if size == 1:
                raise _unreadable(campaign_id, last + 1, str(error.orig)) from error
            size = 1  # again, one by one, to find which event it is
            continue
        for row in rows:
            event = _decode(campaign_id, row)
            last = event.number
            yield event
        if len(rows) < size:
            return
        query = _of(campaign_id).where(events.c.number > last)


def _of(campaign_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(events.c.campaign_id == campaign_id).order_by(events.c.number)


def _last(connection: Connection, campaign_id: str) -> Event | None:
    query = _of(campaign_id).order_by(None).order_by(events.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return _decode(campaign_id, row) if row else None


# A text that sqlite3 cannot decode is an OperationalError without a result code.
def _is_damage(error: DBAPIError) -> bool:
    code = error_code(error)
    return code.startswith("SQLITE_CORRUPT") or (not code and "UTF-8" in str(error.orig))


def _decode(campaign_id: str, row: Row[Any]) -> Event:
    number = row.number
    try:
        at = datetime.fromisoformat(row.at)
        kind = EventKind(row.kind)
    except (TypeError, ValueError) as error:
        raise _unreadable(campaign_id, number, str(error)) from error
    # The hash is over the datetime, so the text must be the only one that means it.
    if at.isoformat() != row.at:
        raise _unreadable(campaign_id, number, "its time is not in canonical form")
    if type(number) is not int or any(type(row[i]) is not str for i in range(3, 6)):
        raise _unreadable(campaign_id, number, "a column has the wrong type")
    return Event(campaign_id, number, at, kind, row.payload, row.previous_hash, row.hash)


def _unreadable(campaign_id: str, number: object, why: str) -> AuditBrokenError:
    return AuditBrokenError(
        f"event {number} of campaign {campaign_id} cannot be read: {why}",
        campaign=campaign_id,
        event=number,
    )
