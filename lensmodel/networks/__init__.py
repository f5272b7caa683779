"""Networks: flux in, verdict and position out. One family per module; `lensmodel.models` names them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn


class NetworkOutput(NamedTuple):
    """What a network says of a batch.

    logit : (batch,), of lens against non-lens; its sigmoid is calibrated only if the card says so.
    x_arcsec, y_arcsec, position_sigma_arcsec : (batch,), from the centre of the field, x right, y up.
    evidence : (batch, y, x), logit per place, on the cells of the last map of `features`.
    """

    logit: Tensor
    x_arcsec: Tensor | None = None
    y_arcsec: Tensor | None = None
    position_sigma_arcsec: Tensor | None = None
    evidence: Tensor | None = None


class LensNetwork(nn.Module):
    """A network that LensVet can run, made as `Network(bands=4, pixel_scale_arcsec=0.1)`; weights come after.

    Its forward pass is `judge(features(normalised))`: that is what Grad-CAM, the geometry of maps, exact
    occlusion build on.

    half_precision : of the convolutional stack where a network is scored, None for single; see `lensmodel.devices`.
    """

    half_precision: torch.dtype | None = None

    @property
    def features(self) -> nn.Sequential:
        """The convolutional stack from the image to the last feature map, one layer after the other."""
        raise NotImplementedError

    def judge(self, feature_map: Tensor) -> NetworkOutput:
        """The verdict on a map (batch, channel, y, x) that `features` made."""
        raise NotImplementedError

    def normalise(self, flux: Tensor) -> Tensor:
        """Flux (batch, band, y, x) scaled per image as the network was trained; finite for finite flux.

        Where the architecture says `bands_may_be_missing`, NaN is what was not observed, and a plane of NaN a
        band that is missing; what comes out is finite all the same, and a missing band's plane is constant.
        """
        raise NotImplementedError

    def judge_image(self, feature_map: Tensor, shape: tuple[int, int]) -> NetworkOutput:
        """The verdict on images (y, x) of that shape, for a network whose map does not tell how large they were."""
        return self.judge(feature_map)

    def embedding(self, feature_map: Tensor, output: NetworkOutput) -> Tensor:
        """What the network made of each image, whatever its size: (batch, number), by default the mean of each channel
        over the field and its maximum."""
        return torch.cat([feature_map.mean((2, 3)), feature_map.amax((2, 3))], dim=1)

    def forward(self, normalised: Tensor) -> NetworkOutput:
        height, width = normalised.shape[-2:]
        return self.judge_image(self.features(normalised), (height, width))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network as it judges, in evaluation mode; afterwards each of its modules is as it was."""
    was_training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in was_training:
            module.training = True
