"""Votes: append-only rows, each with everything that was said and seen."""

import sqlalchemy as sa
from alembic import op

from data.migrations.append_only import append_only

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("vote_id", sa.Text, nullable=False, unique=True),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("inspector", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("grade", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("contaminant", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("marks", sa.Text, nullable=False),
        sa.Column("flag", sa.Text),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("elapsed_ms", sa.BigInteger),
        sa.Column("planes_hash", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("supersedes", sa.Text, sa.ForeignKey("votes.vote_id")),
        sqlite_autoincrement=True,
    )
    # A hash index takes ids of any length; an entry of a PostgreSQL B-tree may not exceed 2,704 bytes.
    op.create_index("votes_by_object", "votes", ["object_id"], postgresql_using="hash")
    op.create_index("votes_by_inspector", "votes", ["inspector", "seq"])
    superseding = sa.text("supersedes IS NOT NULL")
    op.create_index(
        "votes_by_superseded", "votes", ["supersedes"], sqlite_where=superseding, postgresql_where=superseding
    )
    for statement in append_only(op.get_bind().dialect.name, "votes", "seq", "vote_id"):
        op.execute(statement)
