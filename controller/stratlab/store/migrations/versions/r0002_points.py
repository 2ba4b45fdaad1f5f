"""The registry of points, append-only; what earlier versions searched is entered into it."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As for the events: no change, no removal, no gap, no `INSERT OR REPLACE` of an older entry.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER points_refuse_update BEFORE UPDATE ON points
    BEGIN SELECT RAISE(ABORT, 'points are append-only'); END
    """,
    """
    CREATE TRIGGER points_refuse_delete BEFORE DELETE ON points
    BEGIN SELECT RAISE(ABORT, 'points are append-only'); END
    """,
    """
    CREATE TRIGGER points_refuse_gap BEFORE INSERT ON points
    WHEN NEW.number <> 1 + (
        SELECT coalesce(max(number), 0) FROM points WHERE campaign_id = NEW.campaign_id
    )
    BEGIN SELECT RAISE(ABORT, 'points are append-only'); END
    """,
    """
    CREATE TRIGGER points_refuse_repetition BEFORE INSERT ON points
    WHEN EXISTS (
        SELECT 1 FROM points WHERE campaign_id = NEW.campaign_id AND candidate = NEW.candidate
        AND digest = NEW.digest AND purpose = NEW.purpose AND occasion = NEW.occasion
    )
    BEGIN SELECT RAISE(ABORT, 'points are append-only'); END
    """,
)
_POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION points_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'points are append-only'; END $$
    """,
    """
    CREATE FUNCTION points_refuse_gap() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.number <> 1 + (
            SELECT coalesce(max(number), 0) FROM points WHERE campaign_id = NEW.campaign_id
        ) THEN RAISE EXCEPTION 'points are append-only'; END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER points_refuse_change BEFORE UPDATE OR DELETE ON points
    FOR EACH ROW EXECUTE FUNCTION points_refuse()
    """,
    """
    CREATE TRIGGER points_refuse_truncate BEFORE TRUNCATE ON points
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse()
    """,
    """
    CREATE TRIGGER points_refuse_gap BEFORE INSERT ON points
    FOR EACH ROW EXECUTE FUNCTION points_refuse_gap()
    """,
)


def upgrade() -> None:
    points = op.create_table(
        "points",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_points"),
        sa.UniqueConstraint(
            "campaign_id",
            "candidate",
            "digest",
            "purpose",
            "occasion",
            name="uq_points_campaign_id_candidate_digest_purpose_occasion",
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_points_campaigns"),
        sqlite_with_rowid=False,
    )
    rows = _searched()
    if rows:
        op.bulk_insert(points, rows)
    dialect = op.get_bind().dialect.name
    for trigger in _SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS:
        op.execute(trigger)


# N must not begin anew because the lab was upgraded.
def _searched() -> list[dict[str, Any]]:
    stored = op.get_bind().execute(
        sa.text(
            "SELECT r.campaign_id, r.iteration, r.purpose, r.document AS result,"
            " i.document AS iteration_document FROM results r JOIN iterations i"
            " ON i.campaign_id = r.campaign_id AND i.number = r.iteration"
            " ORDER BY r.campaign_id, r.iteration, r.trial_index, r.trial_id"
        )
    )
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    for row in stored:
        candidate = json.loads(row.iteration_document)["candidate"]
        if candidate is None:
            continue
        parameters = json.loads(row.result)["spec"]["parameters"]
        numeric = {name: float(value) for name, value in parameters.items()}
        digest = hashlib.sha256(json.dumps(numeric, sort_keys=True).encode()).hexdigest()
        key = (row.campaign_id, candidate["hash"], digest, row.purpose)
        if key in rows:
            continue
        numbers[row.campaign_id] = numbers.get(row.campaign_id, 0) + 1
        rows[key] = {
            "campaign_id": row.campaign_id,
            "number": numbers[row.campaign_id],
            "iteration": row.iteration,
            "candidate": candidate["hash"],
            "digest": digest,
            "purpose": row.purpose,
            "occasion": "",
            "score": None,
            "parameters": json.dumps(parameters, sort_keys=True, separators=(",", ":")),
        }
    return list(rows.values())
