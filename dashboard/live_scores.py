"""The scores of a campaign while it is being scored: each new part is read once, into columns."""

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.live_catalogue import Catalogue
from data.campaign import Campaign
from data.kept import Kept
from data.priors import p_lens_of_logit

COLUMNS = ("logit", "p_lens", "where_why")
NO_PART = -1
TABLES_KEPT_BYTES = 64 * 2**20  # of parts that objects were looked up in lately


@dataclass(frozen=True)
class ScoreColumns:
    """Scores of one model, one value per row of the catalogue, NaN where there is none; p_lens at the campaign's prior.

    version : changes when scores land or the catalogue changes; rankings are kept by it.
    scored : how many objects have a row, refused ones included.
    """

    version: str
    scored: int
    logit: NDArray[np.float64]
    p_lens: NDArray[np.float64]
    where_why: NDArray[np.float64]


@dataclass
class _ModelScores:
    """What was read of one model's parts so far. part_of : for each catalogue row, the index in `parts`.

    generation : which reading of this model from its first part on.
    first_written : when the first part was; scores removed and made anew have parts of the same names.
    """

    generation: int
    parts: list[Path] = field(default_factory=list)
    first_written: float | None = None
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    part_of: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    unplaced: list[tuple[int, pa.Table]] = field(default_factory=list)
    catalogue: Catalogue | None = None
    snapshot: ScoreColumns | None = None


class LiveScores:
    """Gives the scores as they are on disk now. Safe from several threads."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._lock = threading.Lock()
        self._models: dict[str, _ModelScores] = {}
        self._generations = itertools.count()
        self._tables: Kept[pa.Table] = Kept(TABLES_KEPT_BYTES, size_of=lambda table: table.nbytes)

    def versions(self) -> list[str]:
        """Model versions that have scores here, the newest last."""
        return self._campaign.scored_versions()

    def columns(self, model_version: str, catalogue: Catalogue) -> ScoreColumns:
        """The scores of that model on the rows of this catalogue."""
        with self._lock:
            return self._refreshed(model_version, catalogue).snapshot  # type: ignore[return-value]

    def row(self, model_version: str, catalogue: Catalogue, object_id: str) -> dict[str, object] | None:
        """The whole score row of one object, or None; reads the one part that holds it."""
        with self._lock:
            scores = self._refreshed(model_version, catalogue)
            place = int(catalogue.table.row_numbers([object_id])[0])
            if place < 0 or scores.part_of[place] == NO_PART:
                return None
            part = scores.parts[scores.part_of[place]]
            key = (model_version, scores.generation, part)
        table = self._tables.get(key, lambda: pq.read_table(part, partitioning=None))
        found = pc.index(table["object_id"], object_id).as_py()
        return self.stated(model_version, table.slice(found, 1).to_pylist()[0]) if found >= 0 else None

    def rows(
        self, model_version: str, catalogue: Catalogue, object_ids: Sequence[str]
    ) -> dict[str, dict[str, object]]:
        """The score rows of several objects, without those that have none; reads each part once."""
        with self._lock:
            scores = self._refreshed(model_version, catalogue)
            places = catalogue.table.row_numbers(object_ids)
            indices = sorted(set(scores.part_of[places[places >= 0]].tolist()) - {NO_PART})
            keys = [(model_version, scores.generation, scores.parts[index]) for index in indices]
        wanted = pa.array(object_ids, pa.string())
        found: dict[str, dict[str, object]] = {}
        for key in keys:
            table = self._tables.get(key, lambda part=key[2]: pq.read_table(part, partitioning=None))
            for row in table.filter(pc.is_in(table["object_id"], wanted)).to_pylist():
                found[str(row["object_id"])] = self.stated(model_version, row)
        return found

    def stated(self, model_version: str, row: dict[str, object]) -> dict[str, object]:
        """A score row with p_lens at the campaign's prior."""
        if row["logit"] is None:
            return row
        given = (np.asarray(row[name], np.float64) for name in ("logit", "p_lens"))
        return {**row, "p_lens": float(p_lens_of_logit(self._campaign, model_version, *given))}

    def _refreshed(self, model_version: str, catalogue: Catalogue) -> _ModelScores:
        parts = self._campaign.score_parts(model_version)
        known = self._models.get(model_version)
        if known is None or not _continues(known, parts, catalogue):
            known = self._models[model_version] = _ModelScores(next(self._generations))
        read = set(known.parts)
        fresh = [part for part in parts if part not in read]  # partitions land in any order
        if fresh or known.catalogue is not catalogue:
            _extend(known, fresh, catalogue)
            columns = known.columns
            stated = p_lens_of_logit(self._campaign, model_version, columns["logit"], columns["p_lens"])
            known.snapshot = _snapshot(known, stated)
        return known


def _continues(scores: _ModelScores, parts: list[Path], catalogue: Catalogue) -> bool:
    """Whether nothing that was read has changed: parts and catalogue rows were only added."""
    before = scores.catalogue
    if not set(scores.parts) <= set(parts) or scores.first_written != _first_written(scores.parts):
        return False
    if before is None or before is catalogue:
        return True
    old, new = before.table.id_column, catalogue.table.id_column
    return len(old) <= len(new) and new.slice(0, len(old)).equals(old)


def _extend(scores: _ModelScores, fresh: Iterable[Path], catalogue: Catalogue) -> None:
    """Put the rows of the fresh parts, and those that waited for their object, on their catalogue rows."""
    _grow(scores, len(catalogue))
    waiting, scores.unplaced = scores.unplaced, []
    scores.catalogue = catalogue
    for index, rows in waiting:
        _place(scores, index, rows, catalogue)
    for part in fresh:
        # Read before it counts as read: a copy that is still under way is tried again at the next look.
        try:
            rows = _read(part)
        except (OSError, pa.ArrowException):
            break
        scores.parts.append(part)
        scores.first_written = scores.first_written or _first_written(scores.parts)
        _place(scores, len(scores.parts) - 1, rows, catalogue)


def _grow(scores: _ModelScores, length: int) -> None:
    missing = length - len(scores.part_of)
    # New arrays each time: a snapshot that was given out stays as it was.
    for name in COLUMNS:
        before = scores.columns.get(name, np.empty(0))
        scores.columns[name] = np.concatenate([before, np.full(missing, np.nan)])
    scores.part_of = np.concatenate([scores.part_of, np.full(missing, NO_PART, np.int32)])


def _place(scores: _ModelScores, index: int, rows: pa.Table, catalogue: Catalogue) -> None:
    places = catalogue.table.row_numbers(rows["object_id"].to_pylist())
    is_known = places >= 0
    for name in COLUMNS:
        values = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
        scores.columns[name][places[is_known]] = values[is_known]
    scores.part_of[places[is_known]] = index
    if not is_known.all():
        scores.unplaced.append((index, rows.filter(pa.array(~is_known))))


def _first_written(parts: list[Path]) -> float | None:
    return parts[0].stat().st_mtime if parts else None


def _read(part: Path) -> pa.Table:
    return pq.read_table(part, columns=["object_id", *COLUMNS], partitioning=None)


def _snapshot(scores: _ModelScores, p_lens: NDArray[np.float64]) -> ScoreColumns:
    version = f"{scores.catalogue.version if scores.catalogue else 0}.{scores.generation}.{len(scores.parts)}"
    scored = int((scores.part_of != NO_PART).sum())
    return ScoreColumns(version=version, scored=scored, **{**scores.columns, "p_lens": p_lens})
