"""Count the changes of each task."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "todo"


def upgrade() -> None:
    """Add the count; a process of the version before does not raise it, which clients treat as unknown."""
    version = sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1"))
    op.add_column("tasks", version, schema=SCHEMA)


def downgrade() -> None:
    """Drop the count."""
    op.drop_column("tasks", "version", schema=SCHEMA)
