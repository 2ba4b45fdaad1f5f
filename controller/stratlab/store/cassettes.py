"""The port ``Cassettes`` in SQL: a sample goes in once and never changes."""

from collections.abc import Mapping, Sequence
from typing import final

from sqlalchemy import Connection, func, insert, select

from stratlab.domain.recordings import Recording, RecordingKind, SampleKey
from stratlab.store import event_log
from stratlab.store.database import Database
from stratlab.store.encoding import decode, encode
from stratlab.store.schema import recordings


@final
class SqlCassettes:
    """Recordings of campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, campaign_id: str, key: SampleKey) -> Recording | None:
        """Return the recording of a sample, None when there is none.

        Raises:
            IntegrityError: It cannot be read.
        """
        with self._database.read() as connection:
            return _find(connection, campaign_id, key)

    def keep(self, campaign_id: str, recording: Recording) -> Recording:
        """Store a recording and return it; the one that is there already stays, and is returned.

        Raises:
            NotFoundError: No such campaign.
        """
        with self._database.write() as connection:
            event_log.chain_end(connection, campaign_id)
            earlier = _find(connection, campaign_id, recording.key)
            if earlier is not None:
                return earlier
            connection.execute(
                insert(recordings).values(
                    campaign_id=campaign_id,
                    digest=recording.key.digest,
                    call=recording.call,
                    kind=recording.kind.value,
                    document=encode(recording),
                )
            )
        return recording

    def all(self, campaign_id: str) -> Sequence[Recording]:
        """Return a campaign's recordings by call, then by time.

        Raises:
            IntegrityError: One cannot be read.
        """
        query = select(recordings.c.document).where(recordings.c.campaign_id == campaign_id)
        with self._database.read() as connection:
            found = [decode(Recording, text) for text in connection.execute(query).scalars()]
        return sorted(found, key=lambda recording: (recording.call, recording.at))

    def counts(self, campaign_id: str) -> Mapping[RecordingKind, int]:
        """Return how many calls ended in each way, of those that any ended in."""
        query = (
            select(recordings.c.kind, func.count())
            .where(recordings.c.campaign_id == campaign_id)
            .group_by(recordings.c.kind)
        )
        with self._database.read() as connection:
            return {RecordingKind(kind): count for kind, count in connection.execute(query)}


def _find(connection: Connection, campaign_id: str, key: SampleKey) -> Recording | None:
    query = select(recordings.c.document).where(
        recordings.c.campaign_id == campaign_id, recordings.c.digest == key.digest
    )
    document = connection.execute(query).scalar()
    return None if document is None else decode(Recording, document)
