"""Rehearsals, another entry at a submit, files programs wrote, attempts that go on, notices, and a limit for models"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("submissions", sa.Column("sample", sa.String(length=64), nullable=True))
    op.add_column("submissions", sa.Column("entry", sa.String(), nullable=True))
    op.add_column("submissions", sa.Column("batch", sa.BigInteger(), nullable=True))
    op.add_column("datasets", sa.Column("max_model_bytes", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("notices", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("attempts", sa.Column("checkpoint", sa.String(length=128), nullable=True))
    op.add_column("attempts", sa.Column("manifest", sa.String(length=64), nullable=True))
    op.create_table(
        "products",
        sa.Column("session_id", ROW_ID, nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.hash"]),
        sa.PrimaryKeyConstraint("session_id"),
    )


def downgrade() -> None:
    op.drop_table("products")
    op.drop_column("attempts", "manifest")
    op.drop_column("attempts", "checkpoint")
    op.drop_column("runs", "notices")
    op.drop_column("datasets", "max_model_bytes")
    op.drop_column("submissions", "batch")
    op.drop_column("submissions", "entry")
    op.drop_column("submissions", "sample")
