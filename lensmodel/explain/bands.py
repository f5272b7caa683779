"""Which bands of an image say something, and what a whole band is worth to the verdict."""

import numpy as np
import torch
from astropy.stats import sigma_clip
from torch import Tensor

from lensmodel.errors import ExplanationError
from lensmodel.models import ModelCard
from lensmodel.networks import LensNetwork, evaluating

_SIGMAS = 3.0  # from the median: what is further is light, not noise


def bands_there(normalised: Tensor) -> Tensor:
    """Whether each band of an image (band, y, x) varies: (band,).

    A band that is one constant is missing or empty, and that constant may tell the network so.
    """
    return normalised.amin((1, 2)) != normalised.amax((1, 2))


def faint_pixels(band: Tensor) -> Tensor:
    """The pixels (pixel,) of a band (y, x) that are noise: those left when outliers have been clipped."""
    kept = sigma_clip(band.numpy(), sigma=_SIGMAS, stdfunc="mad_std", masked=False)
    return torch.from_numpy(kept[np.isfinite(kept)])


def logit_changes_without(network: LensNetwork, card: ModelCard, flux: Tensor) -> dict[str, float]:
    """Change of the logit when one band is declared absent: below zero where the band spoke for a lens.

    flux : (band, y, x), NaN where nothing was observed. Bands that are absent already are left out, as is one that is
    alone: nothing would be left to judge.

    Raises
    ------
    ExplanationError
        If the network was not trained to judge without some bands.
    """
    if not card.bands_may_be_missing:
        raise ExplanationError(
            f"{card.title} needs every band: choose occlusion in a band, or a network that judges without some"
        )
    there = [index for index in range(len(flux)) if flux[index].isfinite().any()]
    if len(there) < 2:
        return {}
    without = flux.repeat(len(there) + 1, 1, 1, 1)
    for one, index in zip(without[1:], there, strict=True):
        one[index] = torch.nan
    with evaluating(network), torch.inference_mode():
        before, *after = network(network.normalise(without)).logit.tolist()
    return {card.bands[index]: logit - before for index, logit in zip(there, after, strict=True)}
