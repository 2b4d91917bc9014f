"""Room that is kept for a run, machines that let their work lie, and no more reasons for waiting in rows"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("kept_since", sa.Double(), nullable=True))
    op.drop_column("runs", "wait_text")
    op.drop_column("runs", "wait_position")
    op.create_index("runs_by_end", "runs", ["ended_at"])
    op.add_column("nodes", sa.Column("unclaimed", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("nodes", sa.Column("unclaimed_at", sa.Double(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("nodes", "unclaimed_at")
    op.drop_column("nodes", "unclaimed")
    op.drop_index("runs_by_end", "runs")
    op.add_column("runs", sa.Column("wait_position", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("wait_text", sa.String(), nullable=True))
    op.drop_column("runs", "kept_since")
