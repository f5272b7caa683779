"""The networks of Wilde et al. 2022 (MNRAS 512, 3464; arXiv:2202.12776), for the published weights.

Layers are numbered as in the published state dicts, which fixes where pooling and dropout lie.
"""

import torch
from torch import Tensor, nn

from lensmodel.networks import LensNetwork, NetworkOutput

DROPOUT = 0.2


class _TwoClasses(LensNetwork):
    """Convolutions without padding, then two linear layers that end in (non-lens, lens)."""

    def __init__(self, layer: nn.Sequential, fc_layer: nn.Sequential) -> None:
        super().__init__()
        self.layer = layer
        self.fc_layer = fc_layer

    @property
    def features(self) -> nn.Sequential:
        return self.layer

    def judge(self, feature_map: Tensor) -> NetworkOutput:
        """The difference of the two logits: its sigmoid is the softmax for class 1, the lens."""
        non_lens, lens = self.fc_layer(feature_map.flatten(1)).unbind(dim=1)
        return NetworkOutput(lens - non_lens)

    def normalise(self, flux: Tensor) -> Tensor:
        """Each band of each image from its minimum, 0, to its maximum, 1; a constant band is 0."""
        low = flux.amin(dim=(2, 3), keepdim=True)
        span = flux.amax(dim=(2, 3), keepdim=True) - low
        return (flux - low) / torch.where(span > 0, span, 1)


class OU66(_TwoClasses):
    """66x66 pixels of 0.3 arcsec: OU-J, OU-Y, OU-H, OU-JYH and OU-66."""

    def __init__(self, *, bands: int, pixel_scale_arcsec: float = 0.3) -> None:
        super().__init__(
            nn.Sequential(
                *_block(bands, 50, kernel=3, pool=True),
                *(layer for _ in range(3) for layer in _block(50, 50, kernel=3)),
                *_block(50, 40, kernel=3, pool=True),
                *(layer for _ in range(3) for layer in _block(40, 40, kernel=3)),
                *_block(40, 30, kernel=3, pool=True),
            ),
            nn.Sequential(nn.Linear(120, 500), nn.ReLU(), nn.Linear(500, 2)),
        )


class OU200(_TwoClasses):
    """200x200 pixels of 0.1 arcsec: OU-VIS and OU-200."""

    def __init__(self, *, bands: int, pixel_scale_arcsec: float = 0.1) -> None:
        super().__init__(
            nn.Sequential(
                *_block(bands, 50, kernel=5, pool=True),
                *_block(50, 40, kernel=5, pool=True),
                *_block(40, 30, kernel=3, pool=True),
                *_block(30, 20, kernel=3, pool=True),
                *_block(20, 20, kernel=3),
                *_block(20, 20, kernel=3),
            ),
            nn.Sequential(nn.Linear(720, 350), nn.ReLU(), nn.Linear(350, 2)),
        )


def _block(channels_in: int, channels_out: int, *, kernel: int, pool: bool = False) -> list[nn.Module]:
    pooling: list[nn.Module] = [nn.MaxPool2d(2)] if pool else []
    return [nn.Conv2d(channels_in, channels_out, kernel), nn.ReLU(), *pooling, nn.Dropout(DROPOUT)]
