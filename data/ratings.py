"""Who gave which grade to what, as one table: what agreement, Dawid-Skene and SWAP are computed from. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.consensus import POINTS
from data.votes import Vote

NONE = -1  # no grade


@dataclass(frozen=True)
class Ratings:
    """points : (object, inspector) int8, 0 to 3 as in `POINTS`, `NONE` where the inspector gave no grade."""

    object_ids: tuple[str, ...]
    inspectors: tuple[str, ...]
    points: NDArray[np.int8]

    @property
    def is_given(self) -> NDArray[np.bool_]:
        """Where there is a grade: (object, inspector)."""
        given: NDArray[np.bool_] = self.points != NONE
        return given

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each object got each number of points: (object, points)."""
        return np.stack([(self.points == value).sum(axis=1) for value in sorted(POINTS.values())], axis=1)


def ratings_of(votes: Iterable[Vote], *, phase: str | None = None) -> Ratings:
    """The latest grade of each inspector for each object.

    votes : that stand, oldest first (`LabelStore.current_votes`). phase : only those given in it.
    """
    latest = {
        (vote.object_id, vote.inspector): POINTS[vote.grade]
        for vote in votes
        if vote.grade is not None and phase in (None, vote.phase)
    }
    object_ids = tuple(dict.fromkeys(object_id for object_id, _ in latest))
    inspectors = tuple(sorted({inspector for _, inspector in latest}))
    rows = {object_id: row for row, object_id in enumerate(object_ids)}
    columns = {inspector: column for column, inspector in enumerate(inspectors)}
    points = np.full((len(object_ids), len(inspectors)), NONE, np.int8)
    for (object_id, inspector), value in latest.items():
        points[rows[object_id], columns[inspector]] = value
    return Ratings(object_ids, inspectors, points)
