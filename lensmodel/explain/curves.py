"""Insertion and deletion (Petsiuk, Das & Saenko 2018, BMVC, arXiv:1806.07421): p while pixels come and go.

Departs from the paper in what stands for nothing: the sky, which is the median of each band. Networks that scale an
image from its minimum to its maximum have no sky at 0.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.networks import LensNetwork

STEPS = 20
_AT_ONCE = 16


@torch.inference_mode()
def insertion(network: LensNetwork, image: Tensor, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """p with none, 1/20, ... and all of the pixels of an image (band, y, x) there: (step,).

    ranks : (y, x), 0 for the pixel that comes first. A band that is missing is one constant, and stays so.
    """
    upto = torch.linspace(0, ranks.size, STEPS + 1).round()
    is_there = torch.from_numpy(ranks) < upto[:, None, None]
    blank = image.flatten(1).median(dim=1).values[:, None, None]
    logits = [
        network(torch.where(some[:, None], image, blank)).logit for some in torch.split(is_there, _AT_ONCE)
    ]
    p: NDArray[np.float64] = torch.cat(logits).double().sigmoid().numpy()
    return p


def deletion(network: LensNetwork, image: Tensor, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """p with none, 1/20, ... and all of the pixels taken out, as `insertion`."""
    # What is left when the first are gone are the last ones: inserted from the other end, and read backwards.
    return insertion(network, image, ranks.size - 1 - ranks)[::-1]
