"""Selections of objects, which become queues and sessions: `selections/<id>.parquet`, ids in order and how they came.

A selection is what its condition met when it was made, and stays so. A random one keeps its seed and from how many it
was drawn: what is true of it estimates what is true of all of them.
"""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import FilterError
from data.files import written_atomically

LARGEST = 1_000_000
_KEY = b"lensvet.selection"


@dataclass(frozen=True)
class Selection:
    """What was selected. filter : as text. drawn_from : how many met it, more than `number` if not all were taken.

    seed : of a random one, else None. model_version : whose scores the filter speaks of.
    """

    selection_id: str
    title: str
    filter: str
    number: int
    drawn_from: int
    seed: int | None
    model_version: str | None
    by: str
    at: str


def keep_selection(
    folder: Path,
    object_ids: Sequence[str],
    *,
    title: str,
    condition: str,
    drawn_from: int,
    by: str,
    seed: int | None = None,
    model_version: str | None = None,
) -> Selection:
    """Write a selection.

    Raises
    ------
    FilterError
        If nothing, or more than a million, is selected.
    """
    if not 0 < len(object_ids) <= LARGEST:
        raise FilterError(f"{len(object_ids):,} objects are selected; a selection holds 1 to {LARGEST:,}")
    selection = Selection(
        selection_id=uuid.uuid4().hex[:12],
        title=title,
        filter=condition,
        number=len(object_ids),
        drawn_from=drawn_from,
        seed=seed,
        model_version=model_version,
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    schema = pa.schema([("object_id", pa.string())], metadata={_KEY: json.dumps(asdict(selection)).encode()})
    with written_atomically(folder / f"{selection.selection_id}.parquet") as partial:
        pq.write_table(pa.table({"object_id": list(object_ids)}, schema=schema), partial, compression="zstd")
    return selection


def selections_in(folder: Path) -> list[Selection]:
    """All selections, the newest first."""
    found = [_described(path) for path in folder.glob("*.parquet")]
    return sorted(found, key=lambda one: (one.at, one.selection_id), reverse=True)


def selected_ids(folder: Path, selection_id: str) -> tuple[Selection, list[str]]:
    """A selection and its ids in their order.

    Raises
    ------
    FilterError
        If there is none of that id.
    """
    path = folder / f"{selection_id}.parquet"
    if not re.fullmatch("[0-9a-f]{12}", selection_id) or not path.exists():
        raise FilterError(f"no selection {selection_id!r:.40} in this campaign")
    return _described(path), pq.read_table(path, partitioning=None)["object_id"].to_pylist()


def sample_of(number_of_all: int, number: int, seed: int) -> np.ndarray:
    """Places of a random sample without replacement, in ascending order; all of them if there are not so many."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(number_of_all, min(number, number_of_all), replace=False))


def _described(path: Path) -> Selection:
    return Selection(**json.loads((pq.read_schema(path).metadata or {})[_KEY]))
