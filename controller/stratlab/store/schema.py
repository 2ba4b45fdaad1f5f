"""The tables, as SQLAlchemy Core metadata; migrations create them, a test keeps both equal.

Columns hold what is queried, ``document`` holds the whole dataclass as canonical JSON
(:mod:`stratlab.store.encoding`). Times that are compared are UTC microseconds since 1970;
the time of an event is ISO text because its hash is taken over that text.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

REVISION = "0004"
"""Alembic revision of this schema; a store at this revision opens without Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _campaign_key() -> Column[str]:
    return Column("campaign_id", Text, ForeignKey("campaigns.id"), primary_key=True)


campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, unique=True),
    Column("state", Text, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    # The end of the audit chain: without it, cutting off the last events would go unseen.
    Column("event_number", Integer, nullable=False),
    Column("event_hash", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_campaigns_created_at_id", "created_at", "id"),
)

transitions = Table(
    "transitions",
    metadata,
    _campaign_key(),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

iterations = Table(
    "iterations",
    metadata,
    _campaign_key(),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

results = Table(
    "results",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("iteration", Integer, primary_key=True),
    Column("trial_id", Text, primary_key=True),
    Column("trial_index", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["campaign_id", "iteration"], ["iterations.campaign_id", "iterations.number"]
    ),
)

events = Table(
    "events",
    metadata,
    _campaign_key(),
    Column("number", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # With a rowid, `INSERT OR REPLACE` of an old rowid would delete an event unseen.
    sqlite_with_rowid=False,
)

points = Table(
    "points",
    metadata,
    _campaign_key(),
    Column("number", Integer, primary_key=True),
    Column("iteration", Integer, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("score", Float),
    Column("parameters", Text, nullable=False),
    UniqueConstraint("campaign_id", "candidate", "digest", "purpose", "occasion"),
    # Append-only, like the events and for the same reason.
    sqlite_with_rowid=False,
)

hall_of_fame = Table(
    "hall_of_fame",
    metadata,
    _campaign_key(),
    Column("position", Integer, primary_key=True),
    Column("candidate_hash", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("document", Text, nullable=False),
)

examinations = Table(
    "examinations",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("iteration", Integer, primary_key=True),
    Column("candidate", Text, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["campaign_id", "iteration"], ["iterations.campaign_id", "iterations.number"]
    ),
)

holdout_openings = Table(
    "holdout_openings",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data_set", Text, nullable=False),
    Column("data_digest", Text, nullable=False),
    Column("campaign_id", Text, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("look", Text, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["campaign_id", "iteration"], ["iterations.campaign_id", "iterations.number"]
    ),
    # Append-only, like the events and for the same reason.
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("member_id", Text, primary_key=True),
    # No foreign key: a backtest without a campaign leases a container too.
    Column("campaign_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("uid", Integer, nullable=False, unique=True),
    Column("image_id", Text, nullable=False),
    Column("runtime", Text, nullable=False),
    Column("deadline", BigInteger, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    _campaign_key(),
    Column("name", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)

price_tables = Table(
    "price_tables",
    metadata,
    _campaign_key(),
    Column("document", Text, nullable=False),
)

# The ledger: one row per try of a call, written before the try is made.
model_calls = Table(
    "model_calls",
    metadata,
    _campaign_key(),
    Column("call", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("micro_usd", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("usage", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# The cassettes: one row per sample.
recordings = Table(
    "recordings",
    metadata,
    _campaign_key(),
    Column("digest", Text, primary_key=True),
    Column("call", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),
)
