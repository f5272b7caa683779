"""Where against why: how well a predicted position, the evidence map and the light of the object agree.

`where_why` is the probability that a response of the network is to a lens at the predicted position, were half of all
its responses such. It is low if the evidence lies elsewhere than the position, or the position beside the light of a
galaxy: right or wrong, not for the reason one thinks. Two signs tell, and the score is none of them:

- map : cube of the log odds that the evidence lies within 1 arcsec of the position, a thousandth of it;
- light : log distance from the position to the centroid of the light within 0.6 arcsec of it.

A logistic regression on simulated responses, of which the place of the lens is known, weighs them: `fit_agreement` in
`lensmodel.calibration`. Its numbers stand on the model card; a model without them states no `where_why`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lensmodel.explain.receptive_field import flat_layers, map_cells
from lensmodel.models import ModelCard
from lensmodel.networks import LensNetwork, NetworkOutput

NEAR_ARCSEC = 1.0  # about an Einstein radius
_LIGHT_ARCSEC = 0.6  # about the position: a deflector's core, and not yet most arcs
_SAMPLING = 5  # every fifth pixel is enough for the sky
_LEAST_SHARE, _LEAST_ARCSEC = 1e-8, 0.03  # below which it does not matter how small


class Signs(NamedTuple):
    """What tells whether a position is right, (object,) each: of the evidence map, and of the light."""

    map: Tensor
    light: Tensor


def where_why(
    network: LensNetwork, card: ModelCard, output: NetworkOutput, flux: Tensor, shape: tuple[int, int]
) -> Tensor | None:
    """Agreement of what the network said of images with where it said it: (object,), in [0, 1].

    None if the card has no numbers for it, or the network has no position or no evidence.
    flux : (object, band, y, x) as `flux_batch` gives it. shape : of the images that the network saw.
    """
    if card.agreement is None:
        return None
    signs = signs_of(network, output, flux, shape, card.pixel_scale_arcsec)
    return None if signs is None else agreement(signs, card.agreement)


def agreement(signs: Signs, weights: tuple[float, float, float]) -> Tensor:
    """The probability that these signs and weights (map, light, constant) make."""
    of_map, of_light, constant = weights
    return (of_map * signs.map + of_light * signs.light + constant).sigmoid()


def signs_of(
    network: LensNetwork, output: NetworkOutput, flux: Tensor, shape: tuple[int, int], scale: float
) -> Signs | None:
    """The signs of each image, of that pixel scale in arcsec; None if the network has no position or no evidence."""
    x, y = output.x_arcsec, output.y_arcsec
    if output.evidence is None or x is None or y is None:
        return None
    return Signs(
        # The cube, since what is right rises faster than the log odds: with it the fit is a probability.
        map=(_evidence_near(network, output.evidence, x, y, shape, scale) / 10) ** 3,
        light=_distance_to_light(_first_band_there(flux), x, y, scale).add(_LEAST_ARCSEC).log(),
    )


def _evidence_near(
    network: LensNetwork, evidence: Tensor, x: Tensor, y: Tensor, shape: tuple[int, int], scale: float
) -> Tensor:
    """Log odds that the lens is within NEAR_ARCSEC of the position, by the odds of the map."""
    cells = map_cells(flat_layers(network.features), shape)
    cell_y, cell_x = (
        (axis.first_px + axis.stride_px * torch.arange(axis.number, device=x.device) - (length - 1) / 2)
        * scale
        for axis, length in zip(cells, shape, strict=True)
    )
    distance = torch.hypot(cell_y[:, None] - y[:, None, None], cell_x - x[:, None, None])
    share, is_near = evidence.flatten(1).softmax(dim=1), (distance <= NEAR_ARCSEC).flatten(1)
    near, far = (share * is_near).sum(1), (share * ~is_near).sum(1)  # each small one as precise as it can be
    return (near + _LEAST_SHARE).log() - (far + _LEAST_SHARE).log()


def _first_band_there(flux: Tensor) -> Tensor:
    """Of each image (object, band, y, x) the first band with any pixels: (object, y, x)."""
    if not flux[:, 0, 0, 0].isnan().any():  # a band that was not observed begins with one
        return flux[:, 0]
    is_there = flux.isfinite().flatten(2).any(2)
    first = is_there.to(torch.uint8).argmax(1)
    return flux[torch.arange(len(flux), device=flux.device), first]


def _distance_to_light(flux: Tensor, x: Tensor, y: Tensor, scale: float) -> Tensor:
    """From a position to the centroid of the flux (object, y, x) above the sky about it, arcsec.

    The radius within which light counts where there is none.
    """
    height, width = flux.shape[1:]
    sky = flux.flatten(1)[:, ::_SAMPLING].nanmedian(1).values
    reach = int(_LIGHT_ARCSEC / scale) + 1
    steps = torch.arange(-reach, reach + 1, device=flux.device)
    rows = (y / scale + (height - 1) / 2).round().long()[:, None] + steps
    columns = (x / scale + (width - 1) / 2).round().long()[:, None] + steps
    is_inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    objects = torch.arange(len(flux), device=flux.device)[:, None, None]
    taken = flux[objects, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]]
    from_y = ((rows - (height - 1) / 2) * scale - y[:, None])[:, :, None]
    from_x = ((columns - (width - 1) / 2) * scale - x[:, None])[:, None]
    counts = is_inside & (torch.hypot(from_y, from_x) <= _LIGHT_ARCSEC)
    light = torch.where(counts, taken - sky[:, None, None], 0.0).nan_to_num(0.0).clamp(min=0)
    total = light.sum((1, 2))
    mean_y, mean_x = ((light * offset).sum((1, 2)) / total for offset in (from_y, from_x))
    return torch.where(total > 0, torch.hypot(mean_y, mean_x), _LIGHT_ARCSEC)
