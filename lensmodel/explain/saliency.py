"""Saliency (Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034): how much each pixel moves the logit."""

import numpy as np
import torch
from captum.attr import Saliency
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.explain.bands import bands_there
from lensmodel.networks import LensNetwork


def explain(network: LensNetwork, normalised: Tensor) -> NDArray[np.float32]:
    """Absolute gradient of the logit, the largest over the bands that are there.

    normalised : (band, y, x).
    """
    # Tensors made in inference mode have no gradients; a clone outside it does.
    with torch.inference_mode(False):
        image = normalised.clone()
        gradient = Saliency(lambda images: network(images).logit).attribute(image[None].requires_grad_())
    there = bands_there(image)
    largest: NDArray[np.float32] = (gradient[0] * there[:, None, None]).amax(0).numpy()
    return largest
