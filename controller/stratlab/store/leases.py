"""Leases in SQL: which containers may exist, and a user id of its own for each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import final

from sqlalchemy import delete, insert, select, update

from stratlab.domain.errors import AlreadyExistsError, LimitExceededError
from stratlab.domain.ports import Lease
from stratlab.store.database import Database
from stratlab.store.encoding import from_microseconds, to_microseconds
from stratlab.store.schema import leases

FIRST_UID = 70_000
"""Lowest user id of a container: above the accounts of a host, below its subordinate ids."""
UID_COUNT = 20_000


@final
class SqlLeases:
    """The port ``Leases``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, lease: Lease) -> Lease:
        """Write a lease, choosing a uid that no live lease has, and return it.

        Raises:
            AlreadyExistsError: The member has a lease.
            LimitExceededError: Every user id is in use.
        """
        with self._database.write() as connection:
            rows = connection.execute(select(leases.c.member_id, leases.c.uid)).all()
            if any(row.member_id == lease.member_id for row in rows):
                raise AlreadyExistsError(
                    f"container {lease.member_id} has a lease already",
                    hint="Choose another member id; one container has one lease.",
                )
            acquired = replace(lease, uid=choose_uid({row.uid for row in rows}))
            connection.execute(
                insert(leases).values(
                    member_id=acquired.member_id,
                    campaign_id=acquired.campaign_id,
                    owner=acquired.owner,
                    uid=acquired.uid,
                    image_id=acquired.image_id,
                    runtime=acquired.runtime,
                    deadline=to_microseconds(acquired.deadline),
                )
            )
        return acquired

    def assign(self, member_id: str, campaign_id: str, deadline: datetime) -> None:
        """Give a lease to a campaign, with a new deadline; no error when it is gone."""
        with self._database.write() as connection:
            connection.execute(
                update(leases)
                .where(leases.c.member_id == member_id)
                .values(campaign_id=campaign_id, deadline=to_microseconds(deadline))
            )

    def release(self, member_id: str) -> None:
        """Delete a lease; no error when it is gone."""
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.member_id == member_id))

    def live(self) -> Sequence[Lease]:
        """Return all leases, the earliest deadline first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(leases).order_by(leases.c.deadline, leases.c.member_id)
            ).all()
        return [
            Lease(
                member_id=row.member_id,
                campaign_id=row.campaign_id,
                owner=row.owner,
                uid=row.uid,
                image_id=row.image_id,
                runtime=row.runtime,
                deadline=from_microseconds(row.deadline),
            )
            for row in rows
        ]


def choose_uid(used: set[int]) -> int:
    """Return the lowest free user id.

    Raises:
        LimitExceededError: Every user id is in use.
    """
    for uid in range(FIRST_UID, FIRST_UID + UID_COUNT):
        if uid not in used:
            return uid
    raise LimitExceededError(
        f"all {UID_COUNT} user ids of containers are leased",
        hint="Run `stratlab doctor`: leases of containers that are gone were not released.",
    )
