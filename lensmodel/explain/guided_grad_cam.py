"""Guided Grad-CAM (Selvaraju et al. 2017, ICCV, arXiv:1610.02391, section 3.2), as in Wilde et al. 2022.

Guided backpropagation (Springenberg et al. 2014, arXiv:1412.6806) times Grad-CAM, which is placed where its cells look.
"""

import copy
import warnings

import numpy as np
import torch
from captum.attr import GuidedBackprop
from numpy.typing import NDArray
from torch import Tensor, nn

from lensmodel.explain import grad_cam
from lensmodel.explain.bands import bands_there
from lensmodel.networks import LensNetwork


def explain(network: LensNetwork, normalised: Tensor, *, layer: int | None = None) -> NDArray[np.float32]:
    """Guided gradients, summed over the bands that are there, where Grad-CAM sees something.

    normalised : (band, y, x). layer : of Grad-CAM, the last ReLU if none is named.
    """
    product: NDArray[np.float32] = grad_cam.explain(network, normalised, layer=layer) * guided_gradients(
        network, normalised
    )
    return product


def guided_gradients(network: LensNetwork, normalised: Tensor) -> NDArray[np.float32]:
    """Gradient of the logit (y, x), summed over the bands that are there; ReLUs pass on what is positive alone."""
    # On a copy, so that the network never carries hooks. Tensors made in inference mode have no gradients; clones do.
    with torch.inference_mode(False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
        image = normalised.clone()
        gradients = GuidedBackprop(_Logit(network)).attribute(image[None].requires_grad_())
    there = bands_there(image)
    total: NDArray[np.float32] = (gradients[0] * there[:, None, None]).sum(0).numpy()
    return total


class _Logit(nn.Module):
    """A copy of a network whose verdict is a number, and whose ReLUs, if it has any, do not work in place."""

    def __init__(self, network: LensNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for module in self.network.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False

    def forward(self, images: Tensor) -> Tensor:
        logit: Tensor = self.network(images).logit
        return logit
