"""The label store: append-only votes in SQLite or PostgreSQL; `people_store` and `inspection_store` share its database.

A vote is on disk when `add` returns. Rows are never changed or removed: undo and revision are rows that
supersede others, and triggers in the database refuse anything else. Safe from several threads and processes.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from data import migrations
from data.database import connect_to, for_writing, without_password
from data.errors import CampaignError, VoteConflictError
from data.votes import FIELDS, GRADES, Mark, Vote

_STREAM_ROWS = 5_000
_MIGRATION_LOCK = 0x1E45  # any number, the same in every process

_Query = sa.Select[*tuple[Any, ...]]
_Row = sa.Row[*tuple[Any, ...]]
_METADATA = sa.MetaData()
_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_VOTES = sa.Table(
    "votes",
    _METADATA,
    sa.Column("seq", _SEQ, primary_key=True),
    *(sa.Column(name, sa.BigInteger if name == "elapsed_ms" else sa.Text) for name in FIELDS),
)
_VOTE = [_VOTES.c[name] for name in FIELDS]
_REVEALS = sa.Table(
    "reveals",
    _METADATA,
    sa.Column("seq", _SEQ, primary_key=True),
    sa.Column("inspector", sa.Text),
    sa.Column("object_id", sa.Text),
)


@dataclass(frozen=True)
class VoteCounts:
    """How much is stored. votes : all rows, undone and superseded ones too."""

    votes: int
    objects: int
    inspectors: int


@dataclass(frozen=True)
class GradeTally:
    """The grades of one object that count: each inspector's latest, neither undone nor superseded."""

    object_id: str
    n_a: int
    n_b: int
    n_c: int
    n_x: int
    n_blind: int
    n_skips: int


