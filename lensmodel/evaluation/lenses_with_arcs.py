"""Simulated lenses to prove explanations on: those whose arcs can be seen, with their true arcs and places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.objects import StoredObject
from data.truth import Mask, TruthMasks
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.truth import truth_of


@dataclass(frozen=True)
class Lens:
    """A simulated lens: its place from the cutout's centre, and its arcs (y, x) on the reference band's pixels.

    theta_e_arcsec : NaN if it is not known.
    """

    stored: StoredObject
    x_arcsec: float
    y_arcsec: float
    theta_e_arcsec: float
    arcs: Mask
    pixel_scale_arcsec: float


@dataclass(frozen=True)
class Shown:
    """The maps of one lens to look at, on the pixels of its cutout, higher where they speak for a lens.

    maps : by method and layer, which is "" for a method that has none.
    """

    lens: Lens
    maps: dict[tuple[str, str], NDArray[np.float32]]


def lenses_of(campaign: Campaign, *, number: int, seed: int) -> list[Lens]:
    """Simulated lenses of detectable arcs, drawn at random.

    Raises
    ------
    EvaluationError
        If the campaign has no truth, no lens of detectable arcs, or no masks of them.
    """
    truth = truth_of(campaign, with_quantities=False)
    ids = truth.object_ids[truth.is_lens & truth.is_detectable & np.isfinite(truth.x_arcsec + truth.y_arcsec)]
    if not len(ids):
        raise EvaluationError(
            f"{campaign.path} has no lenses of detectable arcs whose place is known: explanations are measured on "
            "those; simulate more (lensvet simulate)"
        )
    store, masks = campaign.cutouts(), TruthMasks(campaign.truth_path)
    found: list[Lens] = []
    for stored in campaign.objects().rows_of(np.random.default_rng(seed).permutation(ids).tolist()):
        arcs = masks.read(stored)
        if arcs is not None and arcs.any():
            found.append(_lens(campaign, store, stored, arcs))
        if len(found) == number:
            break
    if not found:
        raise EvaluationError(
            f"{campaign.path} has no masks of lensed light: explanations are measured against those; evaluate a "
            "campaign of lensvet simulate"
        )
    return found


def _lens(campaign: Campaign, store: CutoutStore, stored: StoredObject, arcs: Mask) -> Lens:
    def number(name: str) -> float:
        value = stored.columns.get(name)
        return float(value) if isinstance(value, int | float) else float("nan")

    band = campaign.survey.reference_among(stored.bands)
    return Lens(
        stored,
        number("lens_x_arcsec"),
        number("lens_y_arcsec"),
        number("theta_E_arcsec"),
        arcs,
        store.pixel_scale_arcsec(stored.cutout_group, band),
    )
