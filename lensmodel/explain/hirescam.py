"""HiResCAM (Draelos & Carin 2020, arXiv:2011.08891): Grad-CAM without the mean over the gradient.

Where one linear layer makes the verdict of the maps, the values of its cells add up to the logit but for the bias.
Departs from the paper in the placing: each cell is drawn where it looks.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.explain.cams import class_activation_maps
from lensmodel.networks import LensNetwork


def explain(network: LensNetwork, normalised: Tensor, *, layer: int | None = None) -> NDArray[np.float32]:
    """Where the feature maps after a layer speak for a lens, or, negative, against one.

    normalised : (band, y, x). layer : its number in `network.features`; the last ReLU if none is named.
    """
    map_: NDArray[np.float32] = class_activation_maps(network, normalised[None], combine, layer=layer)[0]
    return map_


def combine(maps: Tensor, gradients: Tensor) -> Tensor:
    """Gradient times value of each cell, summed over channels."""
    return (gradients * maps).sum(1)
