"""What a network imagines: its class image, and the deep dream of one candidate; kept beside the maps of the model."""

import numpy as np
import torch

from data.campaign import Campaign
from data.dreams import Image, Imagined, write_imagined
from lensmodel.errors import ExplanationError
from lensmodel.explain.dreams import class_image, deep_dream
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import flux_batch, why_not

_SIDE_PX = 100  # of the class image of a network that takes images of any size


def imagine(campaign: Campaign, card: ModelCard, object_id: str) -> Imagined:
    """Compute what the network imagines, and keep it.

    object_id : the candidate to dream about; empty for none.

    Raises
    ------
    ExplanationError
        If there is no such object, or the model cannot see it.
    """
    check_survey(card, campaign.survey.name)
    network = load_network(card)
    before = _seen(campaign, card, network, object_id) if object_id else None
    side = card.field_px or _SIDE_PX
    lens = class_image(network, (len(card.bands), side, side))
    after = None if before is None else deep_dream(network, before)
    nothing = np.zeros((len(card.bands), 0, 0), np.float32)
    imagined = Imagined(
        card.bands,
        lens,
        _logit(network, lens),
        object_id,
        nothing if before is None else before.numpy(),
        np.nan if before is None else _logit(network, before.numpy()),
        nothing if after is None else after,
        np.nan if after is None else _logit(network, after),
    )
    write_imagined(campaign, card.version, imagined)
    return imagined


def _seen(campaign: Campaign, card: ModelCard, network: LensNetwork, object_id: str) -> torch.Tensor:
    stored = campaign.objects().get(object_id)
    if stored is None:
        raise ExplanationError(f"{campaign.path} has no object {object_id[:80]!r}")
    store = campaign.cutouts()
    reason = why_not(card, stored, store)
    if reason is None:
        flux, (reason,) = flux_batch(card, store, stored.cutout_group, np.array([stored.cutout_row]))
    if reason is not None:
        raise ExplanationError(f"cutout {object_id!r}: {reason}")
    with torch.no_grad():
        return network.normalise(flux)[0]


def _logit(network: LensNetwork, image: Image) -> float:
    with torch.no_grad():
        return float(network(torch.as_tensor(image)[None]).logit[0])
