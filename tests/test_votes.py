"""Votes: what is accepted, what is refused, and the words they are made of."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from data.errors import VoteError
from data.votes import CONTAMINANTS, FLAGS, GRADES, TAGS, validate_vote
from tests.fixtures.votes import EVERYTHING, a_vote


def test_four_fields_beside_inspector_and_time_are_enough():
    vote = a_vote()
    assert (vote.kind, vote.tags, vote.marks, vote.comment, vote.session_id) == ("grade", (), (), "", "")
    assert vote.elapsed_ms is None


def test_a_vote_survives_json():
    vote = a_vote(**EVERYTHING)
    assert validate_vote(vote.as_dict()) == vote


def test_a_comment_is_kept_as_it_was_typed():
    assert a_vote(comment=EVERYTHING["comment"]).comment == EVERYTHING["comment"]


def test_a_vote_without_grade_is_a_skip_or_the_undo_of_what_it_supersedes():
    first = a_vote()
    assert a_vote(grade=None).kind == "skip"
    assert a_vote(grade=None, supersedes=first.vote_id).kind == "undo"
    assert a_vote(grade="B", supersedes=first.vote_id).kind == "grade"


def test_the_order_of_clicks_makes_no_other_tags():
    assert a_vote(tags=["red_ring", "quad", "quad"]).tags == a_vote(tags=["quad", "red_ring"]).tags


def test_an_id_in_capitals_is_the_same_id():
    text = a_vote().vote_id
    assert a_vote(vote_id=text.upper()).vote_id == text


def test_times_are_kept_in_utc():
    local = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
    assert a_vote(created_at=local).created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert a_vote(created_at=local).created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vote_id", "7"),
        ("vote_id", None),
        ("object_id", ""),
        ("object_id", "a\0b"),
        ("object_id", 7),
        ("inspector", "  "),
        ("inspector", "a" * 201),
        ("phase", "Blind"),
        ("phase", ["blind"]),
        ("grade", "D"),
        ("grade", ""),
        ("grade", {}),
        ("contaminant", "dust"),
        ("tags", "quad"),
        ("tags", ["arc"]),
        ("tags", [["quad"]]),
        ("marks", {"kind": "lens"}),
        ("marks", [{"kind": "lens", "x_px": 1}]),
        ("marks", [{"kind": "arc", "x_px": 1, "y_px": 1}]),
        ("marks", [{"kind": "lens", "x_px": float("nan"), "y_px": 1}]),
        ("marks", [{"kind": "lens", "x_px": 10**400, "y_px": 1}]),
        ("marks", [{"kind": "lens", "x_px": True, "y_px": 1}]),
        ("marks", [{"kind": "lens", "x_px": 1, "y_px": 1, "ra_deg": 3}]),
        ("marks", [{"kind": "lens", "x_px": 1, "y_px": 1, "ra_deg": 3, "dec_deg": 91}]),
        ("marks", [{"kind": "lens", "x_px": 1, "y_px": 1}] * 101),
        ("flag", "boring"),
        ("comment", "a" * 10_001),
        ("comment", "\ud800"),
        ("comment", 5),
        ("elapsed_ms", -1),
        ("elapsed_ms", 1.5),
        ("elapsed_ms", True),
        ("elapsed_ms", 2**60),
        ("planes_hash", 3),
        ("model_version", "v" * 201),
        ("supersedes", "x"),
        ("created_at", "yesterday"),
        ("created_at", datetime(2026, 1, 31)),
    ],
)
def test_a_malformed_field_is_named(field, value):
    with pytest.raises(VoteError, match=field):
        a_vote(**{field: value})


def test_a_misspelt_field_is_refused_rather_than_lost():
    with pytest.raises(VoteError, match="'coment' is not a field"):
        a_vote(coment="arc")


def test_a_missing_field_is_named():
    values = a_vote().as_dict()
    del values["grade"]
    with pytest.raises(VoteError, match="grade is missing"):
        validate_vote(values)


def test_a_message_never_repeats_ten_thousand_characters():
    with pytest.raises(VoteError) as caught:
        a_vote(grade="A" * 10_000)
    assert len(str(caught.value)) < 200


def test_no_key_stands_for_two_things():
    keys = [term.key for menu in (GRADES, CONTAMINANTS, TAGS, FLAGS) for term in menu.values()]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set("usp?123456789")
    assert not {key.lower() for key in keys if key.isupper()} & set("abcx"), (
        "Caps Lock must not turn a grade into a class"
    )
