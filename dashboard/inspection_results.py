"""What a group session comes to: by object, in all, and for each inspector. From the votes that stand."""

import io
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from dashboard.inspection_board import Board, second_look
from dashboard.state import ServerState
from data.consensus import DISPUTED_SPREAD, summarise
from data.dawid_skene import IN_ADVANCE, dawid_skene
from data.inspector_report import Look, inspector_reports
from data.ratings import Ratings, ratings_of
from data.reliability import alpha_of
from data.reveal_effect import RevealedPair, reveal_effect
from data.shares import Share
from data.swap import swap
from data.thresholds import thresholds_of
from data.votes import Vote

RESAMPLES = 300
Row = dict[str, Any]


def results_of(state: ServerState, board: Board) -> list[Row]:
    """A row for each object with grades: counts, mean, Dawid-Skene, SWAP, and the final grade of the discussion."""
    ratings = _blind_ratings(state, board)
    if not ratings.object_ids:
        return []
    summary = summarise(ratings.counts[:, ::-1])
    estimated = dawid_skene(ratings, smoothing=IN_ADVANCE)
    known = known_of(board)
    judged = swap(ratings, known) if len(set(known.values())) == 2 else None
    final = state.inspections.store.final_grades(board.inspection.session_id)
    decided = board.decided()
    rows = []
    for n, object_id in enumerate(ratings.object_ids):
        place = board.place_of[object_id]
        said = final.get(object_id)
        rows.append(
            {
                "object_id": object_id,
                "known": board.items[place].known,
                "is_decided": bool(decided[place]),
                "n_votes": int(summary.n_votes[n]),
                **{f"n_{grade}": int(count) for grade, count in zip("XCBA", ratings.counts[n], strict=True)},
                "mean": float(summary.mean[n]),
                "standard_error": float(summary.standard_error[n]),
                "spread": float(summary.spread[n]),
                "is_disputed": bool(summary.spread[n] >= DISPUTED_SPREAD),
                "grade": str(summary.grade[n]),
                "dawid_skene_mean": float(estimated.mean[n]),
                "dawid_skene_sd": float(estimated.sd[n]),
                "swap_p_lens": None if judged is None else float(judged.p_lens[n]),
                "swap_verdict": None if judged is None else str(judged.verdict[n]),
                "final_grade": said.grade if said else None,
                "final_by": said.by if said else None,
                "final_comment": said.comment if said else None,
            }
        )
    return rows


def csv_of(rows: Sequence[Row]) -> bytes:
    """Rows as CSV, in which no text is taken for a formula by a spreadsheet."""
    import pyarrow as pa
    import pyarrow.csv

    from data.exports.delimited import spreadsheet_safe

    written = io.BytesIO()
    if rows:
        pyarrow.csv.write_csv(spreadsheet_safe(pa.Table.from_pylist(list(rows))), written)
    return written.getvalue()


def summary_of(state: ServerState, board: Board) -> Row:
    """The session in numbers: agreement, disputes, completeness and purity, what the reveal changed."""
    ratings = _blind_ratings(state, board)
    if not ratings.object_ids:
        return {}
    summary = summarise(ratings.counts[:, ::-1])
    known = known_of(board)
    means = dict(zip(ratings.object_ids, summary.mean, strict=True))

    def means_of(kind: bool | None) -> list[float]:
        return [float(mean) for object_id, mean in means.items() if known.get(object_id) is kind]

    return {
        "alpha": vars(alpha_of(ratings, resamples=RESAMPLES)),
        "disputed": int((summary.spread >= DISPUTED_SPREAD).sum()),
        "grades": {grade: int((summary.grade == grade).sum()) for grade in "ABCX"},
        "thresholds": told(
            thresholds_of(means_of(None), means_of(True), means_of(False), resamples=RESAMPLES)
        ),
        "reveal_effect": vars(reveal_effect(_revealed_pairs(state, board))),
    }


def reports_of(state: ServerState, board: Board) -> dict[str, Any]:
    """The report of each inspector by name."""
    looks = [
        Look(
            inspector=vote.inspector,
            object_id=vote.object_id,
            grade=vote.grade,
            is_repeat=bool(board.look_of(vote)),
            elapsed_ms=vote.elapsed_ms,
        )
        for vote in _votes(state, board)
        if vote.grade is not None and vote.phase == "blind"
    ]
    return {name: told(report) for name, report in inspector_reports(looks, known_of(board)).items()}


def told(figures: object) -> Any:
    """Figures as JSON has them: a share with its value and interval, what is made of several as an object."""
    if isinstance(figures, Share):
        low, high = figures.interval
        return {"number": figures.number, "of": figures.of, "value": figures.value, "low": low, "high": high}
    if is_dataclass(figures):
        return {field.name: told(getattr(figures, field.name)) for field in fields(figures)}
    return [told(one) for one in figures] if isinstance(figures, tuple) else figures


def known_of(board: Board) -> dict[str, bool]:
    """Objects that were mixed in, and whether each is a lens."""
    return {item.object_id: item.known == "lens" for item in board.items if item.known is not None}


def _votes(state: ServerState, board: Board) -> list[Vote]:
    """First blind grades and second ones: a revision after the reveal supersedes no blind grade here."""
    ids = (board.inspection.session_id, second_look(board.inspection.session_id))
    return list(state.labels.graded_votes(ids))


def _blind_ratings(state: ServerState, board: Board) -> Ratings:
    votes = [vote for vote in _votes(state, board) if not board.look_of(vote)]
    return ratings_of(votes, phase="blind")


def _revealed_pairs(state: ServerState, board: Board) -> list[RevealedPair]:
    """Each inspector's blind grade of an object, and the one after the reveal if there is one."""
    blind: dict[tuple[str, str], Vote] = {}
    revised: dict[tuple[str, str], Vote] = {}
    for vote in _votes(state, board):
        if not board.look_of(vote):
            (blind if vote.phase == "blind" else revised)[vote.inspector, vote.object_id] = vote
    known = known_of(board)
    catalogue = state.catalogue.now()
    rows: dict[str, dict[str, object]] = {}
    pairs = []
    for key, vote in blind.items():
        later = revised.get(key)
        p_lens = None
        if later is not None and later.model_version is not None:
            if vote.object_id not in rows:
                rows[vote.object_id] = state.scores.row(later.model_version, catalogue, vote.object_id) or {}
            p_lens = rows[vote.object_id].get("p_lens")
        assert vote.grade is not None
        pairs.append(
            RevealedPair(
                inspector=vote.inspector,
                blind=vote.grade,
                revealed=later.grade if later else None,
                p_lens=float(p_lens) if isinstance(p_lens, int | float) else None,
                is_lens=known.get(vote.object_id),
            )
        )
    return pairs
