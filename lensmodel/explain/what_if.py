"""What a network says of an object once pixels are changed, asked stroke by stroke and answered while one draws.

Pixels change in the object's own planes, before anything is resampled or scaled: the network measures sky and noise of
the changed image as it does of any other, and an object that nobody changed gets the very score that it has.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.campaign import Campaign
from data.cutouts import Plane
from data.objects import StoredObject
from data.simulations.instrument import BANDS as SIMULATED_BANDS
from data.surveys import Survey
from lensmodel.batches import read_batch
from lensmodel.errors import ExplanationError
from lensmodel.explain.changes import Change
from lensmodel.explain.evidence import placed_evidence
from lensmodel.explain.filling import Backdrop, changed, hidden_pixels
from lensmodel.explain.objects import on_cutout
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.networks import LensNetwork
from lensmodel.planes_in_memory import PlanesInMemory
from lensmodel.preprocessing import Field, field_of
from lensmodel.verdicts import ScoreRow, judged

SIMULATED_SURVEY = "euclid"
_NETWORKS_KEPT = 2
_OBJECTS_KEPT = 8

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Patch:
    """The smallest rectangle of a band that holds all changed pixels: from (x_px, y_px) on, values (y, x)."""

    band: str
    x_px: int
    y_px: int
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Hidden:
    """What the strokes cover of the reference band: its area and its middle."""

    area_arcsec2: float
    x_arcsec: float
    y_arcsec: float


@dataclass(frozen=True)
class Answer:
    """What a network says of an object before and after a change. evidence : (y, x) on the reference band's pixels."""

    before: ScoreRow
    now: ScoreRow
    patches: list[Patch]
    hidden: Hidden | None
    evidence: NDArray[np.float32] | None


class WhatIf:
    """Answers for one campaign; keeps the networks and objects that were asked for last."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._networks: OrderedDict[ModelCard, LensNetwork] = OrderedDict()
        self._objects: OrderedDict[tuple[str, str], tuple[dict[str, Plane], Backdrop]] = OrderedDict()
        self._before: OrderedDict[tuple[ModelCard, str, str], ScoreRow] = OrderedDict()

    def answer(
        self, card: ModelCard, stored: StoredObject, change: Change, *, with_map: bool = False
    ) -> Answer:
        """What the network says of the object as it is and with the change.

        with_map : with the evidence map of the changed image, if the network has one.

        Raises
        ------
        ModelError
            If the model is for another survey, or its weights cannot be loaded.
        ExplanationError
            If the model cannot see the object, before or after the change, or no lens can be simulated in it.
        """
        check_survey(card, self._campaign.survey.name)
        network = _kept(self._networks, card, _NETWORKS_KEPT, lambda: _ready(card))
        identity = (stored.object_id, stored.planes_hash)
        planes, backdrop = _kept(self._objects, identity, _OBJECTS_KEPT, lambda: self._read(stored))
        before = _kept(
            self._before, (card, *identity), _OBJECTS_KEPT, lambda: _judged(network, card, stored, planes)[0]
        )
        if change.lens:
            _check_simulated(self._campaign.survey, stored)
        altered = changed(planes, change, backdrop)
        now, evidence = _judged(network, card, stored, altered)
        reference = planes[self._campaign.survey.reference_among(stored.bands)]
        return Answer(
            before=before,
            now=now,
            patches=[found for name in planes if (found := _patch(name, planes[name], altered[name]))],
            hidden=_hidden(change, reference),
            evidence=None if evidence is None or not with_map else evidence.on(reference),
        )

    def _read(self, stored: StoredObject) -> tuple[dict[str, Plane], Backdrop]:
        planes = self._campaign.cutouts().read(stored)
        return planes, Backdrop(planes)


@dataclass(frozen=True)
class _Evidence:
    """Evidence (y, x) on the cells of the last map, and which field they look at."""

    network: LensNetwork
    card: ModelCard
    cells: Tensor
    field: Field

    def on(self, plane: Plane) -> NDArray[np.float32]:
        """On the pixels of a plane."""
        return on_cutout(
            placed_evidence(self.network, self.cells, self.field.shape),
            self.field,
            self.card.pixel_scale_arcsec,
            shape=(plane.flux.shape[0], plane.flux.shape[1]),
            pixel_scale_arcsec=plane.pixel_scale_arcsec,
        )


def _judged(
    network: LensNetwork, card: ModelCard, stored: StoredObject, planes: Mapping[str, Plane]
) -> tuple[ScoreRow, _Evidence | None]:
    """The score of an object with these planes, as `lensmodel.scoring` gives it, and its evidence if there is any.

    Raises
    ------
    ExplanationError
        If the model cannot judge them.
    """
    source = PlanesInMemory([planes])
    batch = read_batch(card, source, [replace(stored, cutout_row=0)])
    if batch.flux is None:
        raise ExplanationError(f"cutout {stored.object_id[:80]!r}: {batch.reasons[0]}")
    field = field_of(card, source, batch.group)
    (row,), output, _ = judged(network, card, batch.flux, field)
    if "logit" not in row:
        raise ExplanationError(f"cutout {stored.object_id[:80]!r}: {row['reason']}")
    return row, None if output.evidence is None else _Evidence(network, card, output.evidence[0], field)


def _check_simulated(survey: Survey, stored: StoredObject) -> None:
    if survey.name != SIMULATED_SURVEY or not set(SIMULATED_BANDS) & set(stored.bands):
        raise ExplanationError(
            f"lenses are simulated in {', '.join(SIMULATED_BANDS)} of {SIMULATED_SURVEY}; "
            f"{stored.object_id[:80]!r} has {', '.join(stored.bands)} of {survey.name}: hide pixels only"
        )


def _ready(card: ModelCard) -> LensNetwork:
    network = load_network(card)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return network


def _patch(band: str, before: Plane, now: Plane) -> Patch | None:
    if now is before:
        return None
    differs = before.flux != now.flux
    differs &= np.isfinite(before.flux)
    if not differs.any():
        return None
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Patch(band, int(columns[0]), int(rows[0]), now.flux[inside])


def _hidden(change: Change, plane: Plane) -> Hidden | None:
    height, width = plane.flux.shape
    scale = plane.pixel_scale_arcsec
    rows, columns = np.nonzero(hidden_pixels(change.strokes, (height, width), scale))
    if not len(rows):
        return None
    return Hidden(
        area_arcsec2=len(rows) * scale**2,
        x_arcsec=float(columns.mean() - (width - 1) / 2) * scale,
        y_arcsec=float(rows.mean() - (height - 1) / 2) * scale,
    )


def _kept(cache: OrderedDict[Key, Value], key: Key, number: int, make: Callable[[], Value]) -> Value:
    """The value of a key, made if it is not there; only those asked for last are kept."""
    if key not in cache:
        cache[key] = make()
    cache.move_to_end(key)
    while len(cache) > number:
        cache.popitem(last=False)
    return cache[key]
