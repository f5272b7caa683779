"""Objects on their way to a network: in steps of whole chunks, as a model sees them, side by side."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.cutout_store import CutoutStore
from data.objects import ObjectTable, StoredObject, stored_objects
from lensmodel.devices import device_of
from lensmodel.models import ModelCard
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import PlaneSource, flux_batch, why_not

OBJECTS_PER_STEP = 64
_CACHE_BYTES = 8 * 2**20

Given = TypeVar("Given")
Made = TypeVar("Made")


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


def steps(
    store: CutoutStore, objects: ObjectTable, *, number: int = OBJECTS_PER_STEP
) -> Iterator[list[StoredObject]]:
    """The objects of one group after the other, in steps of whole chunks with about that number of objects.

    They depend on the rows in the store alone: a run that resumes makes the same steps. The first step of a
    group is one chunk, so that something is there soon.
    """
    groups, rows = objects.table["cutout_group"], objects.table["cutout_row"].to_numpy()
    for group in pc.unique(groups).to_pylist():
        members = np.flatnonzero(pc.equal(groups, group).to_numpy())
        members = members[np.argsort(rows[members], kind="stable")]
        step = step_of(rows[members], store.chunk_length(group), number=number)
        for some in np.split(members, np.flatnonzero(np.diff(step)) + 1):
            yield stored_objects(objects.take(some))


def step_of(rows: NDArray[np.int64], chunk: int, *, number: int = OBJECTS_PER_STEP) -> NDArray[np.int64]:
    """In which step of its group each row of the store is scored, from 0; chunk : rows of one chunk."""
    return -(-(rows // chunk) // chunks_per_step(chunk, number=number))


def chunks_per_step(chunk: int, *, number: int = OBJECTS_PER_STEP) -> int:
    """How many chunks a step takes, after the first step, which is one chunk."""
    return max(1, round(number / chunk))


def fetched_ahead(
    card: ModelCard, store: CutoutStore, steps: Iterable[list[StoredObject]]
) -> Iterator[list[StoredObject]]:
    """The same steps, each when the disk has been told of the next one: who computes does not wait for it."""
    coming: list[StoredObject] | None = None
    for step in steps:
        for band in card.bands:
            store.will_read(step[0].cutout_group, np.array([one.cutout_row for one in step]), band)
        if coming is not None:
            yield coming
        coming = step
    if coming is not None:
        yield coming


def read_batch(card: ModelCard, store: PlaneSource, objects: list[StoredObject]) -> Batch:
    """Objects of one group as the model sees them."""
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


@lru_cache(maxsize=64)
def images_at_once(network: LensNetwork, bands: int, shape: tuple[int, int]) -> int:
    """How many images of that shape (y, x) go through a network fastest: on a processor 1, 2, 4, 8 or 16.

    Those whose largest layer a core's cache holds: with more, each layer waits for memory. A GPU takes a whole step.
    """
    if device_of(network).type != "cpu":
        return OBJECTS_PER_STEP
    made = torch.zeros(1, bands, *shape)
    largest = 0
    with torch.inference_mode():
        for layer in network.features:  # not by hooks: those would see what another thread runs
            made = layer(made)
            largest = max(largest, made.numel() * made.element_size())
    return 1 << min(4, max(0, (_CACHE_BYTES // largest).bit_length() - 1))


def in_even_parts(images: Tensor, number: int) -> tuple[Tensor, ...]:
    """Images (image, ...) in parts of about that number, none of them a small rest, which takes as long as a part."""
    return images.tensor_split(max(1, round(len(images) / number)))


def side_by_side(work: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """`work` on each item, in their order, in as many threads as torch may use; items are made in the caller's.

    Each thread computes alone: batches side by side need no barrier; one batch on two cores waits for the
    slower of them at each layer. A thread more than there are cores would take the others' caches.
    """
    with _one_thread_per_batch() as threads, ThreadPoolExecutor(threads, "batch") as pool:
        coming: deque[Future[Made]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) > threads + 1:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


@contextmanager
def _one_thread_per_batch() -> Iterator[int]:
    threads = min(torch.get_num_threads(), os.cpu_count() or 1)
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