class LabelStore:
    """Votes and reveals of one campaign. Make it with `LabelStore.open(campaign.database_url)`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._reading = engine
        self._writing = for_writing(engine)

    @classmethod
    def open(cls, url: str) -> "LabelStore":
        """Open the database and bring its schema up to date; a database that does not exist is made.

        Raises
        ------
        CampaignError
            If it cannot be opened, or a newer LensVet wrote it.
        """
        try:
            with contextlib.ExitStack() as on_failure:
                store = cls(connect_to(url))
                on_failure.callback(store.close)
                store._migrate()
                on_failure.pop_all()
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise CampaignError(
                f"the label store {without_password(url)} cannot be opened: {reason}"
            ) from error
        return store

    def close(self) -> None:
        """Give back all connections."""
        self._reading.dispose()

    def __enter__(self) -> "LabelStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, vote: Vote) -> bool:
        """Store a vote: True if it is new, False if the same one (but for `created_at`) is stored already.

        Raises
        ------
        VoteConflictError
            If another vote has its id, or it supersedes what it may not: an undo, a vote that is not stored,
            or one of another inspector or object.
        """
        try:
            with self._writing.begin() as connection:
                _check_superseded(connection, vote)
                connection.execute(sa.insert(_VOTES).values(_row_of(vote)))
        except IntegrityError:
            stored = self.vote(vote.vote_id)
            if stored is None:
                raise
            if replace(stored, created_at=vote.created_at) != vote:
                raise VoteConflictError(
                    f"vote {vote.vote_id} is stored with other content: give each vote an id of its own"
                ) from None
            return False
        return True

    def vote(self, vote_id: str) -> Vote | None:
        """The vote of that id, or None."""
        rows = self._read(sa.select(*_VOTE).where(_VOTES.c.vote_id == vote_id))
        return _vote_of(rows[0]) if rows else None

    def votes(
        self,
        *,
        object_id: str | None = None,
        inspector: str | None = None,
        session_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Vote]:
        """Votes as they were stored, newest first: undone and superseded ones too."""
        query = sa.select(*_VOTE).order_by(_VOTES.c.seq.desc()).limit(limit)
        if session_ids is not None:
            query = query.where(_VOTES.c.session_id.in_(session_ids))
        return [_vote_of(row) for row in self._read(_where(query, object_id=object_id, inspector=inspector))]

    def all_votes(self) -> Iterator[Vote]:
        """Every vote, oldest first, streamed."""
        return self._stream_votes(sa.select(*_VOTE).order_by(_VOTES.c.seq))

    def history(self) -> Iterator[Sequence[Any]]:
        """Every vote, oldest first, streamed as a row: the values of `FIELDS`, then whether the vote stands.

        Values are as stored: tags and marks as JSON, the time as ISO 8601. For a million votes.
        """
        return self._stream(sa.select(*_VOTE, _stands(_VOTES).label("stands")).order_by(_VOTES.c.seq))

    def current_votes(
        self, object_id: str | None = None, *, session_ids: Sequence[str] | None = None
    ) -> Iterator[Vote]:
        """Votes that stand, oldest first, streamed: no undo, nothing undone, nothing superseded.

        The undo of a revision brings back the vote that it had superseded.
        session_ids : of these sessions only.
        """
        query = sa.select(*_VOTE).where(_stands(_VOTES)).order_by(_VOTES.c.seq)
        if session_ids is not None:
            query = query.where(_VOTES.c.session_id.in_(session_ids))
        return self._stream_votes(_where(query, object_id=object_id))

    def graded_votes(self, session_ids: Sequence[str]) -> Iterator[Vote]:
        """Grades given in sessions that were not undone, oldest first; those that a later grade revised too."""
        query = sa.select(*_VOTE).where(_VOTES.c.session_id.in_(session_ids), _VOTES.c.grade.is_not(None))
        return self._stream_votes(query.where(~_is_undone(_VOTES)).order_by(_VOTES.c.seq))

    def decided_ids(self, inspector: str, *, before: datetime | None = None) -> dict[str, str | None]:
        """What an inspector decided: object_id to grade, None for a skip. A later skip undoes no grade.

        before : as it stood at that moment.
        """
        query = sa.select(_VOTES.c.object_id, _VOTES.c.grade).order_by(_VOTES.c.seq)
        query = query.where(_stands(_VOTES, before), *_made(_VOTES, before))
        decided: dict[str, str | None] = {}
        for object_id, grade in self._read(_where(query, inspector=inspector)):
            if grade is not None or object_id not in decided:
                decided[object_id] = grade
        return decided

    def standing_votes(self, inspector: str, object_ids: Sequence[str]) -> dict[str, Vote]:
        """The grade that stands of an inspector, by object; objects without one are left out."""
        query = sa.select(*_VOTE).where(_stands(_VOTES), _VOTES.c.grade.is_not(None)).order_by(_VOTES.c.seq)
        query = query.where(_VOTES.c.object_id.in_(object_ids))
        return {
            vote.object_id: vote for vote in map(_vote_of, self._read(_where(query, inspector=inspector)))
        }

    def counts(self) -> VoteCounts:
        """Stored votes, and the objects and inspectors that have any."""
        columns = (sa.func.count(), _count_distinct(_VOTES.c.object_id), _count_distinct(_VOTES.c.inspector))
        return VoteCounts(*self._read(sa.select(*columns).select_from(_VOTES))[0])

    def number_of_votes(self) -> int:
        """Stored votes, undone and superseded ones too; faster than `counts`."""
        return int(self._read(sa.select(sa.func.count()).select_from(_VOTES))[0][0])

    def record_reveal(self, inspector: str, *object_ids: str) -> None:
        """Remember that scores and maps of an object were shown to an inspector, under each id that it has."""
        fresh = [object_id for object_id in object_ids if not self.was_shown(inspector, object_id)]
        if fresh:
            rows = [{"inspector": inspector, "object_id": object_id} for object_id in fresh]
            with self._writing.begin() as connection:
                connection.execute(sa.insert(_REVEALS), rows)

    def record_reveals(self, inspector: str, object_ids: Iterable[str]) -> None:
        """The same for many objects, in one write."""
        known = _REVEALS.c
        shown = {row[0] for row in self._read(sa.select(known.object_id).where(known.inspector == inspector))}
        rows = [{"inspector": inspector, "object_id": i} for i in dict.fromkeys(object_ids) if i not in shown]
        if rows:
            with self._writing.begin() as connection:
                connection.execute(sa.insert(_REVEALS), rows)

    def was_shown(self, inspector: str, object_id: str) -> bool:
        """Whether a reveal was recorded; `is_revealed` asks whether one would be allowed too."""
        query = sa.select(_REVEALS.c.seq).limit(1)
        columns = _REVEALS.c
        query = query.where(columns.object_id == object_id, columns.inspector == inspector)
        return bool(self._read(query))

    def shown_ids(self, inspector: str, object_ids: Sequence[str]) -> set[str]:
        """Those of the objects for which `was_shown` holds."""
        columns = _REVEALS.c
        query = sa.select(columns.object_id).where(columns.inspector == inspector)
        return {row[0] for row in self._read(query.where(columns.object_id.in_(object_ids)))}

    def is_revealed(self, inspector: str, object_id: str) -> bool:
        """Whether a reveal was recorded, or the inspector graded the object and did not undo it."""
        if self.was_shown(inspector, object_id):
            return True
        graded = _where(_graded_for_good(), object_id=object_id, inspector=inspector)
        return bool(self._read(graded.limit(1)))

    def revealed_ids(self, inspector: str) -> set[str]:
        """Every object for which `is_revealed` holds."""
        shown = sa.select(_REVEALS.c.object_id).where(_REVEALS.c.inspector == inspector)
        graded = _where(_graded_for_good(), inspector=inspector)
        return {row[0] for query in (shown, graded) for row in self._stream(query)}

    def grade_tallies(self) -> Iterator[GradeTally]:
        """The grades that count, summed up in the database: one row per object with votes that stand."""
        return (GradeTally(*row) for row in self._stream(_TALLIES))

    def remarks(self) -> Iterator[Vote]:
        """Votes that stand and say more than a grade, those on one object together and oldest first."""
        columns = _VOTES.c
        says_more = sa.or_(
            columns.contaminant.is_not(None),
            columns.flag.is_not(None),
            columns.tags != "[]",
            columns.marks != "[]",
            columns.comment != "",
        )
        return self._stream_votes(
            sa.select(*_VOTE).where(says_more, _stands(_VOTES)).order_by(columns.object_id, columns.seq)
        )

    def _stream_votes(self, query: _Query) -> Iterator[Vote]:
        return (_vote_of(row) for row in self._stream(query))

    def _read(self, query: _Query) -> Sequence[_Row]:
        with self._reading.connect() as connection:
            return connection.execute(query).all()

    def _stream(self, query: _Query) -> Iterator[_Row]:
        options = {"yield_per": _STREAM_ROWS}
        with (
            self._reading.connect() as connection,
            connection.execute(query, execution_options=options) as rows,
        ):
            yield from rows

    def _migrate(self) -> None:
        with self._reading.connect() as connection:
            if migrations.is_current(connection):
                return
        with self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            migrations.upgrade(connection)


def _check_superseded(connection: sa.Connection, vote: Vote) -> None:
    if vote.supersedes is None:
        return
    columns = _VOTES.c
    query = sa.select(columns.object_id, columns.inspector, columns.grade, columns.supersedes)
    earlier = connection.execute(query.where(columns.vote_id == vote.supersedes)).one_or_none()
    if earlier is None:
        problem = "which is not stored"
    elif (earlier.object_id, earlier.inspector) != (vote.object_id, vote.inspector):
        problem = "which is of another inspector or object"
    elif earlier.grade is None and earlier.supersedes is not None:
        problem = "which is an undo"
    else:
        return
    raise VoteConflictError(
        f"vote {vote.vote_id} supersedes {vote.supersedes}, {problem}: "
        "expected a grade or a skip by the same inspector on the same object"
    )


def _row_of(vote: Vote) -> dict[str, object]:
    values = vote.as_dict()
    return {**values, "tags": json.dumps(values["tags"]), "marks": json.dumps(values["marks"])}


def _vote_of(row: _Row) -> Vote:
    values = dict(zip(FIELDS, row, strict=True))
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    values["tags"] = tuple(_list_in(values["tags"]))
    values["marks"] = tuple(Mark(**mark) for mark in _list_in(values["marks"]))
    return Vote(**values)


def _list_in(text: str) -> list[Any]:
    # Most votes have neither tags nor marks, and a third of the time to read a million of them went here.
    return [] if text == "[]" else json.loads(text)


def _where(query: _Query, *, object_id: str | None = None, inspector: str | None = None) -> _Query:
    if object_id is not None:
        query = query.where(_VOTES.c.object_id == object_id)
    if inspector is not None:
        query = query.where(_VOTES.c.inspector == inspector)
    return query


def _made(votes: sa.FromClause, before: datetime | None) -> list[sa.ColumnElement[bool]]:
    # Times are stored in UTC and as ISO 8601, whose order is that of the text.
    return [] if before is None else [votes.c.created_at < before.astimezone(UTC).isoformat()]


def _is_undone(votes: sa.FromClause, before: datetime | None = None) -> sa.ColumnElement[bool]:
    undo = _VOTES.alias()
    is_undo = (undo.c.supersedes == votes.c.vote_id, undo.c.grade.is_(None))
    return sa.exists().where(*is_undo, *_made(undo, before))


def _stands(votes: sa.FromClause, before: datetime | None = None) -> sa.ColumnElement[bool]:
    """No undo, and superseded by nothing but grades that are undone; `before` a moment, if one is given."""
    later = _VOTES.alias()
    is_undo = sa.and_(votes.c.grade.is_(None), votes.c.supersedes.is_not(None))
    takes_its_place = sa.or_(later.c.grade.is_(None), ~_is_undone(later, before))
    is_superseded = (later.c.supersedes == votes.c.vote_id, takes_its_place)
    return sa.and_(~is_undo, ~sa.exists().where(*is_superseded, *_made(later, before)))


def _graded_for_good() -> _Query:
    return sa.select(_VOTES.c.object_id).where(_VOTES.c.grade.is_not(None), ~_is_undone(_VOTES))


def _count_distinct(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.func.count(column.distinct())


def _tallies() -> _Query:
    """Each inspector's latest grade for each object, else the latest skip; counted per object."""
    columns = _VOTES.c
    newest = sa.func.row_number().over(
        partition_by=(columns.object_id, columns.inspector),
        order_by=(columns.grade.is_(None), columns.seq.desc()),
    )
    ranked = sa.select(columns.object_id, columns.grade, columns.phase, newest.label("age")).where(
        _stands(_VOTES)
    )
    counting = ranked.subquery()
    grade = counting.c.grade
    numbers = [sa.func.count().filter(grade == choice).label(f"n_{choice.lower()}") for choice in GRADES]
    n_blind = sa.func.count().filter(grade.is_not(None), counting.c.phase == "blind")
    n_skips = sa.func.count().filter(grade.is_(None))
    query = sa.select(counting.c.object_id, *numbers, n_blind.label("n_blind"), n_skips.label("n_skips"))
    return query.where(counting.c.age == 1).group_by(counting.c.object_id)


_TALLIES = _tallies()
