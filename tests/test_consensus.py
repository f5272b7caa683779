"""Consensus: means, cuts and counts against independent numbers, and the database against pure Python."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.consensus import POINTS, consensus, gather_remarks, grade_of, latest_by_inspector, summarise
from data.label_store import GradeTally, LabelStore
from data.votes import CONTAMINANTS, GRADES, Vote
from tests.fixtures.votes import a_vote


def _votes(grades: str) -> list[Vote]:
    return [a_vote(grade=grade, inspector=f"inspector {n}") for n, grade in enumerate(grades)]


@pytest.mark.parametrize(
    ("grades", "mean", "grade"),
    [
        ("A", 3, "A"),
        ("B", 2, "B"),
        ("C", 1, "C"),
        ("X", 0, "X"),
        ("AB", 2.5, "B"),  # the cut itself is not above it
        ("AAB", 8 / 3, "A"),
        ("BC", 1.5, "B"),
        ("CX", 0.5, "C"),
        ("CXX", 1 / 3, "X"),
    ],
)
def test_the_mean_decides_the_grade(grades, mean, grade):
    result = consensus(_votes(grades))
    assert result.mean == pytest.approx(mean)
    assert result.grade == grade
    assert result.n_votes == len(grades)


def test_without_votes_nothing_is_said():
    result = consensus([])
    assert (result.n_votes, result.mean, result.standard_error, result.spread, result.grade) == (
        0,
        *[None] * 4,
    )
    assert consensus([a_vote(grade=None)]).grade is None


def test_one_vote_has_no_standard_error():
    assert consensus(_votes("B")).standard_error is None
    assert consensus(_votes("B")).spread == 0


def test_a_spread_of_two_grades_is_disputed():
    assert consensus(_votes("AC")).is_disputed
    assert not consensus(_votes("AABB")).is_disputed


@given(st.lists(st.sampled_from("ABCX"), min_size=2, max_size=30))
def test_counts_give_the_same_numbers_as_the_votes_one_by_one(grades):
    points = np.array([POINTS[grade] for grade in grades])
    result = summarise([[grades.count(grade) for grade in GRADES]])
    assert result.mean[0] == pytest.approx(points.mean())
    assert result.standard_error[0] == pytest.approx(points.std(ddof=1) / np.sqrt(len(points)))
    assert result.spread[0] == np.ptp(points)


def test_a_better_mean_never_has_a_worse_grade():
    grades = list(grade_of(np.linspace(0, 3, 1001)))
    assert all(POINTS[lower] <= POINTS[higher] for lower, higher in pairwise(grades))
    assert set(grades) == set(POINTS)
    assert grade_of(np.nan) == ""


def test_a_table_without_objects_has_a_summary_without_objects():
    assert summarise([]).mean.shape == (0,)


def test_grades_are_counted_in_the_order_of_the_menu():
    assert list(POINTS) == list(GRADES)


def test_terms_are_counted_by_inspector_and_listed_by_number():
    votes = [
        a_vote(inspector="Ana", contaminant="merger", tags=["quad"], flag="false_positive"),
        a_vote(inspector="Ana", contaminant="merger", comment="twice by one"),
        a_vote(inspector="Bo", contaminant="ring_galaxy", tags=["red_ring", "quad"]),
        a_vote(inspector="Cy", contaminant="ring_galaxy", comment="tilted"),
        a_vote(inspector="Di", contaminant="spiral"),
    ]
    remarks = gather_remarks(votes)
    assert list(remarks.contaminants.items()) == [("ring_galaxy", 2), ("spiral", 1), ("merger", 1)]
    assert list(CONTAMINANTS).index("spiral") < list(CONTAMINANTS).index("merger")
    assert remarks.tags == {"quad": 2, "red_ring": 1}
    assert remarks.flags == {"false_positive": 1}
    assert remarks.comments == ("twice by one", "tilted")


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_the_database_counts_what_pure_python_counts(seed, tmp_path_factory):
    history = _random_history(random.Random(seed))
    url = f"sqlite:///{tmp_path_factory.mktemp('labels') / 'labels.sqlite'}"
    with LabelStore.open(url) as store:
        for vote in history:
            store.add(vote)
        standing = _standing(history)
        assert list(store.current_votes()) == standing
        assert {tally.object_id: tally for tally in store.grade_tallies()} == _tallies(standing)


def _random_history(chance: random.Random) -> list[Vote]:
    """Grades, skips, revisions and undos of three inspectors on two objects, as the store accepts them."""
    history: list[Vote] = []
    for _ in range(25):
        mine = {"inspector": chance.choice("abc"), "object_id": chance.choice(["one", "two"])}
        earlier = [
            vote.vote_id
            for vote in history
            if vote.kind != "undo" and (vote.inspector, vote.object_id) == tuple(mine.values())
        ]
        supersedes = chance.choice(earlier) if earlier and chance.random() < 0.6 else None
        phase = chance.choice(["blind", "revealed"])
        grade = chance.choice(["A", "B", "C", "X", None])
        history.append(a_vote(**mine, grade=grade, phase=phase, supersedes=supersedes))
    return history


def _standing(history: list[Vote]) -> list[Vote]:
    undone = {vote.supersedes for vote in history if vote.kind == "undo"}
    replaced = {vote.supersedes for vote in history if vote.kind == "grade" and vote.vote_id not in undone}
    gone = undone | replaced
    return [vote for vote in history if vote.kind != "undo" and vote.vote_id not in gone]


def _tallies(standing: list[Vote]) -> dict[str, GradeTally]:
    tallies = {}
    for object_id in {vote.object_id for vote in standing}:
        latest = latest_by_inspector(vote for vote in standing if vote.object_id == object_id)
        grades = [vote.grade for vote in latest]
        blind = sum(vote.phase == "blind" for vote in latest if vote.grade)
        numbers = [grades.count(grade) for grade in GRADES]
        tallies[object_id] = GradeTally(object_id, *numbers, n_blind=blind, n_skips=grades.count(None))
    return tallies
