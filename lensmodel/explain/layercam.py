"""LayerCAM (Jiang et al. 2021, IEEE TIP 30, 5875): positive gradients weigh each cell, so early layers can be shown.

Departs from the paper in the placing, and does not fuse the maps of several layers.
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
    """Positive gradient times value of each cell, what is positive of the sum over channels."""
    return (gradients.clamp(min=0) * maps).sum(1).clamp(min=0)
