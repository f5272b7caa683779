"""Group sessions in the database of the label store: what was opened, what was done with it, what was concluded."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from data.audit_log import log, now
from data.database import for_writing
from data.errors import InspectionError
from data.inspection import STEPS, InspectionSettings, settings_from
from data.votes import COMMENT_LIMIT, GRADES

_METADATA = sa.MetaData()
_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _table(name: str, *texts: str, numbers: tuple[str, ...] = ()) -> sa.Table:
    return sa.Table(
        name,
        _METADATA,
        sa.Column("seq", _SEQ, primary_key=True),
        *(sa.Column(column, sa.Text) for column in texts),
        *(sa.Column(column, sa.BigInteger) for column in numbers),
    )


_INSPECTIONS = _table("inspections", "session_id", "settings", "at", "by")
_ITEMS = _table("inspection_items", "session_id", "object_id", "known", numbers=("place",))
_EVENTS = _table("inspection_events", "session_id", "kind", "at", "by")
_FINAL = _table("final_grades", "session_id", "object_id", "grade", "comment", "at", "by")
_DISCUSSION = _table("discussion", "session_id", "object_id", "comment", "at", "by")


@dataclass(frozen=True)
class Inspection:
    """A group session. number : in the order of opening. state : `open`, `paused` or `closed`."""

    number: int
    session_id: str
    settings: InspectionSettings
    opened_at: str
    opened_by: str
    state: str

    def admits(self, account: str) -> bool:
        """Whether that person is a member."""
        return not self.settings.members or account in self.settings.members


@dataclass(frozen=True)
class Item:
    """An object of a session. known : `lens` or `nonlens` for one that was mixed in, else None."""

    object_id: str
    known: str | None


@dataclass(frozen=True)
class Said:
    """A comment in the discussion, or a final grade with its reason. at : UTC, ISO 8601. grade : None for a comment."""

    object_id: str
    by: str
    at: str
    comment: str
    grade: str | None = None


class InspectionStore:
    """Group sessions of one campaign; each change is a transaction that also writes the log."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = engine
        self._writing = for_writing(engine)

    def open(
        self, settings: InspectionSettings, items: Sequence[tuple[str, str | None]], *, by: str
    ) -> Inspection:
        """Open a session of these objects: (object_id, None or what it is known to be)."""
        session_id = str(uuid.uuid4())
        rows = [
            {"session_id": session_id, "place": place, "object_id": object_id, "known": known}
            for place, (object_id, known) in enumerate(items)
        ]
        written = json.dumps(settings.as_dict())
        with self._writing.begin() as connection:
            connection.execute(
                sa.insert(_INSPECTIONS).values(session_id=session_id, settings=written, at=now(), by=by)
            )
            connection.execute(sa.insert(_ITEMS), rows)
            details = {"title": settings.title, "objects": len(rows), "quorum": settings.quorum}
            log(connection, actor=by, action="session opened", subject=session_id, details=details)
        return self.named(session_id)

    def all(self) -> list[Inspection]:
        """Every session, the newest first."""
        with self._reading.connect() as connection:
            kinds: dict[str, str] = {}
            for session_id, kind in connection.execute(
                sa.select(_EVENTS.c.session_id, _EVENTS.c.kind).order_by(_EVENTS.c.seq)
            ):
                kinds[session_id] = kind
            rows = connection.execute(sa.select(_INSPECTIONS).order_by(_INSPECTIONS.c.seq.desc())).all()
        return [
            Inspection(
                number=row.seq,
                session_id=row.session_id,
                settings=settings_from(json.loads(row.settings)),
                opened_at=row.at,
                opened_by=row.by,
                state=STEPS[kinds[row.session_id]][1] if row.session_id in kinds else "open",
            )
            for row in rows
        ]

    def named(self, session_id: str) -> Inspection:
        """The session of that id.

        Raises
        ------
        InspectionError
            If there is none.
        """
        found = [one for one in self.all() if one.session_id == session_id]
        if not found:
            raise InspectionError(f"no session {session_id!r:.60} in this campaign")
        return found[0]

    def items(self, session_id: str) -> list[Item]:
        """The objects of a session by place."""
        query = sa.select(_ITEMS.c.object_id, _ITEMS.c.known).where(_ITEMS.c.session_id == session_id)
        with self._reading.connect() as connection:
            return [Item(*row) for row in connection.execute(query.order_by(_ITEMS.c.place))]

    def step(self, session_id: str, kind: str, *, by: str) -> Inspection:
        """Pause, resume, close or reopen a session; doing again what was done changes nothing.

        Raises
        ------
        InspectionError
            If there is no such step, or not from the state that the session is in.
        """
        if kind not in STEPS:
            raise InspectionError(f"step is {kind!r:.40}; expected one of {', '.join(STEPS)}")
        before, after = STEPS[kind]
        inspection = self.named(session_id)
        if inspection.state == after:
            return inspection
        if inspection.state != before and (kind, inspection.state) != ("close", "paused"):
            raise InspectionError(f"the session is {inspection.state}; {kind} needs one that is {before}")
        with self._writing.begin() as connection:
            connection.execute(sa.insert(_EVENTS).values(session_id=session_id, kind=kind, at=now(), by=by))
            log(connection, actor=by, action=f"session {kind}", subject=session_id)
        return self.named(session_id)

    def decide(self, session_id: str, object_id: str, grade: str, comment: str, *, by: str) -> None:
        """Store the grade that the discussion came to; a later one takes its place, both stay.

        Raises
        ------
        InspectionError
        """
        if grade not in GRADES:
            raise InspectionError(f"grade is {grade!r:.40}; expected one of {', '.join(GRADES)}")
        self._say(_FINAL, session_id, object_id, comment, by, grade=grade)

    def comment(self, session_id: str, object_id: str, comment: str, *, by: str) -> None:
        """Add to the discussion of an object.

        Raises
        ------
        InspectionError
        """
        if not comment.strip():
            raise InspectionError("the comment is empty")
        self._say(_DISCUSSION, session_id, object_id, comment, by)

    def known_objects(self) -> dict[str, str]:
        """`lens` or `nonlens` of each object that any session mixed in as known; the newest session's word."""
        query = sa.select(_ITEMS.c.object_id, _ITEMS.c.known).where(_ITEMS.c.known.is_not(None))
        with self._reading.connect() as connection:
            return {row.object_id: row.known for row in connection.execute(query.order_by(_ITEMS.c.seq))}

    def final_grades(self, session_id: str | None = None) -> dict[str, Said]:
        """The last final grade of each object that has one, in a session or in any."""
        columns = _FINAL.c
        query = sa.select(columns.object_id, columns.by, columns.at, columns.comment, columns.grade)
        if session_id is not None:
            query = query.where(columns.session_id == session_id)
        with self._reading.connect() as connection:
            rows = connection.execute(query.order_by(columns.seq))
            return {row.object_id: Said(*row) for row in rows}

    def discussion(self, session_id: str, object_id: str) -> list[Said]:
        """What was said of an object, oldest first."""
        columns = _DISCUSSION.c
        query = sa.select(columns.object_id, columns.by, columns.at, columns.comment)
        query = query.where(columns.session_id == session_id, columns.object_id == object_id)
        with self._reading.connect() as connection:
            return [Said(*row) for row in connection.execute(query.order_by(columns.seq))]

    def _say(
        self, table: sa.Table, session_id: str, object_id: str, comment: str, by: str, **more: str
    ) -> None:
        if len(comment) > COMMENT_LIMIT:
            raise InspectionError(
                f"the comment has {len(comment)} characters; at most {COMMENT_LIMIT} are kept"
            )
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in comment):
            raise InspectionError(
                "the comment holds a NUL or half of a surrogate pair; remove that character"
            )
        said = {
            "session_id": session_id,
            "object_id": object_id,
            "comment": comment,
            "at": now(),
            "by": by,
            **more,
        }
        with self._writing.begin() as connection:
            connection.execute(sa.insert(table).values(**said))
            action = "final grade" if table is _FINAL else "comment"
            log(connection, actor=by, action=action, subject=object_id, details={"session": session_id})
