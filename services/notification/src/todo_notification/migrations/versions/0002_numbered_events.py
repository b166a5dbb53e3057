"""Number the events of the outbox, and let one process at a time publish them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "notification"


def upgrade() -> None:
    """Add what a relay with a lease needs; a relay of the version before still works."""
    op.add_column("outbox", sa.Column("number", sa.BigInteger), schema=SCHEMA)
    op.create_index(
        "ix_outbox_waiting_by_key",
        "outbox",
        ["key", "number", "position"],
        schema=SCHEMA,
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.drop_index("ix_outbox_retrying", "outbox", schema=SCHEMA)
    op.create_table(
        "outbox_counters",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("last_number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "key", name="pk_outbox_counters"),
        schema=SCHEMA,
    )
    op.create_table(
        "outbox_leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Uuid, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_outbox_leases"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("outbox_leases", schema=SCHEMA)
    op.drop_table("outbox_counters", schema=SCHEMA)
    op.create_index(
        "ix_outbox_retrying",
        "outbox",
        ["key"],
        schema=SCHEMA,
        postgresql_where=sa.text("published_at IS NULL AND retry_at IS NOT NULL"),
    )
    op.drop_index("ix_outbox_waiting_by_key", "outbox", schema=SCHEMA)
    op.drop_column("outbox", "number", schema=SCHEMA)
