"""Writes of one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, select, update

from stratlab.domain.campaign import (
    Campaign,
    HallOfFameEntry,
    HallOfFameTier,
    Iteration,
    Transition,
)
from stratlab.domain.errors import InvalidInputError, NotFoundError, WrongStateError
from stratlab.domain.events import Event, EventKind
from stratlab.domain.examination import Examination, HoldoutOpening, Subject
from stratlab.domain.points import Point
from stratlab.domain.trial import TrialResult
from stratlab.store import event_log, examination_log, point_log
from stratlab.store.encoding import encode
from stratlab.store.schema import (
    campaigns,
    examinations,
    hall_of_fame,
    iterations,
    results,
    transitions,
)


@final
class SqlTransaction:
    """The port ``Transaction`` on an open write connection; of no use after it closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save_campaign(self, campaign: Campaign) -> Campaign:
        """Write a campaign and return it with its new revision.

        Raises:
            NotFoundError: No such campaign.
            WrongStateError: Somebody wrote a newer revision.
        """
        saved = replace(campaign, revision=campaign.revision + 1)
        changed = self._connection.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign.id, campaigns.c.revision == campaign.revision)
            .values(state=saved.state.value, revision=saved.revision, document=encode(saved))
        ).rowcount
        if not changed:
            self._require_campaign(campaign.id)
            raise WrongStateError(
                f"campaign {campaign.id} changed since revision {campaign.revision} was read",
                hint="Read the campaign again and repeat the change on what is there now.",
                campaign=campaign.id,
                revision=campaign.revision,
            )
        return saved

    def save_iteration(self, iteration: Iteration) -> None:
        """Insert or replace an iteration without its results.

        Raises:
            NotFoundError: No such campaign.
        """
        self._require_campaign(iteration.campaign_id)
        put(
            self._connection,
            iterations,
            {"campaign_id": iteration.campaign_id, "number": iteration.number},
            {"document": encode(replace(iteration, results=()))},
        )

    def save_result(self, campaign_id: str, iteration: int, result: TrialResult) -> None:
        """Insert or replace the result of a trial without its series.

        Raises:
            NotFoundError: No such iteration.
        """
        self._require_iteration(campaign_id, iteration)
        spec = result.spec
        put(
            self._connection,
            results,
            {"campaign_id": campaign_id, "iteration": iteration, "trial_id": spec.trial_id},
            {
                "trial_index": spec.index,
                "purpose": spec.purpose.value,
                "outcome": result.outcome.value,
                "document": encode(replace(result, fills=(), equity=(), benchmark_equity=())),
            },
        )

    def save_hall_of_fame(self, campaign_id: str, entries: Sequence[HallOfFameEntry]) -> None:
        """Replace a campaign's hall of fame.

        Raises:
            NotFoundError: No such campaign.
            InvalidInputError: An entry belongs to another campaign.
        """
        self._require_campaign(campaign_id)
        if any(entry.campaign_id != campaign_id for entry in entries):
            raise InvalidInputError("a hall of fame holds entries of its own campaign only")
        self._connection.execute(
            delete(hall_of_fame).where(hall_of_fame.c.campaign_id == campaign_id)
        )
        rows = [
            {
                "campaign_id": campaign_id,
                "position": position,
                "candidate_hash": entry.candidate_hash,
                "tier": entry.tier.value,
                "score": entry.score,
                "provisional": entry.provisional,
                "document": encode(entry),
            }
            for position, entry in enumerate(sorted(entries, key=_rank), start=1)
        ]
        if rows:
            self._connection.execute(insert(hall_of_fame), rows)

    def append_transition(self, transition: Transition) -> None:
        """Append one step of the state machine.

        Raises:
            NotFoundError: No such campaign.
            WrongStateError: Somebody made the step with this number already.
        """
        self._require_campaign(transition.campaign_id)
        key = and_(
            transitions.c.campaign_id == transition.campaign_id,
            transitions.c.number == transition.number,
        )
        if self._exists(transitions, key):
            raise WrongStateError(
                f"campaign {transition.campaign_id} made transition {transition.number} already",
                hint="Read the campaign again and repeat the change on what is there now.",
                campaign=transition.campaign_id,
                transition=transition.number,
            )
        self._connection.execute(
            insert(transitions).values(
                campaign_id=transition.campaign_id,
                number=transition.number,
                document=encode(transition),
            )
        )

    def append_event(
        self, campaign_id: str, at: datetime, kind: EventKind, payload: Mapping[str, object]
    ) -> Event:
        """Append to the campaign's audit chain and return the event.

        Raises:
            NotFoundError: No such campaign.
            AuditBrokenError: The chain's end is not where it was left; it is not continued.
            InvalidInputError: The payload is not JSON, or the time has no zone.
        """
        return event_log.append(self._connection, campaign_id, at, kind, payload)

    def register_points(self, campaign_id: str, points: Sequence[Point]) -> int:
        """Append to the campaign's registry what is not there yet; return how much it was.

        Raises:
            NotFoundError: No such campaign.
            InvalidInputError: An entry belongs to another campaign, or is not finite.
        """
        self._require_campaign(campaign_id)
        return point_log.append(self._connection, campaign_id, points)

    def save_examination(self, examination: Examination) -> None:
        """Insert or replace the examination of a subject's iteration.

        Raises:
            NotFoundError: No such iteration.
        """
        subject = examination.subject
        self._require_iteration(subject.campaign_id, subject.iteration)
        put(
            self._connection,
            examinations,
            {"campaign_id": subject.campaign_id, "iteration": subject.iteration},
            {"candidate": subject.candidate_hash, "document": encode(examination)},
        )

    def open_holdout(
        self,
        subject: Subject,
        *,
        data_set: str,
        data_digest: str,
        look: str,
        actor: str,
        at: datetime,
    ) -> HoldoutOpening:
        """Append an opening to the ledger and return it.

        Raises:
            NotFoundError: No such iteration.
        """
        self._require_iteration(subject.campaign_id, subject.iteration)
        return examination_log.append_opening(
            self._connection,
            subject,
            data_set=data_set,
            data_digest=data_digest,
            look=look,
            actor=actor,
            at=at,
        )

    def _require_iteration(self, campaign_id: str, iteration: int) -> None:
        if not self._exists(
            iterations, iterations.c.campaign_id == campaign_id, iterations.c.number == iteration
        ):
            raise NotFoundError(
                f"iteration {iteration} of campaign {campaign_id} does not exist",
                hint="Save the iteration before what belongs to it.",
                campaign=campaign_id,
                iteration=iteration,
            )

    def _require_campaign(self, campaign_id: str) -> None:
        event_log.chain_end(self._connection, campaign_id)

    def _exists(self, table: Table, *where: ColumnElement[bool]) -> bool:
        query = select(1).select_from(table).where(*where)
        return self._connection.execute(query).first() is not None


def put(
    connection: Connection, table: Table, key: Mapping[str, object], values: Mapping[str, object]
) -> None:
    """Insert or replace the row with ``key``, in SQL that every database speaks.

    Safe because writers take turns: nobody inserts between the two statements.
    """
    same = [table.c[name] == value for name, value in key.items()]
    if not connection.execute(update(table).where(*same).values(values)).rowcount:
        connection.execute(insert(table).values({**key, **values}))


def _rank(entry: HallOfFameEntry) -> tuple[bool, float, int, str]:
    is_champion = entry.tier is HallOfFameTier.CHAMPION
    return (not is_champion, -entry.score, entry.iteration, entry.candidate_hash)
