"""Packed cutouts become scores: read ahead in a thread, judged in batches, written part by part, resumed.

Objects without a score are taken in steps of whole chunks. A killed run loses its last second at most, and
the next one scores the same batches again, to the same numbers.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.files import held_alone
from data.objects import ObjectTable, StoredObject
from data.scores import SCORE_SCHEMA, scored_ids, write_part
from data.sky import TangentPlane
from lensmodel import Progress
from lensmodel.models import ModelCard, load_network
from lensmodel.networks import LensNetwork, NetworkOutput
from lensmodel.preprocessing import field_of, flux_batch, why_not

BATCH_SIZE = 64
SECONDS_PER_PART = 1.0
_READ_AHEAD = 2

ScoreRow = dict[str, object]


@dataclass(frozen=True)
class ScoringReport:
    """What a run did: objects scored, refused with a reason, and left alone since they had a row."""

    scored: int
    refused: int
    already_there: int
    seconds: float


def score(
    campaign: Campaign,
    card: ModelCard,
    *,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ScoringReport:
    """Score every object that has no row of this model version yet.

    stop : asked after each batch; True ends the run with everything so far written.

    Raises
    ------
    CampaignError
        If nothing was ingested, or another process is scoring with this model version.
    """
    started = time.monotonic()
    store = campaign.cutouts()
    folder = campaign.scores_path(card.version)
    with held_alone(folder / ".lock", doing="scoring"):
        _remove_leftovers(folder)
        objects = campaign.objects()
        waiting = _without(objects, scored_ids(campaign.score_parts(card.version)))
        parts = _Parts(folder)
        network = load_network(card)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        try:
            for rows in _score_rows(network, card, store, waiting, batch_size):
                parts.add(rows)
                if on_progress is not None:
                    on_progress(Progress(parts.scored + parts.refused, len(waiting)))
                if stop is not None and stop():
                    break
        finally:
            parts.flush()
    already_there = len(objects) - len(waiting)
    return ScoringReport(parts.scored, parts.refused, already_there, time.monotonic() - started)


@dataclass(frozen=True)
class _Batch:
    """Objects of one group, and the flux of those that have no reason against them, in their order."""

    objects: list[StoredObject]
    reasons: list[str | None]
    flux: Tensor | None


class _Parts:
    """Rows on their way to disk: written about every second, the first ones at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[ScoreRow] = []
        self._due = 0.0
        self.scored = 0
        self.refused = 0

    def add(self, rows: list[ScoreRow]) -> None:
        self._rows += rows
        refused = sum("logit" not in row for row in rows)
        self.refused += refused
        self.scored += len(rows) - refused
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            write_part(self._folder, pa.Table.from_pylist(self._rows, schema=SCORE_SCHEMA))
        self._rows = []
        self._due = time.monotonic() + SECONDS_PER_PART


def _score_rows(
    network: LensNetwork, card: ModelCard, store: CutoutStore, waiting: ObjectTable, batch_size: int
) -> Iterator[list[ScoreRow]]:
    """Rows of one batch after the other."""
    for batch in _ahead(_batches(card, store, waiting, batch_size)):
        rows = [_row(stored, reason) for stored, reason in zip(batch.objects, batch.reasons, strict=True)]
        if batch.flux is not None:
            seen = [index for index, reason in enumerate(batch.reasons) if reason is None]
            field = field_of(card, store, batch.objects[0].cutout_group)
            verdicts = _verdicts(judge(network, batch.flux), field.x_arcsec, field.y_arcsec)
            for index, verdict in zip(seen, verdicts, strict=True):
                rows[index].update(_on_the_sky(batch.objects[index], verdict))
        yield rows


@torch.inference_mode()
def judge(network: LensNetwork, flux: Tensor) -> NetworkOutput:
    """The network's output for flux (object, band, y, x), without what a gradient would need."""
    output: NetworkOutput = network(network.normalise(flux).contiguous(memory_format=torch.channels_last))
    return output


