"""What Grad-CAM, HiResCAM and LayerCAM share: the feature maps after a layer, and the logit's gradient there.

Runs the layers one after the other, so the network carries no hooks. Each cell is drawn where it looks: the map is not
stretched over the image, as it is in the papers.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import flat_layers, map_cells, placed
from lensmodel.networks import LensNetwork, evaluating

# Feature maps and gradients (image, channel, y, x) to importance (image, y, x).
Combination = Callable[[Tensor, Tensor], Tensor]

_AT_ONCE = 16  # images


def class_activation_maps(
    network: LensNetwork, normalised: Tensor, combine: Combination, *, layer: int | None = None
) -> NDArray[np.float32]:
    """The maps (image, y, x) of a batch (image, band, y, x); `combine` is `grad_cam.combine` or its like.

    layer : its number in the opened `network.features`; the last ReLU if none is named.

    Raises
    ------
    ExplanationError
        If there is no such layer, or it is not known where the layers up to it put a pixel.
    """
    layers = flat_layers(network.features)
    number = layer_number(layers, layer)
    shape = (normalised.shape[2], normalised.shape[3])
    cells = map_cells(layers[: number + 1], shape)
    with evaluating(network):
        importance = [
            combine(*_maps_and_gradients(network, some, number)) for some in torch.split(normalised, _AT_ONCE)
        ]
    return placed(torch.cat(importance).numpy(), cells, shape)


def layer_number(layers: list[nn.Module], layer: int | None) -> int:
    """The layer that was asked for, the last ReLU if it is None.

    Raises
    ------
    ExplanationError
        If it is not there.
    """
    number = last_relu(layers) if layer is None else layer
    if not 0 <= number < len(layers):
        raise ExplanationError(f"layer {number} is not there; the network has layers 0 to {len(layers) - 1}")
    return number


def last_relu(layers: list[nn.Module]) -> int:
    """The number of the last ReLU.

    Raises
    ------
    ExplanationError
        If there is none.
    """
    numbers = [number for number, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    if not numbers:
        raise ExplanationError("the network has no ReLU: name the layer that should be looked at")
    return numbers[-1]


def _maps_and_gradients(network: LensNetwork, images: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The feature maps (image, channel, y, x) after a layer, and the logit's gradient with respect to them."""
    layers = flat_layers(network.features)
    # Tensors made in inference mode have no gradients; a clone outside it does.
    with torch.inference_mode(False), torch.enable_grad():
        with torch.no_grad():
            maps = nn.Sequential(*layers[: number + 1])(images.clone())
        maps.requires_grad_()
        # The next layer may work in place: it gets a copy.
        logit = network.judge(nn.Sequential(*layers[number + 1 :])(maps.clone())).logit
        (gradients,) = torch.autograd.grad(logit.sum(), maps)
    return maps.detach(), gradients
