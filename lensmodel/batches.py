"""Objects on their way to a network: in steps of whole chunks, read in a thread while others are judged."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor

from data.cutout_store import CutoutStore
from data.objects import ObjectTable, StoredObject
from lensmodel.models import ModelCard
from lensmodel.preprocessing import flux_batch, why_not

_READ_AHEAD = 2


@dataclass(frozen=True)
class Batch:
    """Objects of one group, why some cannot be scored, and the flux (object, band, y, x) of the others."""

    objects: list[StoredObject]
    reasons: list[str | None]
    flux: Tensor | None

    @property
    def group(self) -> str:
        return self.objects[0].cutout_group

    @property
    def seen(self) -> list[int]:
        """Which objects `flux` holds, in its order."""
        return [index for index, reason in enumerate(self.reasons) if reason is None]


def batches(card: ModelCard, store: CutoutStore, objects: ObjectTable, batch_size: int) -> Iterator[Batch]:
    """All objects, those of one group after the other, as the model sees them.

    The steps depend on the rows in the store alone: a run that resumes makes the same batches.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        read = (_read(card, store, some) for some in _chunkwise(store, objects, batch_size))
        coming: deque[Future[Batch | None]] = deque()
        for _ in range(_READ_AHEAD):
            coming.append(reader.submit(next, read, None))
        while (batch := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, read, None))
            yield batch


def _chunkwise(store: CutoutStore, objects: ObjectTable, batch_size: int) -> Iterator[list[StoredObject]]:
    ids, groups = objects.table["object_id"], objects.table["cutout_group"]
    rows = objects.table["cutout_row"].to_numpy()
    for group in pc.unique(groups).to_pylist():
        chunk = store.chunk_length(group)
        step = chunk * max(1, round(batch_size / chunk))
        members = np.flatnonzero(pc.equal(groups, group).to_numpy())
        members = members[np.argsort(rows[members], kind="stable")]
        borders = np.flatnonzero(np.diff(rows[members] // step)) + 1
        for some in np.split(members, borders):
            yield objects.rows_of(ids.take(some).to_pylist())


def _read(card: ModelCard, store: CutoutStore, objects: list[StoredObject]) -> Batch:
    reasons = [why_not(card, stored, store) for stored in objects]
    passed = [index for index, reason in enumerate(reasons) if reason is None]
    if not passed:
        return Batch(objects, reasons, None)
    rows = np.array([objects[index].cutout_row for index in passed])
    flux, by_pixels = flux_batch(card, store, objects[0].cutout_group, rows)
    for index, reason in zip(passed, by_pixels, strict=True):
        reasons[index] = reason
    usable = [reason is None for reason in by_pixels]
    if not all(usable):
        flux = flux[torch.tensor(usable)]
    return Batch(objects, reasons, flux if any(usable) else None)
