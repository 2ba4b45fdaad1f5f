"""What language models were asked, what they answered, and what it cost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "price_tables",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_price_tables"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name="fk_price_tables_campaigns"
        ),
    )
    op.create_table(
        "model_calls",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "call", "attempt", name="pk_model_calls"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_model_calls_campaigns"),
    )
    op.create_table(
        "recordings",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "digest", name="pk_recordings"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_recordings_campaigns"),
    )
