"""Grad-CAM (Selvaraju et al. 2017, ICCV, arXiv:1610.02391), with each cell placed where it looks.

Departs from the paper in the score, here the logit of lens against non-lens, and in the placing: the map is
not stretched over the image. Runs the layers one after the other, so the network carries no hooks.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import flat_layers, map_cells, placed
from lensmodel.networks import LensNetwork


def explain(network: LensNetwork, normalised: Tensor, *, layer: int | None = None) -> NDArray[np.float32]:
    """Where the feature maps after a layer speak for a lens.

    normalised : (band, y, x). layer : its number in `network.features`; the last ReLU if none is named.
    """
    layers = flat_layers(network.features)
    number = last_relu(layers) if layer is None else layer
    if not 0 <= number < len(layers):
        raise ExplanationError(f"layer {number} is not there; the network has layers 0 to {len(layers) - 1}")
    maps, gradient = _maps_and_gradient(network, normalised, number)
    weights = gradient.mean(dim=(1, 2), keepdim=True)
    importance = (weights * maps).sum(dim=0).clamp(min=0)
    shape = (normalised.shape[1], normalised.shape[2])
    return placed(importance.numpy(), map_cells(layers[: number + 1], shape), shape)


def last_relu(layers: list[nn.Module]) -> int:
    """The number of the last ReLU.

    Raises
    ------
    ExplanationError
        If there is none.
    """
    numbers = [number for number, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    if not numbers:
        raise ExplanationError("the network has no ReLU: name the layer that Grad-CAM should look at")
    return numbers[-1]


def _maps_and_gradient(network: LensNetwork, normalised: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The feature maps (channel, y, x) after a layer, and the gradient of the logit with respect to them."""
    layers = flat_layers(network.features)
    # Tensors made in inference mode have no gradients; a clone outside it does.
    with torch.inference_mode(False), torch.enable_grad():
        with torch.no_grad():
            maps = nn.Sequential(*layers[: number + 1])(normalised.clone()[None])
        maps.requires_grad_()
        # The next layer may work in place: it gets a copy.
        logit = network.judge(nn.Sequential(*layers[number + 1 :])(maps.clone())).logit
        (gradient,) = torch.autograd.grad(logit.sum(), maps)
    return maps.detach()[0], gradient[0]
