"""Reveals: when the server first showed scores and maps of an object to an inspector."""

import sqlalchemy as sa
from alembic import op

from data.migrations.append_only import append_only

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "reveals",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("inspector", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("revealed_at", sa.Text, nullable=False, server_default=sa.func.current_timestamp()),
        sqlite_autoincrement=True,
    )
    op.create_index("reveals_by_object", "reveals", ["object_id"], postgresql_using="hash")
    op.create_index("reveals_by_inspector", "reveals", ["inspector", "seq"])
    for statement in append_only(op.get_bind().dialect.name, "reveals", "seq"):
        op.execute(statement)
