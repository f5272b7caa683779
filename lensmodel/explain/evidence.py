"""The evidence map of a network that sums one into its verdict, each cell placed where it looks.

The network adds up odds, and nearly all of the sky has odds of one to millions: as probabilities, what matters shows.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import flat_layers, map_cells, placed
from lensmodel.networks import LensNetwork


@torch.inference_mode()
def explain(network: LensNetwork, normalised: Tensor) -> NDArray[np.float32]:
    """Probability of a lens centred at each place, were it the only one; normalised : (band, y, x)."""
    evidence = network(normalised[None]).evidence
    if evidence is None:
        raise ExplanationError(
            f"{type(network).__name__} makes no evidence map: choose grad-cam or occlusion"
        )
    return placed_evidence(network, evidence[0], (normalised.shape[1], normalised.shape[2]))


def placed_evidence(network: LensNetwork, evidence: Tensor, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The evidence (y, x) that a network gave an image of `shape`, as probabilities on the image's pixels."""
    log_odds = placed(evidence.numpy(), map_cells(flat_layers(network.features), shape), shape)
    probability: NDArray[np.float32] = expit(log_odds)
    return probability
