"""Packed cutouts become scores: judged in batches, written part by part, resumed.

A killed run loses its last second at most; the next one scores the same batches again, to the same numbers.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from data.campaign import Campaign
from data.files import held_alone
from data.objects import ObjectTable, StoredObject
from data.scores import SCORE_SCHEMA, scored_ids, write_part
from lensmodel import Progress
from lensmodel.batches import images_at_once, read_batch, side_by_side, steps
from lensmodel.errors import ModelError
from lensmodel.explain.agreement import where_why
from lensmodel.models import ModelCard, check_survey, load_network, write_card
from lensmodel.networks import LensNetwork, NetworkOutput
from lensmodel.preprocessing import Field, PlaneSource, bands_missing, field_of

SECONDS_PER_PART = 1.0

ScoreRow = dict[str, object]


@dataclass(frozen=True)
class ScoringReport:
    """What a run did: objects scored, refused with a reason, and left alone since they had a row.

    reasons : of the refused ones, and how often each was given. bands_missing : how often which bands were not there.
    """

    scored: int
    refused: int
    already_there: int
    seconds: float
    reasons: Counter[str] = field(default_factory=Counter)
    bands_missing: Counter[str] = field(default_factory=Counter)


def score(
    campaign: Campaign,
    card: ModelCard,
    *,
    batch_size: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ScoringReport:
    """Score every object that has no row of this model version yet.

    batch_size : images that go through the network at once; None for what is fastest.
    stop : asked after each step of some 64 objects; True ends the run with everything so far written.

    Raises
    ------
    CampaignError
        If nothing was ingested, or another process is scoring with this model version.
    ModelError
        If the weights cannot be loaded, or the batch size is not from 1 up.
    """
    if batch_size is not None and batch_size < 1:
        raise ModelError(f"batch size is {batch_size}; expected a whole number from 1")
    check_survey(card, campaign.survey.name)
    started = time.monotonic()
    store = campaign.cutouts()
    network = load_network(card)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    folder = campaign.scores_path(card.version)
    with held_alone(folder / ".lock", doing="scoring"):
        _remove_leftovers(folder)
        write_card(card, folder / "model.json")  # whose scores these are, for whoever reads them elsewhere
        objects = campaign.objects()
        waiting = _without(objects, scored_ids(campaign.score_parts(card.version)))
        parts = _Parts(folder)
        try:
            work = partial(score_rows, network, card, store, batch_size)
            for rows in side_by_side(work, steps(store, waiting)):
                parts.add(rows)
                if on_progress is not None:
                    on_progress(Progress(parts.scored + parts.refused, len(waiting)))
                if stop is not None and stop():
                    break
        finally:
            parts.flush()
    already_there = len(objects) - len(waiting)
    seconds = time.monotonic() - started
    return ScoringReport(
        parts.scored, parts.refused, already_there, seconds, parts.reasons, parts.bands_missing
    )


@torch.inference_mode()
def score_rows(
    network: LensNetwork,
    card: ModelCard,
    store: PlaneSource,
    batch_size: int | None,
    objects: list[StoredObject],
) -> list[ScoreRow]:
    """A row for each of these objects of one group: scores, or the reason why there are none."""
    batch = read_batch(card, store, objects)
    rows: list[ScoreRow] = [
        {"object_id": stored.object_id, "reason": reason}
        for stored, reason in zip(batch.objects, batch.reasons, strict=True)
    ]
    if batch.flux is None:
        return rows
    field = field_of(card, store, batch.group)
    verdicts: list[ScoreRow] = []
    at_once = batch_size or images_at_once(network, len(card.bands), field.shape)
    for flux in torch.split(batch.flux, at_once):
        verdicts += judged(network, card, flux, field)[0]
    missing = bands_missing(card, batch.flux)
    for index, verdict, lacking in zip(batch.seen, verdicts, missing, strict=True):
        rows[index] |= verdict | _on_the_sky(batch.objects[index], verdict)
        rows[index]["bands_missing"] = lacking if "logit" in verdict else None
    return rows


@torch.inference_mode()
def judged(
    network: LensNetwork, card: ModelCard, flux: Tensor, field: Field
) -> tuple[list[ScoreRow], NetworkOutput]:
    """The columns of each image that the network alone says, and all that it said of them.

    flux : (object, band, y, x) of a field, as `lensmodel.preprocessing.flux_batch` gives it.
    """
    normalised = network.normalise(flux).contiguous(memory_format=torch.channels_last)
    output: NetworkOutput = network(normalised)
    agreement = where_why(network, card, output, flux, field.shape)
    return _verdicts(output, agreement, field), output


class _Parts:
    """Rows on their way to disk: written about every second, the first ones at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[ScoreRow] = []
        self._due = 0.0
        self.scored = 0
        self.refused = 0
        self.reasons: Counter[str] = Counter()
        self.bands_missing: Counter[str] = Counter()

    def add(self, rows: list[ScoreRow]) -> None:
        self._rows += rows
        scored = sum("logit" in row for row in rows)
        self.scored += scored
        self.refused += len(rows) - scored
        self.reasons.update(str(row["reason"]) for row in rows if "logit" not in row)
        self.bands_missing.update(str(row["bands_missing"]) for row in rows if row.get("bands_missing"))
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            write_part(self._folder, pa.Table.from_pylist(self._rows, schema=SCORE_SCHEMA))
        self._rows = []
        self._due = time.monotonic() + SECONDS_PER_PART


def _verdicts(output: NetworkOutput, agreement: Tensor | None, field: Field) -> list[ScoreRow]:
    """The columns of each object; positions from the centre of the cutout, not of the field."""
    logit = output.logit.double()
    columns = {
        "logit": logit,
        "p_lens": logit.sigmoid(),
        "x_arcsec": None if output.x_arcsec is None else output.x_arcsec.double() + field.x_arcsec,
        "y_arcsec": None if output.y_arcsec is None else output.y_arcsec.double() + field.y_arcsec,
        "position_sigma_arcsec": output.position_sigma_arcsec,
        "where_why": agreement,
    }
    given = {name: values.tolist() for name, values in columns.items() if values is not None}
    rows = [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
    no_number: ScoreRow = {"reason": "the network's answer is not a number"}
    return [row if all(map(math.isfinite, row.values())) else no_number for row in rows]


def _on_the_sky(stored: StoredObject, verdict: ScoreRow) -> ScoreRow:
    """Where a predicted position is on the sky, if the cutout's place there is known."""
    sky = stored.sky
    if sky is None or "x_arcsec" not in verdict:
        return {}
    ra_deg, dec_deg = sky.sky_of(verdict["x_arcsec"], verdict["y_arcsec"])  # type: ignore[arg-type]  # floats
    return {"ra_deg": float(ra_deg), "dec_deg": float(dec_deg)}


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
