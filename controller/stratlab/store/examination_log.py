"""Examinations and the holdout ledger in SQL: the ledger only grows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, or_, select

from stratlab.domain.examination import Examination, HoldoutOpening, Subject
from stratlab.store.encoding import decode, encode
from stratlab.store.schema import examinations, holdout_openings


def find(connection: Connection, campaign_id: str, iteration: int) -> Examination | None:
    """Return the examination of an iteration's candidate, None before any check."""
    query = select(examinations.c.document).where(
        examinations.c.campaign_id == campaign_id, examinations.c.iteration == iteration
    )
    document = connection.execute(query).scalar()
    return None if document is None else decode(Examination, document)


def of_campaign(connection: Connection, campaign_id: str) -> Sequence[Examination]:
    """Return all examinations of a campaign, by iteration."""
    query = (
        select(examinations.c.document)
        .where(examinations.c.campaign_id == campaign_id)
        .order_by(examinations.c.iteration)
    )
    return [decode(Examination, row.document) for row in connection.execute(query)]


def append_opening(
    connection: Connection,
    subject: Subject,
    *,
    data_set: str,
    data_digest: str,
    look: str,
    actor: str,
    at: datetime,
) -> HoldoutOpening:
    """Append an opening to the ledger and return it with its numbers."""
    ledger = holdout_openings.c
    # A data set that was built anew under the same name is the same market, and so is a copy.
    same_data = or_(ledger.data_set == data_set, ledger.data_digest == data_digest)
    first = connection.execute(
        select(func.min(ledger.looks)).where(same_data, ledger.look == look)
    ).scalar()
    most = connection.execute(select(func.max(ledger.looks)).where(same_data)).scalar()
    last = connection.execute(select(func.max(ledger.number))).scalar()
    opening = HoldoutOpening(
        number=(last or 0) + 1,
        data_set=data_set,
        data_digest=data_digest,
        subject=subject,
        look=look,
        looks=first or (most or 0) + 1,
        actor=actor,
        at=at,
    )
    connection.execute(
        insert(holdout_openings).values(
            number=opening.number,
            data_set=data_set,
            data_digest=data_digest,
            campaign_id=subject.campaign_id,
            iteration=subject.iteration,
            look=look,
            looks=opening.looks,
            document=encode(opening),
        )
    )
    return opening


def openings(
    connection: Connection, *, campaign_id: str = "", data_set: str = ""
) -> Sequence[HoldoutOpening]:
    """Return the ledger in order, of one campaign or data set where one is named."""
    query = select(holdout_openings.c.document).order_by(holdout_openings.c.number)
    if campaign_id:
        query = query.where(holdout_openings.c.campaign_id == campaign_id)
    if data_set:
        query = query.where(holdout_openings.c.data_set == data_set)
    return [decode(HoldoutOpening, row.document) for row in connection.execute(query)]
