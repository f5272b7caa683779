"""What the models of a campaign say of objects whose class is known: from the truth, else from people's grades.

For `/why`. All of it is arrays over many objects: call it in `Judgements.pool`, never in the event loop.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from dashboard.live_catalogue import Catalogue
from dashboard.live_scores import ScoreColumns
from data.consensus import summarise
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.agreement_figures import RESPONSE, Separation, separation
from lensmodel.evaluation.breakdowns import Group
from lensmodel.evaluation.metrics import Claims
from lensmodel.evaluation.responses import (
    OperatingPoint,
    Partition,
    Selection,
    chosen_objects,
    partition_of,
    partitions_of,
    taken_at,
)
from lensmodel.evaluation.truth import Truth, truth_of

if TYPE_CHECKING:
    from dashboard.state import ServerState

Rows = NDArray[np.int64]

MISTAKES = {
    "false_negative": "lenses that it misses",
    "false_positive": "non-lenses that it takes for lenses",
    "flagged": "flagged by inspectors",
}
ORDERS = {"confidence": "most confident first", "where_why": "where and why disagree first"}
_KEPT = 8


@dataclass(frozen=True)
class Subjects:
    """The objects whose class is known, (object,) each. rows : of the catalogue. truth : None if people said it.

    version : changes when the catalogue does, or the grades if the class is from them.
    """

    catalogue: Catalogue
    version: str
    rows: Rows
    is_lens: Claims
    subtype: NDArray[np.str_]
    partitions: tuple[Partition, ...]
    truth: Truth | None

    def partition(self, name: str) -> Partition | None:
        return next((some for some in self.partitions if some.name == name), None)


@dataclass(frozen=True)
class Judgement:
    """What one model says of the subjects at an operating point. scores : of the whole catalogue.

    taken, is_scored : (object,), of the subjects.
    """

    model_version: str
    name: str
    scores: ScoreColumns
    taken: Claims
    is_scored: Claims


class Judgements:
    """Subjects and judgements of one campaign, kept while catalogue, scores and grades stay as they are."""

    def __init__(self, state: "ServerState") -> None:
        self._state = state
        # One thread: it must not take the processor from those who vet, and HoloViews is not made for several.
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="lensvet-why")
        self._subjects: Subjects | None = None
        self._judged: dict[tuple[str, ...], Judgement] = {}

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    def subjects(self) -> Subjects:
        """The objects of known class as they are now.

        Raises
        ------
        EvaluationError
            If nobody knows any: there is neither truth nor a grade A, B or X.
        """
        catalogue = self._state.catalogue.now()
        has_truth = _has_truth(catalogue)
        version = f"{catalogue.version}" if has_truth else f"{catalogue.version}.{self._votes()}"
        if self._subjects is None or self._subjects.version != version:
            made = self._from_truth(catalogue) if has_truth else self._from_grades(catalogue)
            self._subjects = replace(made, version=version)
        return self._subjects

    def judgement(self, model_version: str, point: OperatingPoint, subjects: Subjects) -> Judgement:
        """What that model says of these subjects.

        Raises
        ------
        EvaluationError
            If the point is a rate of false positives and no non-lens was scored.
        """
        scores = self._state.scores.columns(model_version, subjects.catalogue)
        key = (model_version, scores.version, subjects.version, point.name)
        if key not in self._judged:
            logit, p_lens = scores.logit[subjects.rows], scores.p_lens[subjects.rows]
            self._judged[key] = Judgement(
                model_version=model_version,
                name=self._state.name_of(model_version),
                scores=scores,
                taken=taken_at(point, logit, p_lens, subjects.is_lens),
                is_scored=np.isfinite(logit),
            )
            while len(self._judged) > _KEPT:
                del self._judged[next(iter(self._judged))]
        return self._judged[key]

    def flags(self) -> dict[str, Counter[str]]:
        """By object id, how many inspectors raised which flag."""
        flags: dict[str, Counter[str]] = {}
        for vote in self._state.labels.remarks():
            if vote.flag is not None:
                flags.setdefault(vote.object_id, Counter())[vote.flag] += 1
        return flags

    def wrong_reasons(self, judgement: Judgement, catalogue: Catalogue) -> Separation:
        """How often `where_why` is lower for what people flagged as right for the wrong reason than for other objects.

        The others are those that the model takes for lenses, that people have graded, and of which nobody says so.
        """
        flags = self.flags()
        graded = [tally.object_id for tally in self._state.labels.grade_tallies()]
        flagged = [object_id for object_id, some in flags.items() if some["wrong_reason"]]
        others = set(graded) - set(flagged)
        above, below = (
            rows[rows >= 0] for rows in map(catalogue.table.row_numbers, (sorted(others), flagged))
        )
        scores = judgement.scores
        above = above[scores.p_lens[above] >= RESPONSE]
        return separation(scores.where_why[above], scores.where_why[below])

    def _votes(self) -> int:
        return self._state.labels.number_of_votes()

    def _from_truth(self, catalogue: Catalogue) -> Subjects:
        truth = truth_of(self._state.campaign, measure_colours=False, objects=catalogue.table)
        rows = np.flatnonzero(catalogue.table.table["class"].is_valid().to_numpy())
        partitions = tuple(partitions_of(truth))
        return Subjects(catalogue, "", rows, truth.is_lens, truth.subtype, partitions, truth)

    def _from_grades(self, catalogue: Catalogue) -> Subjects:
        tallies = list(self._state.labels.grade_tallies())
        grades = summarise([(t.n_a, t.n_b, t.n_c, t.n_x) for t in tallies]).grade
        rows = catalogue.table.row_numbers(tally.object_id for tally in tallies)
        is_known = (rows >= 0) & np.isin(grades, ("A", "B", "X"))
        if not is_known.any():
            raise EvaluationError(
                "nobody knows yet what the objects of this campaign are: grade some of them on /vet, ingest a "
                "--catalogue with a column class that says lens or nonlens, or simulate some with lensvet simulate"
            )
        rows, grades = rows[is_known], grades[is_known]
        groups = [Group(f"graded {grade}", grade != "X", grades == grade) for grade in np.unique(grades)]
        partitions = (
            partition_of("subtype", "Grade of lenses", [group for group in groups if group.is_lens]),
            partition_of(
                "contaminant", "Grade of non-lenses", [group for group in groups if not group.is_lens]
            ),
        )
        return Subjects(
            catalogue=catalogue,
            version="",
            rows=rows,
            is_lens=grades != "X",
            subtype=np.char.add("graded ", grades),
            partitions=tuple(some for some in partitions if some is not None),
            truth=None,
        )


def mistakes(
    kind: str,
    order: str,
    subjects: Subjects,
    judgement: Judgement,
    selection: Selection,
    flagged_ids: Sequence[str] = (),
) -> Rows:
    """Rows of the catalogue that a model got wrong, or that inspectors flagged, in that order.

    kind : a key of `MISTAKES`; order : of `ORDERS`. What is outside the selection is left out.
    """
    wanted = chosen_objects(subjects.partitions, selection, subjects.is_lens)
    if kind == "flagged":
        rows = subjects.catalogue.table.row_numbers(flagged_ids)
        rows = rows[rows >= 0]
        if any(selection.values()):
            rows = rows[np.isin(rows, subjects.rows[wanted])]
    elif kind == "false_positive":
        rows = subjects.rows[wanted & ~subjects.is_lens & judgement.taken]
    else:
        rows = subjects.rows[wanted & subjects.is_lens & judgement.is_scored & ~judgement.taken]
    return rows[np.argsort(_key(kind, order, judgement.scores, rows), kind="stable")]


def _key(kind: str, order: str, scores: ScoreColumns, rows: Rows) -> NDArray[np.float64]:
    if order == "where_why":
        return scores.where_why[rows]
    logit = scores.logit[rows]
    return {"false_positive": -logit, "false_negative": logit}.get(kind, -np.abs(logit))


def _has_truth(catalogue: Catalogue) -> bool:
    table = catalogue.table.table
    return "class" in table.column_names and bool(pc.any(table["class"].is_valid()).as_py())
