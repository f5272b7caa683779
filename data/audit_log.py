"""The log of who did what: rows that are only ever added, in the transaction of what they tell of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

_METADATA = sa.MetaData()
_AUDIT = sa.Table(
    "audit",
    _METADATA,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("at", "actor", "action", "subject", "details")),
)


@dataclass(frozen=True)
class Entry:
    """One thing that was done. at : UTC, ISO 8601. actor : a name, empty for somebody who was not signed in."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, object]


def now() -> str:
    """The time as all tables keep it: UTC, ISO 8601 with microseconds, so that text sorts by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def log(
    connection: sa.Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Add a row. Passwords, tokens and other secrets must not be among the details."""
    connection.execute(
        sa.insert(_AUDIT).values(
            at=now(), actor=actor, action=action, subject=subject, details=json.dumps(dict(details or {}))
        )
    )


def entries(engine: sa.Engine, *, limit: int = 200, before: int | None = None) -> list[Entry]:
    """Rows, newest first; before : only those with a smaller number."""
    query = sa.select(_AUDIT).order_by(_AUDIT.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(_AUDIT.c.seq < before)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [
        Entry(row.seq, row.at, row.actor, row.action, row.subject, json.loads(row.details)) for row in rows
    ]
