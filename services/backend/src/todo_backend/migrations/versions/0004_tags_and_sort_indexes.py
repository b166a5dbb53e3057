"""Add tags, and an index for each order of lists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "todo"


def upgrade() -> None:
    """Add what a process of the version before neither reads nor writes: its tasks have no tags."""
    tags: sa.Column[list[str]] = sa.Column(
        "tags", postgresql.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")
    )
    op.add_column("tasks", tags, schema=SCHEMA)
    op.create_index(
        "ix_tasks_user_due_date", "tasks", ["user_id", "due_date", "created_at", "id"], schema=SCHEMA
    )
    op.create_index(
        "ix_tasks_user_priority", "tasks", ["user_id", "priority", "created_at", "id"], schema=SCHEMA
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_index("ix_tasks_user_priority", "tasks", schema=SCHEMA)
    op.drop_index("ix_tasks_user_due_date", "tasks", schema=SCHEMA)
    op.drop_column("tasks", "tags", schema=SCHEMA)
