"""The network that the trainings of a competition may have"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("network", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "network")
