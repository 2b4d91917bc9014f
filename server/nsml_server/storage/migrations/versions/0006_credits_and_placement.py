"""What runs ask of machines, what they use of them, and credits"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RUN_COLUMNS = (
    ("gpu_model", 64),
    ("gpu_driver", 32),
    ("pinned", 64),
    ("runtime", 64),
    ("runner", 16),
    ("environment", 255),
    ("stop_reason", 32),
)


def upgrade() -> None:
    op.add_column("nodes", sa.Column("drained", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, length in RUN_COLUMNS:
        op.add_column("runs", sa.Column(name, sa.String(length=length), nullable=True))
    op.add_column("runs", sa.Column("stop_asked_at", sa.Double(), nullable=True))
    op.create_index("runs_by_start", "runs", ["started_at"], unique=False)
    op.create_table(
        "run_uses",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("sampled_at", sa.Double(), nullable=False),
        sa.Column("sample", sa.JSON(), nullable=False),
        sa.Column("idle", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "credit_accounts",
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "credit_schedules",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("ceiling", sa.BigInteger(), nullable=True),
        sa.Column("every", sa.String(length=16), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _create_entries()


def _create_entries() -> None:
    op.create_table(
        "credit_entries",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("schedule_id", ROW_ID, nullable=True),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.ForeignKeyConstraint(["schedule_id"], ["credit_schedules.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "attempt"),
        sa.UniqueConstraint("schedule_id", "user_id", "due_at"),
    )
    op.create_index(op.f("ix_credit_entries_user_id"), "credit_entries", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_credit_entries_user_id"), table_name="credit_entries")
    for table in ("credit_entries", "credit_schedules", "credit_accounts", "run_uses"):
        op.drop_table(table)
    op.drop_index("runs_by_start", table_name="runs")
    op.drop_column("runs", "stop_asked_at")
    for name, _ in reversed(RUN_COLUMNS):
        op.drop_column("runs", name)
    op.drop_column("nodes", "drained")
