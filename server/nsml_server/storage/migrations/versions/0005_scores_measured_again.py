"""Scores that were measured again, and what stood before"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = ("queued", "predicting", "scoring", "scored", "failed", "cancelled")


def upgrade() -> None:
    op.create_table(
        "rescorings",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("submission_id", ROW_ID, nullable=False),
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("former_version_id", ROW_ID, nullable=False),
        sa.Column(
            "former_state", sa.Enum(*STATES, name="submissionstate", native_enum=False, length=16), nullable=False
        ),
        sa.Column("former_score", sa.Double(), nullable=True),
        sa.Column("former_reason", sa.String(length=32), nullable=True),
        sa.Column("former_ended_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["dataset_versions.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["former_version_id"], ["dataset_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rescorings_submission_id"), "rescorings", ["submission_id"], unique=False)
    open_only = sa.text("ended_at IS NULL")
    op.create_index(
        "one_rescoring_under_way",
        "rescorings",
        ["submission_id"],
        unique=True,
        sqlite_where=open_only,
        postgresql_where=open_only,
    )


def downgrade() -> None:
    op.drop_table("rescorings")
