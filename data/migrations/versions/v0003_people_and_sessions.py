"""People who may sign in, group sessions with what belongs to them, and the log of who did what."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from data.migrations.append_only import append_only

revision = "0003"
down_revision = "0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    for name, columns in _APPEND_ONLY.items():
        seq = sa.Column("seq", _SEQ, sa.Identity(), primary_key=True)
        op.create_table(name, seq, *(column._copy() for column in columns), sqlite_autoincrement=True)
        for statement in append_only(op.get_bind().dialect.name, name, "seq"):
            op.execute(statement)
    op.create_index("people_by_account", "people", ["account", "seq"])
    op.create_index("inspections_by_id", "inspections", ["session_id"], unique=True)
    op.create_index("inspection_items_by_place", "inspection_items", ["session_id", "place"], unique=True)
    op.create_index("inspection_items_by_object", "inspection_items", ["object_id"], postgresql_using="hash")
    for table in ("inspection_events", "final_grades", "discussion"):
        op.create_index(f"{table}_by_session", table, ["session_id", "seq"])
    op.create_index("votes_by_session", "votes", ["session_id", "seq"])
    # These are not history, which the log has: what opens a door is replaced, so that it opens none any more.
    op.create_table(
        "credentials",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("password_hash", sa.Text),
        sa.Column("generation", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
    )
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("used_at", sa.Text),
    )


def _texts(*names: str, empty: tuple[str, ...] = ()) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=name in empty) for name in names]


_APPEND_ONLY: dict[str, list[sa.Column[Any]]] = {
    "people": _texts("account", "name", "role", "at", "by"),
    "audit": _texts("at", "actor", "action", "subject", "details"),
    "inspections": _texts("session_id", "settings", "at", "by"),
    "inspection_items": [
        *_texts("session_id", "object_id", "known", empty=("known",)),
        sa.Column("place", sa.BigInteger, nullable=False),
    ],
    "inspection_events": _texts("session_id", "kind", "at", "by"),
    "final_grades": _texts("session_id", "object_id", "grade", "comment", "at", "by"),
    "discussion": _texts("session_id", "object_id", "comment", "at", "by"),
}
