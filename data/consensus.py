"""From votes to one grade per object: the mean of what each inspector said last. Pure.

The cuts for A and B are those of HOLISMOKES (Cañameras et al. 2021, A&A 653, L6): a mean above 2.5 is A, from
1.5 to 2.5 is B. They name no grade below; we go on in steps of one: from 0.5 is C, below is X.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.votes import CONTAMINANTS, FLAGS, TAGS, Mark, Vote

POINTS = {"A": 3, "B": 2, "C": 1, "X": 0}
RULE = (
    "mean of A = 3, B = 2, C = 1, X = 0 over the latest grade of each inspector that is not undone; "
    "above 2.5 is A, from 1.5 B, from 0.5 C, below X"
)
DISPUTED_SPREAD = 2  # Space Warps CFHTLS (More et al. 2016, MNRAS 455, 1191) discusses these


@dataclass(frozen=True)
class Summaries:
    """What the grades of many objects come to; one entry per object.

    mean : points, 0 to 3. standard_error : of the mean, NaN below two votes. spread : largest minus smallest.
    grade : A, B, C, X; empty without votes, where the numbers are NaN.
    """

    n_votes: NDArray[np.int64]
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    spread: NDArray[np.float64]
    grade: NDArray[np.str_]


@dataclass(frozen=True)
class Remarks:
    """What was said beside the grades. Terms come with how many inspectors chose them, most first."""

    contaminants: dict[str, int]
    tags: dict[str, int]
    flags: dict[str, int]
    comments: tuple[str, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Consensus:
    """What the votes on one object come to; numbers as in `Summaries`, None where those are empty or NaN."""

    n_votes: int
    mean: float | None
    standard_error: float | None
    spread: float | None
    grade: str | None
    remarks: Remarks

    @property
    def is_disputed(self) -> bool:
        """Whether opinions are two grades apart or more."""
        return self.spread is not None and self.spread >= DISPUTED_SPREAD


def summarise(counts: ArrayLike) -> Summaries:
    """Sum up how often each grade was given. counts : (object, grade) in the order A, B, C, X."""
    counts = np.asarray(counts, np.int64).reshape(-1, len(POINTS))
    points = np.array(list(POINTS.values()))
    n_votes = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts @ points / n_votes
        variance = (counts * (points - mean[:, np.newaxis]) ** 2).sum(axis=1) / (n_votes - 1)
        standard_error = np.where(n_votes > 1, np.sqrt(variance / n_votes), np.nan)
    given = counts > 0
    largest = np.where(given, points, -1).max(axis=1)
    smallest = np.where(given, points, 9).min(axis=1)
    spread = np.where(n_votes > 0, largest - smallest, np.nan)
    return Summaries(n_votes, mean, standard_error, spread, grade_of(mean))


def grade_of(mean: ArrayLike) -> NDArray[np.str_]:
    """The grade of a mean score; empty where it is NaN."""
    mean = np.asarray(mean, float)
    return np.select([mean > 2.5, mean >= 1.5, mean >= 0.5, mean >= 0], ["A", "B", "C", "X"], "")


def latest_by_inspector(votes: Iterable[Vote]) -> list[Vote]:
    """Each inspector's vote that counts: the last grade, else the last skip. Votes as for `consensus`."""
    latest: dict[str, Vote] = {}
    for vote in votes:
        if vote.grade is not None or latest.get(vote.inspector, vote).grade is None:
            latest[vote.inspector] = vote
    return list(latest.values())


def consensus(votes: Iterable[Vote]) -> Consensus:
    """What the votes on one object come to. votes : that stand, oldest first (`LabelStore.current_votes`)."""
    votes = list(votes)
    grades = Counter(vote.grade for vote in latest_by_inspector(votes))
    of_one = summarise([[grades[grade] for grade in POINTS]])
    return Consensus(
        n_votes=int(of_one.n_votes[0]),
        mean=_number(of_one.mean[0]),
        standard_error=_number(of_one.standard_error[0]),
        spread=_number(of_one.spread[0]),
        grade=str(of_one.grade[0]) or None,
        remarks=gather_remarks(votes),
    )


def gather_remarks(votes: Iterable[Vote]) -> Remarks:
    """Everything that votes which stand say beside their grades, comments and marks in their order."""
    votes = list(votes)
    return Remarks(
        contaminants=_counted(CONTAMINANTS, [(vote.inspector, vote.contaminant) for vote in votes]),
        tags=_counted(TAGS, [(vote.inspector, tag) for vote in votes for tag in vote.tags]),
        flags=_counted(FLAGS, [(vote.inspector, vote.flag) for vote in votes]),
        comments=tuple(vote.comment for vote in votes if vote.comment),
        marks=tuple(mark for vote in votes for mark in vote.marks),
    )


def _counted(terms: Iterable[str], said: Iterable[tuple[str, str | None]]) -> dict[str, int]:
    """How many inspectors chose each term; terms chosen as often stay in the order of their menu."""
    counts = Counter(term for _, term in set(said))
    chosen = sorted((term for term in terms if counts[term]), key=lambda term: -counts[term])
    return {term: counts[term] for term in chosen}


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
