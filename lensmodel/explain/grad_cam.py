"""Grad-CAM (Selvaraju et al. 2017, ICCV, arXiv:1610.02391), with each cell placed where it looks.

Departs from the paper in the score, here the logit of lens against non-lens, and in the placing.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.explain.cams import class_activation_maps
from lensmodel.networks import LensNetwork


def explain(network: LensNetwork, normalised: Tensor, *, layer: int | None = None) -> NDArray[np.float32]:
    """Where the feature maps after a layer speak for a lens.

    normalised : (band, y, x). layer : its number in `network.features`; the last ReLU if none is named.
    """
    map_: NDArray[np.float32] = class_activation_maps(network, normalised[None], combine, layer=layer)[0]
    return map_


def combine(maps: Tensor, gradients: Tensor) -> Tensor:
    """Channels weighted by their mean gradient, what is positive of their sum (eqs. 1 and 2)."""
    return (gradients.mean((2, 3), keepdim=True) * maps).sum(1).clamp(min=0)
