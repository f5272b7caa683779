"""Images through a convolutional stack without gradients: the same numbers to the last bit, in less time.

Of OU-66 a quarter of the time goes into ReLUs and pooling, most of it into memory. Here a ReLU writes over the
convolution's output in place of new memory. It comes after the pooling that follows it, on a quarter of the pixels: the
largest of four is the same before and after a ReLU. Pooling by two is three maxima of slices, over channels that lie
side by side; torch's own also writes down where each maximum was.
"""

import torch
from torch import Tensor, nn

from lensmodel.explain.receptive_field import flat_layers

_NOTHING_TO_DO = (nn.Identity, nn.Dropout)  # where a network judges
_BY_TWO = (2, (2, 2))


def quick_pass(features: nn.Sequential, images: Tensor) -> Tensor:
    """What `features`, in evaluation mode, makes of images (image, channel, y, x); fastest with those channels last."""
    made, is_ours, relu_is_due = images, False, False
    for layer in flat_layers(features):
        if isinstance(layer, nn.ReLU):
            relu_is_due = True
        elif _pools_by_two(layer):
            made, is_ours = _pooled_by_two(made), True
        elif not isinstance(layer, _NOTHING_TO_DO):
            if relu_is_due:
                made = _relu(made, is_ours=is_ours)
            made, is_ours, relu_is_due = layer(made), isinstance(layer, nn.Conv2d), False
    return _relu(made, is_ours=is_ours) if relu_is_due else made


def _relu(values: Tensor, *, is_ours: bool) -> Tensor:
    return values.relu_() if is_ours else values.relu()


def _pools_by_two(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.MaxPool2d)
        and layer.kernel_size in _BY_TWO
        and layer.stride in _BY_TWO
        and layer.padding in (0, (0, 0))
        and layer.dilation in (1, (1, 1))
        and not layer.ceil_mode
    )


def _pooled_by_two(values: Tensor) -> Tensor:
    height, width = (length // 2 * 2 for length in values.shape[-2:])
    rows = torch.maximum(values[..., 0:height:2, :width], values[..., 1:height:2, :width])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])