def _batches(card: ModelCard, store: CutoutStore, waiting: ObjectTable, batch_size: int) -> Iterator[_Batch]:
    for group, objects in _chunkwise(waiting, store, batch_size):
        reasons = [why_not(card, stored, store) for stored in objects]
        passed = [index for index, reason in enumerate(reasons) if reason is None]
        flux = None
        if passed:
            flux, by_pixels = flux_batch(
                card, store, group, np.array([objects[i].cutout_row for i in passed])
            )
            for index, reason in zip(passed, by_pixels, strict=True):
                reasons[index] = reason
            usable = [reason is None for reason in by_pixels]
            flux = (flux if all(usable) else flux[torch.tensor(usable)]) if any(usable) else None
        yield _Batch(objects, reasons, flux)


def _chunkwise(
    waiting: ObjectTable, store: CutoutStore, batch_size: int
) -> Iterator[tuple[str, list[StoredObject]]]:
    """Objects by group in steps of whole chunks, each as near to the batch size as that allows."""
    groups = waiting.table["cutout_group"]
    rows = waiting.table["cutout_row"].to_numpy()
    for group in pc.unique(groups).to_pylist():
        chunk = store.chunk_length(group)
        step = chunk * max(1, round(batch_size / chunk))
        members = np.flatnonzero(pc.equal(groups, group).to_numpy())
        members = members[np.argsort(rows[members], kind="stable")]
        borders = np.flatnonzero(np.diff(rows[members] // step)) + 1
        for batch in np.split(members, borders):
            yield group, waiting.rows_of(waiting.table["object_id"].take(batch).to_pylist())


def _ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """The same batches, the next ones read in a thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        coming: deque[Future[_Batch | None]] = deque()
        for _ in range(_READ_AHEAD):
            coming.append(reader.submit(next, batches, None))
        while (batch := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, batches, None))
            yield batch


def _verdicts(output: NetworkOutput, x_arcsec: float, y_arcsec: float) -> list[ScoreRow]:
    """Columns of each object; x, y : the centre of the field, from the centre of the cutout."""
    logit = output.logit.double().numpy()
    columns = {
        "logit": logit,
        "p_lens": 1 / (1 + np.exp(-logit)),
        "x_arcsec": _offset(output.x_arcsec, x_arcsec),
        "y_arcsec": _offset(output.y_arcsec, y_arcsec),
        "position_sigma_arcsec": _offset(output.position_sigma_arcsec, 0.0),
    }
    given = {name: values.tolist() for name, values in columns.items() if values is not None}
    rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
    no_number: ScoreRow = {"reason": "the network's answer is not a number"}
    return [row if math.isfinite(row["logit"]) else no_number for row in rows]


def _offset(values: Tensor | None, offset: float) -> NDArray[np.float64] | None:
    return None if values is None else values.double().numpy() + offset


def _row(stored: StoredObject, reason: str | None) -> ScoreRow:
    return {"object_id": stored.object_id, "reason": reason}


def _on_the_sky(stored: StoredObject, verdict: ScoreRow) -> ScoreRow:
    """The verdict with the predicted position on the sky, if the cutout's own is known."""
    if "x_arcsec" not in verdict or stored.cd_deg is None or math.isnan(stored.ra_deg + stored.dec_deg):
        return verdict
    plane = TangentPlane(stored.ra_deg, stored.dec_deg, stored.cd_deg)
    ra_deg, dec_deg = plane.sky_of(verdict["x_arcsec"], verdict["y_arcsec"])  # type: ignore[arg-type]  # floats
    return verdict | {"ra_deg": float(ra_deg), "dec_deg": float(dec_deg)}


def _without(objects: ObjectTable, done: set[str]) -> ObjectTable:
    """The objects that have no row yet."""
    if not done:
        return objects
    is_done = pc.is_in(objects.table["object_id"], value_set=pa.array(sorted(done), pa.string()))
    return ObjectTable(objects.table.filter(pc.invert(is_done)))


def _remove_leftovers(folder: Path) -> None:
    """Half-written parts of a killed run; nobody else writes here, since we hold the lock."""
    for leftover in folder.glob(".part-*.partial"):
        leftover.unlink()
