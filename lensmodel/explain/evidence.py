"""The evidence map of a network that sums one into its verdict, each cell placed where it looks."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import flat_layers, map_cells, placed
from lensmodel.networks import LensNetwork


@torch.inference_mode()
def explain(network: LensNetwork, normalised: Tensor) -> NDArray[np.float32]:
    """Logit per place; normalised : (band, y, x)."""
    evidence = network(normalised[None]).evidence
    if evidence is None:
        raise ExplanationError(
            f"{type(network).__name__} makes no evidence map: choose grad-cam or occlusion"
        )
    shape = (normalised.shape[1], normalised.shape[2])
    return placed(evidence[0].numpy(), map_cells(flat_layers(network.features), shape), shape)
