"""The label store loses no vote, stores none twice, changes none: on SQLite and on PostgreSQL."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.errors import CampaignError, VoteConflictError
from data.label_store import LabelStore
from data.votes import Vote
from tests.fixtures.votes import EVERYTHING, NOON, a_vote, fill

WRITER = Path(__file__).parent / "fixtures" / "vote_writer.py"


@pytest.fixture
def store(database_url: str) -> Iterator[LabelStore]:
    with LabelStore.open(database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'labels.sqlite'}"


def test_a_vote_comes_back_as_it_was_given(store):
    vote = a_vote(**EVERYTHING)
    assert store.add(vote)
    assert store.votes() == [vote]
    assert store.vote(vote.vote_id) == vote


@pytest.mark.parametrize("length", [1, 10_000])
def test_ids_and_comments_of_any_length_and_script_survive(store, length):
    # Random letters: repeated ones are compressed and hide a limit on the length of an index entry.
    text = "".join(random.Random(1).choices("aあ<'\"\n\\%_=", k=length))
    vote = a_vote(object_id=text, comment=text)
    store.add(vote)
    store.record_reveal("Ana", text)
    assert store.votes(object_id=text) == [vote]
    assert store.is_revealed("Ana", text)
    assert store.decided_ids("Ana") == {text: "A"}


def test_the_same_vote_again_is_accepted_once(store):
    vote = a_vote(**EVERYTHING)
    assert store.add(vote)
    later = a_vote(**{**vote.as_dict(), "created_at": NOON + timedelta(minutes=5)})
    assert not store.add(later)
    assert store.votes() == [vote]


@pytest.mark.parametrize(
    "change", [{"grade": "B"}, {"inspector": "Bo"}, {"comment": "x"}, {"object_id": "object-2"}]
)
def test_another_vote_under_the_same_id_is_a_conflict(store, change):
    vote = a_vote()
    store.add(vote)
    with pytest.raises(VoteConflictError, match="other content"):
        store.add(a_vote(**{**vote.as_dict(), **change}))
    assert store.votes() == [vote]


def test_a_vote_supersedes_only_a_vote_of_the_same_inspector_on_the_same_object(store):
    first = a_vote()
    undo = a_vote(grade=None, supersedes=first.vote_id)
    for vote in (first, undo):
        store.add(vote)
    for wrong, problem in (
        (a_vote(supersedes=first.vote_id, inspector="Bo"), "another inspector"),
        (a_vote(supersedes=first.vote_id, object_id="object-2"), "another inspector or object"),
        (a_vote(supersedes=a_vote().vote_id), "not stored"),
        (a_vote(supersedes=undo.vote_id), "an undo"),
    ):
        with pytest.raises(VoteConflictError, match=problem):
            store.add(wrong)
    assert len(store.votes()) == 2


def test_undo_keeps_the_first_vote_in_history(store):
    first = a_vote(grade="A")
    undo = a_vote(grade=None, supersedes=first.vote_id)
    store.add(first)
    store.add(undo)
    assert store.votes() == [undo, first]
    assert list(store.current_votes()) == []
    assert store.decided_ids("Ana") == {}


def test_a_revision_supersedes_and_its_undo_brings_the_first_grade_back(store):
    first = a_vote(grade="A")
    revision = a_vote(grade="C", phase="revealed", supersedes=first.vote_id)
    store.add(first)
    store.add(revision)
    assert list(store.current_votes("object-1")) == [revision]
    store.add(a_vote(grade=None, supersedes=revision.vote_id))
    assert list(store.current_votes("object-1")) == [first]
    assert store.decided_ids("Ana") == {"object-1": "A"}


def test_undoing_twice_takes_back_one_revision_after_the_other(store):
    chain = [a_vote(grade="A")]
    for grade in "BC":
        chain.append(a_vote(grade=grade, supersedes=chain[-1].vote_id))
    for vote in chain:
        store.add(vote)
    for vote, expected in zip(reversed(chain), (["B"], ["A"], []), strict=True):
        store.add(a_vote(grade=None, supersedes=vote.vote_id))
        assert [current.grade for current in store.current_votes()] == expected


def test_decided_objects_are_the_inspectors_own_with_skips_as_none(store):
    for vote in (
        a_vote(object_id="graded", grade="X"),
        a_vote(object_id="skipped", grade=None),
        a_vote(object_id="first skipped", grade=None),
        a_vote(object_id="first skipped", grade="B"),
        a_vote(object_id="later skipped", grade="C"),
        a_vote(object_id="later skipped", grade=None),
        a_vote(object_id="of another", inspector="Bo"),
    ):
        store.add(vote)
    assert store.decided_ids("Ana") == {
        "graded": "X",
        "skipped": None,
        "first skipped": "B",
        "later skipped": "C",
    }


def test_a_reveal_or_a_standing_grade_reveals(store):
    graded = a_vote(object_id="graded")
    store.add(graded)
    store.add(a_vote(object_id="skipped", grade=None))
    store.record_reveal("Ana", "shown")
    store.record_reveal("Ana", "shown")
    assert store.revealed_ids("Ana") == {"graded", "shown"}
    assert store.revealed_ids("Bo") == set()
    assert [store.is_revealed("Ana", i) for i in ("graded", "shown", "skipped", "new")] == [
        True,
        True,
        False,
        False,
    ]
    store.add(a_vote(object_id="graded", grade=None, supersedes=graded.vote_id))
    assert not store.is_revealed("Ana", "graded")


def test_a_revised_blind_grade_still_reveals(store):
    first = a_vote()
    store.add(first)
    store.add(a_vote(grade="B", phase="revealed", supersedes=first.vote_id))
    assert store.is_revealed("Ana", "object-1")


def test_votes_are_listed_by_object_inspector_and_number_newest_first(store):
    votes = [a_vote(object_id=f"object-{i % 2}", inspector="Ana" if i < 4 else "Bo") for i in range(6)]
    for vote in votes:
        store.add(vote)
    assert store.votes(limit=2) == votes[:3:-1]
    assert store.votes(object_id="object-0", inspector="Ana") == [votes[2], votes[0]]
    assert list(store.all_votes()) == votes
    counts = store.counts()
    assert (counts.votes, counts.objects, counts.inspectors) == (6, 2, 2)
    assert store.number_of_votes() == 6


def test_a_tally_counts_each_inspector_once(store):
    first = a_vote(inspector="Ana", grade="C")
    for vote in (
        first,
        a_vote(inspector="Ana", grade="A", phase="revealed", supersedes=first.vote_id),
        a_vote(inspector="Bo", grade="X"),
        a_vote(inspector="Bo", grade="B"),  # again, without saying that it revises
        a_vote(inspector="Bo", grade=None),
        a_vote(inspector="Cy", grade=None),
        a_vote(object_id="object-2", inspector="Cy", grade=None),
    ):
        store.add(vote)
    tallies = {tally.object_id: tally for tally in store.grade_tallies()}
    one, two = tallies["object-1"], tallies["object-2"]
    assert (one.n_a, one.n_b, one.n_c, one.n_x, one.n_blind, one.n_skips) == (1, 1, 0, 0, 1, 1)
    assert (two.n_a, two.n_b, two.n_c, two.n_x, two.n_blind, two.n_skips) == (0, 0, 0, 0, 0, 1)


def test_remarks_are_standing_votes_that_say_more_than_a_grade(store):
    plain = a_vote()
    telling = [
        a_vote(**{name: EVERYTHING[name]}) for name in ("contaminant", "tags", "marks", "flag", "comment")
    ]
    undone = a_vote(comment="oops")
    for vote in (plain, *telling, undone, a_vote(grade=None, supersedes=undone.vote_id)):
        store.add(vote)
    assert list(store.remarks()) == telling


@pytest.mark.parametrize(
    "statement", ["UPDATE votes SET grade = 'X'", "DELETE FROM votes", "UPDATE votes SET seq = 9"]
)
def test_the_database_itself_refuses_to_change_or_remove_votes(store, database_url, statement):
    vote = a_vote()
    store.add(vote)
    engine = sa.create_engine(database_url)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    assert store.votes() == [vote]


def test_sqlite_refuses_to_replace_a_vote(sqlite_url, tmp_path):
    vote = a_vote()
    with LabelStore.open(sqlite_url) as store:
        store.add(vote)
        connection = sqlite3.connect(tmp_path / "labels.sqlite")
        for change in ("vote_id, object_id", "'other', object_id"):
            columns = "phase, created_at, session_id, tags, marks, comment, inspector"
            rows = f"SELECT seq, {change}, {columns} FROM votes"
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"REPLACE INTO votes (seq, vote_id, object_id, {columns}) {rows}")
        connection.close()
        assert store.votes() == [vote]


def test_postgresql_refuses_to_empty_the_votes(postgresql_server):
    from tests.fixtures.postgresql import new_database

    url = new_database(postgresql_server)
    with LabelStore.open(url) as store:
        store.add(a_vote())
        engine = sa.create_engine(url)
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE votes")
        engine.dispose()
        assert store.number_of_votes() == 1


def test_the_same_vote_from_eight_threads_is_stored_once(store):
    together = threading.Barrier(8)

    def post(vote: Vote) -> bool:
        together.wait()
        return store.add(vote)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            vote = a_vote(**EVERYTHING)
            assert sorted(pool.map(post, [vote] * 8)) == [False] * 7 + [True]
    assert store.number_of_votes() == 10


def test_a_vote_is_read_while_another_stream_is_open(store):
    for _ in range(20):
        store.add(a_vote())
    stream = store.all_votes()
    next(stream)
    assert store.add(a_vote())
    assert len(list(stream)) == 19


def test_two_processes_that_write_at_once_never_meet_a_lock(database_url):
    writers = [_start_writer(database_url, f"writer {n}") for n in range(3)]  # which make the database, too
    acknowledged = [{_acknowledged(writer) for _ in range(60)} for writer in writers]
    for writer in writers:
        _kill(writer)
    with LabelStore.open(database_url) as store:
        stored = {vote.vote_id for vote in store.all_votes()}
    assert set().union(*acknowledged) <= stored


def test_no_acknowledged_vote_is_lost_when_the_writer_is_killed(database_url):
    chance = random.Random(20)
    acknowledged: list[str] = []
    for n in range(20):
        writer = _start_writer(database_url, f"run {n}")
        acknowledged.append(_acknowledged(writer))
        time.sleep(chance.uniform(0, 0.05))
        acknowledged += _kill(writer)
    with LabelStore.open(database_url) as store:
        stored = [vote.vote_id for vote in store.all_votes()]
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) == len(set(acknowledged))
    assert len(stored) == len(set(stored))
    if database_url.startswith("sqlite:///"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_sqlite_writes_through_to_the_disk(sqlite_url):
    with LabelStore.open(sqlite_url) as store, store._reading.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert values == ["wal", 2, 1, 60_000]


def test_an_unreachable_database_is_one_clear_line_without_the_password(tmp_path):
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at\n" * 50)
    for url in (
        f"sqlite:///{tmp_path / 'absent' / 'labels.sqlite'}",
        f"sqlite:///{tmp_path / 'text.sqlite'}",
        f"postgresql+psycopg://me:secret@/x?host={tmp_path}",
        "nonsense",
        "oracle9://me:secret@host/x",
    ):
        with pytest.raises(CampaignError, match="cannot be opened") as caught:
            LabelStore.open(url)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_thousands_of_decisions_are_listed_each(store, database_url):
    fill(database_url, number=3_000, inspectors=["Ana"])
    assert len(store.decided_ids("Ana")) == 3_000


def _start_writer(database_url: str, inspector: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), database_url, inspector]
    root = WRITER.parents[2]
    return subprocess.Popen(
        command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )


def _acknowledged(writer: subprocess.Popen[str]) -> str:
    """The next id that the writer acknowledged."""
    line = writer.stdout.readline().strip()
    assert line, "the writer ended by itself"
    return line


def _kill(writer: subprocess.Popen[str]) -> list[str]:
    """Kill a writer; the ids that it had acknowledged but nobody had read. Half a line is no id."""
    writer.kill()
    rest = writer.stdout.read()
    writer.stdout.close()
    writer.wait()
    return rest[: rest.rfind("\n") + 1].split()
