"""The registry of points in SQL: entries go in once, in order, and never change."""

import json
import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, insert, select

from stratlab.domain.errors import IntegrityError, InvalidInputError
from stratlab.domain.events import canonical_json
from stratlab.domain.points import Point
from stratlab.domain.trial import TrialPurpose
from stratlab.store.schema import points


def append(connection: Connection, campaign_id: str, entries: Sequence[Point]) -> int:
    """Append the entries that are not there yet and return how many they were.

    Raises:
        InvalidInputError: An entry belongs to another campaign, or is not finite.
    """
    require_storable(campaign_id, entries)
    known = _known(connection, campaign_id, {entry.candidate for entry in entries})
    # A dictionary: the same entry may come twice in one call.
    new = {entry.key: entry for entry in entries if entry.key not in known}
    if new:
        last = connection.execute(
            select(func.max(points.c.number)).where(points.c.campaign_id == campaign_id)
        ).scalar()
        rows = [
            {
                "campaign_id": campaign_id,
                "number": number,
                "iteration": entry.iteration,
                "candidate": entry.candidate,
                "digest": entry.digest,
                "purpose": entry.purpose.value,
                "occasion": entry.occasion,
                "score": entry.score,
                "parameters": canonical_json(dict(entry.parameters)),
            }
            for number, entry in enumerate(new.values(), start=(last or 0) + 1)
        ]
        connection.execute(insert(points), rows)
    return len(new)


def page(connection: Connection, campaign_id: str, after: int, limit: int) -> list[Point]:
    """Return entries in the order of registration.

    Raises:
        IntegrityError: A stored entry cannot be read.
    """
    query = (
        select(points)
        .where(points.c.campaign_id == campaign_id, points.c.number > after)
        .order_by(points.c.number)
        .limit(limit)
    )
    try:
        return [
            Point(
                campaign_id=campaign_id,
                iteration=row.iteration,
                candidate=row.candidate,
                parameters=json.loads(row.parameters),
                purpose=TrialPurpose(row.purpose),
                occasion=row.occasion,
                score=row.score,
            )
            for row in connection.execute(query)
        ]
    except ValueError as error:
        raise IntegrityError(f"a registered point cannot be read: {error}") from error


def counts(connection: Connection, campaign_id: str) -> Mapping[TrialPurpose, int]:
    """Return the number of entries by purpose, of those that have any."""
    query = (
        select(points.c.purpose, func.count())
        .where(points.c.campaign_id == campaign_id)
        .group_by(points.c.purpose)
    )
    found = {TrialPurpose(purpose): count for purpose, count in connection.execute(query)}
    return {purpose: found[purpose] for purpose in TrialPurpose if purpose in found}


def require_storable(campaign_id: str, entries: Sequence[Point]) -> None:
    """Check entries before they are written.

    Raises:
        InvalidInputError: An entry belongs to another campaign, or is not finite.
    """
    for entry in entries:
        if entry.campaign_id != campaign_id:
            raise InvalidInputError("the registry of a campaign holds its own points only")
        numbers = (*entry.parameters.values(), entry.score or 0.0)
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidInputError(
                "a registered point has finite numbers only",
                hint="A score that is undefined is None.",
            )


def _known(
    connection: Connection, campaign_id: str, candidates: set[str]
) -> set[tuple[str, str, str, str]]:
    query = select(points.c.candidate, points.c.digest, points.c.purpose, points.c.occasion).where(
        points.c.campaign_id == campaign_id, points.c.candidate.in_(sorted(candidates))
    )
    return {tuple(row) for row in connection.execute(query)}
