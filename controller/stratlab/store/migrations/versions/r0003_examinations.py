"""Examinations and the append-only holdout ledger; champions that nobody examined are archived."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As for the events: no change, no removal, no gap, no `INSERT OR REPLACE` of an older entry.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER holdout_openings_refuse_update BEFORE UPDATE ON holdout_openings
    BEGIN SELECT RAISE(ABORT, 'holdout openings are append-only'); END
    """,
    """
    CREATE TRIGGER holdout_openings_refuse_delete BEFORE DELETE ON holdout_openings
    BEGIN SELECT RAISE(ABORT, 'holdout openings are append-only'); END
    """,
    """
    CREATE TRIGGER holdout_openings_refuse_gap BEFORE INSERT ON holdout_openings
    WHEN NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM holdout_openings)
    BEGIN SELECT RAISE(ABORT, 'holdout openings are append-only'); END
    """,
)
_POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION holdout_openings_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'holdout openings are append-only'; END $$
    """,
    """
    CREATE FUNCTION holdout_openings_refuse_gap() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM holdout_openings)
        THEN RAISE EXCEPTION 'holdout openings are append-only'; END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER holdout_openings_refuse_change BEFORE UPDATE OR DELETE ON holdout_openings
    FOR EACH ROW EXECUTE FUNCTION holdout_openings_refuse()
    """,
    """
    CREATE TRIGGER holdout_openings_refuse_truncate BEFORE TRUNCATE ON holdout_openings
    FOR EACH STATEMENT EXECUTE FUNCTION holdout_openings_refuse()
    """,
    """
    CREATE TRIGGER holdout_openings_refuse_gap BEFORE INSERT ON holdout_openings
    FOR EACH ROW EXECUTE FUNCTION holdout_openings_refuse_gap()
    """,
)


def upgrade() -> None:
    op.create_table(
        "examinations",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "iteration", name="pk_examinations"),
        sa.ForeignKeyConstraint(
            ["campaign_id", "iteration"],
            ["iterations.campaign_id", "iterations.number"],
            name="fk_examinations_iterations",
        ),
    )
    op.create_table(
        "holdout_openings",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("data_set", sa.Text(), nullable=False),
        sa.Column("data_digest", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("look", sa.Text(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_holdout_openings"),
        sa.ForeignKeyConstraint(
            ["campaign_id", "iteration"],
            ["iterations.campaign_id", "iterations.number"],
            name="fk_holdout_openings_iterations",
        ),
        sqlite_with_rowid=False,
    )
    dialect = op.get_bind().dialect.name
    for trigger in _SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS:
        op.execute(trigger)
    _archive_provisional()


# What was admitted without a causality test is no champion. Campaigns that still run put theirs to
# the test; of those that have ended nobody will.
def _archive_provisional() -> None:
    connection = op.get_bind()
    admitted = connection.execute(
        sa.text(
            "SELECT h.campaign_id, h.position, h.document FROM hall_of_fame h"
            " JOIN campaigns c ON c.id = h.campaign_id"
            " WHERE h.provisional AND h.tier <> 'archive'"
            " AND c.state IN ('completed', 'failed', 'cancelled')"
        )
    ).all()
    for row in admitted:
        document = json.loads(row.document) | {"tier": "archive"}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        connection.execute(
            sa.text(
                "UPDATE hall_of_fame SET tier = 'archive', document = :document"
                " WHERE campaign_id = :campaign AND position = :position"
            ),
            {"document": text, "campaign": row.campaign_id, "position": row.position},
        )
