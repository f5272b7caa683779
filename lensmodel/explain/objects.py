"""Explanations of a campaign's objects, on the pixels of their reference band, kept in `data.maps`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.maps import MapStore
from data.objects import StoredObject
from lensmodel import Progress
from lensmodel.errors import ExplanationError
from lensmodel.explain import (
    COARSE,
    METHODS,
    Method,
    explain,
    find_method,
    methods_for,
    store_name,
    with_options,
)
from lensmodel.explain.windows import are_local
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import Field, field_of, flux_batch, why_not
from lensmodel.resampling import linear_weights


@dataclass(frozen=True)
class ExplanationMap:
    """A map (y, x) on the pixels of the object's reference band, NaN where the method says nothing."""

    values: NDArray[np.float32]
    pixel_scale_arcsec: float
    signed: bool
    unit: str


@dataclass
class ExplanationReport:
    """What a run did.

    path : of the maps. takes_full_passes : whether occlusion could not recompute windows alone.
    refused : object id -> why the model or the method cannot explain it.
    """

    path: Path
    takes_full_passes: bool = False
    computed: int = 0
    already_there: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def explain_one(
    campaign: Campaign,
    card: ModelCard,
    method: str,
    object_id: str,
    *,
    coarse: bool = False,
    **options: object,
) -> ExplanationMap:
    """The map of one object, computed if the campaign does not have it yet.

    options : as in `explain_objects`. coarse : if there is no map yet, a quick one will do, where the method has it.

    Raises
    ------
    ExplanationError
        If there is no such object, or the model cannot see it or has no such method or option.
    """
    stored = campaign.objects().get(object_id)
    if stored is None:
        raise ExplanationError(f"{campaign.path} has no object {object_id[:80]!r}")
    check_survey(card, campaign.survey.name)
    found, other = _chosen(card, method, options)
    store, maps = campaign.cutouts(), _map_store(campaign, card, found, other)
    values = maps.read(stored)
    if values is None and coarse and found.has_coarse:
        other = {**other, **COARSE}
        maps = _map_store(campaign, card, found, other)
        values = maps.read(stored)
    if values is None:
        values = _computed(campaign, store, card, method, stored, other)
        maps.write(stored, values)
    scale = store.pixel_scale_arcsec(stored.cutout_group, campaign.survey.reference_among(stored.bands))
    return ExplanationMap(values, scale, found.signed, found.unit)


def explain_objects(
    campaign: Campaign,
    card: ModelCard,
    method: str,
    object_ids: Iterable[str],
    on_progress: Callable[[Progress], None] | None = None,
    **options: object,
) -> ExplanationReport:
    """Compute the maps of these objects that the campaign does not have yet.

    options : of the method, those in `Method.options`. Maps with options that change them lie in a store of their own.

    Raises
    ------
    ExplanationError
        If there is no such method, or it has no such option.
    """
    check_survey(card, campaign.survey.name)
    objects = campaign.objects().rows_of(object_ids)
    found, other = _chosen(card, method, options)
    store, maps = campaign.cutouts(), _map_store(campaign, card, found, other)
    report = ExplanationReport(maps.path, takes_full_passes=_takes_full_passes(card, found))
    for number, stored in enumerate(objects, 1):
        if maps.read(stored) is not None:
            report.already_there += 1
        else:
            try:
                maps.write(stored, _computed(campaign, store, card, method, stored, other))
                report.computed += 1
            except ExplanationError as error:
                report.refused[stored.object_id] = str(error)
        if on_progress is not None:
            on_progress(Progress(number, len(objects)))
    return report


def on_cutout(
    values: NDArray[np.float32],
    seen: Field,
    scale_arcsec: float,
    *,
    shape: tuple[int, int],
    pixel_scale_arcsec: float,
) -> NDArray[np.float32]:
    """A map on the pixels that a model saw, of `scale_arcsec`, put on the pixels of a cutout of `shape`.

    Linear between pixels; NaN outside what the model saw, and where the map is mostly NaN.
    """
    weights = []
    for length, number, offset in zip(shape, values.shape, (seen.y_arcsec, seen.x_arcsec), strict=True):
        position_arcsec = (np.arange(length) - (length - 1) / 2) * pixel_scale_arcsec
        at = (position_arcsec - offset) / scale_arcsec + (number - 1) / 2
        rows = linear_weights(at, number)
        rows[(at < -0.5) | (at > number - 0.5)] = 0.0
        weights.append(rows)
    is_said = np.isfinite(values)
    share = weights[0] @ is_said @ weights[1].T
    total = weights[0] @ np.where(is_said, values, 0.0) @ weights[1].T
    out = np.full(shape, np.nan, np.float32)
    return np.divide(total, share, out=out, where=share >= 0.5, casting="same_kind")


def _chosen(card: ModelCard, method: str, options: Mapping[str, object]) -> tuple[Method, dict[str, object]]:
    """The method, and the options that change it; see `with_options`."""
    found = find_method(method, card)
    if found is None:
        raise ExplanationError(f"method is {method!r}; expected one of {', '.join(methods_for(card))}")
    return with_options(found, options)


def _map_store(
    campaign: Campaign, card: ModelCard, method: Method, options: Mapping[str, object]
) -> MapStore:
    path = campaign.maps_path(card.version, store_name(method.name, options))
    return MapStore(path, signed=method.signed, unit=method.unit)


def _takes_full_passes(card: ModelCard, method: Method) -> bool:
    return method.module == METHODS["occlusion"].module and not are_local(_network(card).features)


def _computed(
    campaign: Campaign,
    store: CutoutStore,
    card: ModelCard,
    method: str,
    stored: StoredObject,
    options: Mapping[str, Any],
) -> NDArray[np.float32]:
    reason = why_not(card, stored, store)
    if reason is None:
        group = stored.cutout_group
        flux, (reason,) = flux_batch(card, store, group, np.array([stored.cutout_row]))
    if reason is not None:
        raise ExplanationError(f"cutout {stored.object_id!r}: {reason}")
    network = _network(card)
    with torch.no_grad():
        normalised = network.normalise(flux)[0]
    band = campaign.survey.reference_among(stored.bands)
    return on_cutout(
        explain(network, card, normalised, method, **options),
        field_of(card, store, group),
        card.pixel_scale_arcsec,
        shape=store.shape(group, band),
        pixel_scale_arcsec=store.pixel_scale_arcsec(group, band),
    )


@lru_cache(maxsize=2)
def _network(card: ModelCard) -> LensNetwork:
    return load_network(card)
