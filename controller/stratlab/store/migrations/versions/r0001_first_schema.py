"""First schema: campaigns with their results, the append-only audit chain, leases, artefacts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The chain can only grow at its end: no change, no removal, no gap, no `INSERT OR REPLACE`.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_refuse_gap BEFORE INSERT ON events
    WHEN NEW.number <> 1 + (
        SELECT coalesce(max(number), 0) FROM events WHERE campaign_id = NEW.campaign_id
    )
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
)
_POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$
    """,
    """
    CREATE FUNCTION events_refuse_gap() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.number <> 1 + (
            SELECT coalesce(max(number), 0) FROM events WHERE campaign_id = NEW.campaign_id
        ) THEN RAISE EXCEPTION 'events are append-only'; END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_refuse()
    """,
    """
    CREATE TRIGGER events_refuse_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse()
    """,
    """
    CREATE TRIGGER events_refuse_gap BEFORE INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION events_refuse_gap()
    """,
)


def upgrade() -> None:
    _campaign_tables()
    _result_tables()
    _other_tables()
    dialect = op.get_bind().dialect.name
    for trigger in _SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS:
        op.execute(trigger)


def _campaign_key(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return (
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=f"fk_{table}_campaigns"),
    )


def _campaign_tables() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("event_number", sa.Integer(), nullable=False),
        sa.Column("event_hash", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("request_id", name="uq_campaigns_request_id"),
    )
    op.create_index("ix_campaigns_state", "campaigns", ["state"])
    op.create_index("ix_campaigns_created_at_id", "campaigns", ["created_at", "id"])
    for table in ("transitions", "iterations"):
        op.create_table(
            table,
            *_campaign_key(table),
            sa.Column("number", sa.Integer(), nullable=False),
            sa.Column("document", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("campaign_id", "number", name=f"pk_{table}"),
        )


def _result_tables() -> None:
    op.create_table(
        "results",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Text(), nullable=False),
        sa.Column("trial_index", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "iteration", "trial_id", name="pk_results"),
        sa.ForeignKeyConstraint(
            ["campaign_id", "iteration"],
            ["iterations.campaign_id", "iterations.number"],
            name="fk_results_iterations",
        ),
    )
    op.create_table(
        "events",
        *_campaign_key("events"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_events"),
        sqlite_with_rowid=False,
    )


def _other_tables() -> None:
    op.create_table(
        "hall_of_fame",
        *_campaign_key("hall_of_fame"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("candidate_hash", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "position", name="pk_hall_of_fame"),
    )
    op.create_table(
        "leases",
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_leases"),
        sa.UniqueConstraint("uid", name="uq_leases_uid"),
    )
    op.create_table(
        "artifacts",
        *_campaign_key("artifacts"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "name", name="pk_artifacts"),
    )
