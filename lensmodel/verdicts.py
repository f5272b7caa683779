"""What a network says of objects, as rows: scores with positions on the sky, or the reason why there are none."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from data.objects import StoredObject
from lensmodel.batches import images_at_once, in_even_parts, read_batch
from lensmodel.devices import device_of, feature_map_of
from lensmodel.explain.agreement import where_why
from lensmodel.models import ModelCard
from lensmodel.networks import LensNetwork, NetworkOutput
from lensmodel.preprocessing import Field, PlaneSource, bands_missing, field_of

ScoreRow = dict[str, object]


class Judged(NamedTuple):
    """What a network says of some images.

    rows : the columns of each. output : all that it said. features : (image, number), see `LensNetwork.embedding`.
    """

    rows: list[ScoreRow]
    output: NetworkOutput
    features: Tensor


@dataclass(frozen=True)
class Scored:
    """A row for each of some objects.

    seen : places in `rows` of those that have a score. features : (seen, number), None if none has.
    """

    rows: list[ScoreRow]
    seen: list[int] = field(default_factory=list)
    features: Tensor | None = None


@torch.inference_mode()
def score_rows(
    network: LensNetwork,
    card: ModelCard,
    store: PlaneSource,
    batch_size: int | None,
    objects: list[StoredObject],
) -> Scored:
    """A row for each of these objects of one group: scores, or the reason why there are none."""
    batch = read_batch(card, store, objects)
    rows: list[ScoreRow] = [
        {"object_id": stored.object_id, "reason": reason}
        for stored, reason in zip(batch.objects, batch.reasons, strict=True)
    ]
    if batch.flux is None:
        return Scored(rows)
    field = field_of(card, store, batch.group)
    verdicts: list[ScoreRow] = []
    features: list[Tensor] = []
    at_once = images_at_once(network, len(card.bands), field.shape)
    for flux in torch.split(batch.flux, batch_size) if batch_size else in_even_parts(batch.flux, at_once):
        some = judged(network, card, flux, field)
        verdicts += some.rows
        features.append(some.features)
    missing = bands_missing(card, batch.flux)
    for index, verdict, lacking in zip(batch.seen, verdicts, missing, strict=True):
        rows[index] |= verdict | _on_the_sky(batch.objects[index], verdict)
        rows[index]["bands_missing"] = lacking if "logit" in verdict else None
    judged_at = [place for place, verdict in enumerate(verdicts) if "logit" in verdict]
    if not judged_at:
        return Scored(rows)
    return Scored(rows, [batch.seen[place] for place in judged_at], torch.cat(features)[judged_at])


@torch.inference_mode()
def judged(network: LensNetwork, card: ModelCard, flux: Tensor, field: Field) -> Judged:
    """What the network alone says of each image.

    flux : (object, band, y, x) of a field, as `lensmodel.preprocessing.flux_batch` gives it.
    """
    flux = flux.to(device_of(network))
    normalised = network.normalise(flux).contiguous(memory_format=torch.channels_last)
    feature_map = feature_map_of(network, normalised)
    output = network.judge_image(feature_map, field.shape)
    agreement = where_why(network, card, output, flux, field.shape)
    return Judged(_verdicts(output, agreement, field), output, network.embedding(feature_map, output).cpu())


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
