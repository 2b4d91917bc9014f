"""Sessions that begin at another's checkpoint, questions to live programs, checkpoints lent to a run, datasets whose models stay"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("datasets", sa.Column("pull_models", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "origins",
        sa.Column("session_id", ROW_ID, nullable=False),
        sa.Column("origin_id", ROW_ID, nullable=False),
        sa.Column("checkpoint", sa.String(length=128), nullable=True),
        sa.Column("manifest", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["origin_id"], ["sessions.id"]),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.hash"]),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_table(
        "loans",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.hash"]),
        sa.PrimaryKeyConstraint("run_id", "manifest"),
    )
    op.create_table(
        "questions",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("node_id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("taken_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_questions_node_id"), "questions", ["node_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_questions_node_id"), table_name="questions")
    op.drop_table("questions")
    op.drop_table("loans")
    op.drop_table("origins")
    op.drop_column("datasets", "pull_models")
