"""The port ``Repository`` on SQLite or PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self, final

from sqlalchemy import Connection, Row, Select, and_, insert, or_, select

from stratlab.domain.access import OWNER
from stratlab.domain.campaign import (
    Artifact,
    Campaign,
    CampaignState,
    HallOfFameEntry,
    Iteration,
    Transition,
)
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
)
from stratlab.domain.events import GENESIS_HASH, Event, EventKind
from stratlab.domain.examination import Examination, HoldoutOpening
from stratlab.domain.points import Point
from stratlab.domain.trial import TrialPurpose, TrialResult
from stratlab.store import event_log, examination_log, point_log
from stratlab.store.audit import AuditTrail
from stratlab.store.cassettes import SqlCassettes
from stratlab.store.database import Database
from stratlab.store.encoding import decode, encode, to_microseconds, to_tree
from stratlab.store.leases import SqlLeases
from stratlab.store.ledger import SqlLedger
from stratlab.store.schema import (
    artifacts,
    campaigns,
    events,
    hall_of_fame,
    iterations,
    results,
    transitions,
)
from stratlab.store.transaction import SqlTransaction, put
from stratlab.store.upgrade import upgrade

_WORKING = [
    state.value
    for state in CampaignState
    if not state.is_final and state is not CampaignState.PAUSED
]


@final
class SqlRepository:
    """Everything that is stored, the index of artefacts included; safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the store at ``url`` and bring its schema up to date.

        Raises:
            StoreError: The database cannot be opened, or was written by a newer version.
            DiskFullError: No space is left for it.
        """
        database = Database(url)
        try:
            upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Release files and connections."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a write transaction: committed on leaving, rolled back on an exception.

        Writers take turns, so keep it short and do not wait for anything inside.

        Raises:
            StoreError: The database failed, or this thread has a transaction open.
            DiskFullError: The disk is full; nothing was written.
        """
        with self._database.write() as connection:
            yield SqlTransaction(connection)

    def create_campaign(
        self, campaign: Campaign, request_id: str, actor: str = OWNER.name
    ) -> Campaign:
        """Insert a campaign with its first event, or return the one of the same request id.

        Args:
            campaign: Stored as it is, revision included.
            request_id: Chosen by the client; "" never matches an earlier request.
            actor: Who creates it; part of the first event.

        Raises:
            AlreadyExistsError: The request id was used with another specification, or the
                campaign id is taken.
        """
        with self._database.write() as connection:
            if request_id:
                earlier = _first(
                    connection, select(campaigns).where(campaigns.c.request_id == request_id)
                )
                if earlier is not None:
                    return _same_request(_campaign(earlier), campaign, request_id)
            if _first(connection, select(campaigns.c.id).where(campaigns.c.id == campaign.id)):
                raise AlreadyExistsError(
                    f"campaign {campaign.id} exists already",
                    hint="Choose another campaign id.",
                    campaign=campaign.id,
                )
            connection.execute(
                insert(campaigns).values(
                    id=campaign.id,
                    request_id=request_id or None,
                    state=campaign.state.value,
                    created_at=to_microseconds(campaign.created_at),
                    revision=campaign.revision,
                    event_number=0,
                    event_hash=GENESIS_HASH,
                    document=encode(campaign),
                )
            )
            event_log.append(
                connection,
                campaign.id,
                campaign.created_at,
                EventKind.CAMPAIGN_CREATED,
                {
                    "state": campaign.state.value,
                    "data_digest": campaign.data_digest,
                    "spec": to_tree(campaign.spec),
                    "actor": actor,
                },
            )
        return campaign

    def get_campaign(self, campaign_id: str) -> Campaign:
        """Return one campaign.

        Raises:
            NotFoundError: No campaign has that id.
        """
        with self._database.read() as connection:
            row = _first(connection, select(campaigns).where(campaigns.c.id == campaign_id))
        if row is None:
            raise NotFoundError(f"campaign {campaign_id} does not exist", campaign=campaign_id)
        return _campaign(row)

    def list_campaigns(self, *, after: str = "", limit: int = 50) -> Sequence[Campaign]:
        """Return campaigns, newest first, starting after the id ``after``.

        Raises:
            NotFoundError: No campaign has the id ``after``.
        """
        created, key = campaigns.c.created_at, campaigns.c.id
        query = select(campaigns).order_by(created.desc(), key.desc()).limit(_page(limit))
        with self._database.read() as connection:
            if after:
                start = _first(connection, select(created).where(key == after))
                if start is None:
                    raise NotFoundError(f"campaign {after} does not exist", campaign=after)
                same_time = and_(created == start.created_at, key < after)
                query = query.where(or_(created < start.created_at, same_time))
            rows = connection.execute(query).all()
        return [_campaign(row) for row in rows]

    def unfinished_campaigns(self) -> Sequence[Campaign]:
        """Return campaigns that are neither final nor paused, oldest first."""
        query = (
            select(campaigns)
            .where(campaigns.c.state.in_(_WORKING))
            .order_by(campaigns.c.created_at, campaigns.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [_campaign(row) for row in rows]

    def get_iteration(self, campaign_id: str, number: int) -> Iteration:
        """Return one iteration with its results, without series.

        Raises:
            NotFoundError: No such iteration.
        """
        found = self.list_iterations(campaign_id, after=number - 1, limit=1)
        if not found or found[0].number != number:
            raise NotFoundError(
                f"iteration {number} of campaign {campaign_id} does not exist",
                campaign=campaign_id,
                iteration=number,
            )
        return found[0]

    def list_iterations(
        self, campaign_id: str, *, after: int = 0, limit: int = 1000
    ) -> Sequence[Iteration]:
        """Return iterations in order, starting after number ``after``, without series."""
        query = (
            select(iterations.c.number, iterations.c.document)
            .where(iterations.c.campaign_id == campaign_id, iterations.c.number > after)
            .order_by(iterations.c.number)
            .limit(_page(limit))
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            last = rows[-1].number if rows else after
            trials = connection.execute(
                select(results.c.iteration, results.c.document)
                .where(
                    results.c.campaign_id == campaign_id,
                    results.c.iteration > after,
                    results.c.iteration <= last,
                )
                .order_by(results.c.iteration, results.c.trial_index, results.c.trial_id)
            ).all()
        by_iteration: dict[int, list[TrialResult]] = {row.number: [] for row in rows}
        for trial in trials:
            by_iteration[trial.iteration].append(decode(TrialResult, trial.document))
        return [
            replace(decode(Iteration, row.document), results=tuple(by_iteration[row.number]))
            for row in rows
        ]

    def transitions(self, campaign_id: str) -> Sequence[Transition]:
        """Return all transitions in order."""
        query = (
            select(transitions.c.document)
            .where(transitions.c.campaign_id == campaign_id)
            .order_by(transitions.c.number)
        )
        with self._database.read() as connection:
            return [decode(Transition, row.document) for row in connection.execute(query)]

    def events(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return events in order, starting after event number ``after``.

        Raises:
            AuditBrokenError: A stored event cannot be read.
        """
        with self._database.read() as connection:
            return event_log.page(connection, campaign_id, after, _page(limit))

    def points(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Point]:
        """Return entries of the registry in order, from the one behind number ``after`` on."""
        with self._database.read() as connection:
            return point_log.page(connection, campaign_id, after, _page(limit))

    def point_counts(self, campaign_id: str) -> Mapping[TrialPurpose, int]:
        """Return the number of entries of the registry by purpose, of those that have any."""
        with self._database.read() as connection:
            return point_log.counts(connection, campaign_id)

    def examination(self, campaign_id: str, iteration: int) -> Examination | None:
        """Return what was found about the candidate of an iteration, None before any check."""
        with self._database.read() as connection:
            return examination_log.find(connection, campaign_id, iteration)

    def examinations(self, campaign_id: str) -> Sequence[Examination]:
        """Return all examinations of a campaign, by iteration."""
        with self._database.read() as connection:
            return examination_log.of_campaign(connection, campaign_id)

    def holdout_openings(
        self, *, campaign_id: str = "", data_set: str = ""
    ) -> Sequence[HoldoutOpening]:
        """Return the holdout ledger in order, of one campaign or data set where one is named."""
        with self._database.read() as connection:
            return examination_log.openings(connection, campaign_id=campaign_id, data_set=data_set)

    def hall_of_fame(self, campaign_id: str) -> Sequence[HallOfFameEntry]:
        """Return the hall of fame, champion first, then by score."""
        query = (
            select(hall_of_fame.c.document)
            .where(hall_of_fame.c.campaign_id == campaign_id)
            .order_by(hall_of_fame.c.position)
        )
        with self._database.read() as connection:
            return [decode(HallOfFameEntry, row.document) for row in connection.execute(query)]

    def leases(self) -> SqlLeases:
        """Return the lease table."""
        return SqlLeases(self._database)

    def ledger(self) -> SqlLedger:
        """Return the ledger of language models."""
        return SqlLedger(self._database)

    def cassettes(self) -> SqlCassettes:
        """Return the recordings of language models."""
        return SqlCassettes(self._database)

    def campaign_ids(self) -> Sequence[str]:
        """Return the ids of all campaigns, oldest first."""
        query = select(campaigns.c.id).order_by(campaigns.c.created_at, campaigns.c.id)
        with self._database.read() as connection:
            return [row.id for row in connection.execute(query)]

    @contextmanager
    def audit_trail(self, campaign_id: str) -> Iterator[AuditTrail]:
        """Open a campaign's whole chain and its recorded end, as one state of the database.

        Raises:
            NotFoundError: No such campaign.
            AuditBrokenError: A stored event cannot be read (raised while iterating).
        """
        with self._database.read() as connection:
            number, digest = event_log.chain_end(connection, campaign_id)
            yield AuditTrail(number, digest, event_log.walk(connection, campaign_id))

    def orphaned_events(self) -> Sequence[str]:
        """Return campaign ids that have events but no campaign."""
        query = (
            select(events.c.campaign_id)
            .where(events.c.campaign_id.not_in(select(campaigns.c.id)))
            .distinct()
        )
        with self._database.read() as connection:
            return [row.campaign_id for row in connection.execute(query)]

    def save_artifacts(self, stored: Sequence[Artifact]) -> None:
        """Insert or replace the descriptions of files, all or none.

        Raises:
            NotFoundError: No such campaign.
        """
        with self._database.write() as connection:
            for campaign_id in {artifact.campaign_id for artifact in stored}:
                event_log.chain_end(connection, campaign_id)
            for artifact in stored:
                put(
                    connection,
                    artifacts,
                    {"campaign_id": artifact.campaign_id, "name": artifact.name},
                    {
                        "media_type": artifact.media_type,
                        "size_bytes": artifact.size_bytes,
                        "digest": artifact.digest,
                    },
                )

    def artifact(self, campaign_id: str, name: str) -> Artifact | None:
        """Return the description of one of a campaign's files, None when there is none."""
        key = and_(artifacts.c.campaign_id == campaign_id, artifacts.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(select(artifacts).where(key)).mappings().first()
        return None if row is None else Artifact(**row)

    def artifacts(self, campaign_id: str) -> Sequence[Artifact]:
        """Return the descriptions of a campaign's files, sorted by name."""
        query = select(artifacts).where(artifacts.c.campaign_id == campaign_id)
        with self._database.read() as connection:
            found = [Artifact(**row) for row in connection.execute(query).mappings()]
        # Sorted here: databases order text by the rules of their locale.
        return sorted(found, key=lambda artifact: artifact.name)


def _first(connection: Connection, query: Select[Any]) -> Row[Any] | None:
    return connection.execute(query.limit(1)).first()


def _campaign(row: Row[Any]) -> Campaign:
    return decode(Campaign, row.document)


def _same_request(earlier: Campaign, asked: Campaign, request_id: str) -> Campaign:
    if earlier.spec != asked.spec:
        raise AlreadyExistsError(
            f"request id {request_id} was used for campaign {earlier.id} with another "
            "specification",
            campaign=earlier.id,
        )
    return earlier


def _page(limit: int) -> int:
    if limit < 1:
        raise InvalidInputError(f"a page needs at least one row, not {limit}")
    return limit
