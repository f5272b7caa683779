"""Occlusion (Zeiler & Fergus 2014, ECCV, arXiv:1311.2901): p with a square hidden, less p with none hidden.

As in Wilde et al. 2022, who hide squares of 4 px (OU-200) or 1 px (OU-66) with zeros.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.explain.windows import Stack
from lensmodel.networks import LensNetwork

_AT_ONCE = 128


@torch.inference_mode()
def explain(
    network: LensNetwork, normalised: Tensor, *, window_px: int | None = None, hidden: float = 0.0
) -> NDArray[np.float32]:
    """Change of p for each square, on the pixels of the square.

    normalised : (band, y, x). hidden : the normalised value that is put into a square; a band that is one
    constant has nothing to hide and stays, for that constant may tell the network that the band is missing.
    window_px : side of a square, else `usual_window_px`. Squares tile the image from its first pixel on; the
    last ones end at its edge.
    """
    height, width = normalised.shape[1:]
    side = window_px or usual_window_px(max(height, width))
    tops, lefts = _first_pixels(height, side), _first_pixels(width, side)
    corners = torch.cartesian_prod(torch.tensor(tops), torch.tensor(lefts))
    before = network(normalised[None]).logit.double().sigmoid()
    behind = hidden_values(normalised, hidden)
    after = torch.cat(list(_logits(network, normalised, corners, side, behind))).double().sigmoid()
    change = (after - before).reshape(len(tops), len(lefts)).numpy()
    rows, columns = np.arange(height) // side, np.arange(width) // side
    spread: NDArray[np.float32] = change[np.ix_(rows, columns)].astype(np.float32)
    return spread


def usual_window_px(length: int) -> int:
    """Side of a square for an image of that length: the paper's at 66 and 200 px.

    Larger images get larger and fewer squares, since a pass takes longer: a map takes seconds on one core.

    >>> [usual_window_px(length) for length in (66, 100, 200, 300, 600)]
    [1, 2, 4, 11, 30]
    """
    per_axis = min(66, max(20, 66 * 200**2 // length**2))
    return -(-length // per_axis)


def hidden_values(image: Tensor, hidden: float) -> Tensor:
    """What each band of an image (band, y, x) becomes in a hidden square: (band,)."""
    low, high = image.amin((1, 2)), image.amax((1, 2))
    return torch.where(low == high, low, hidden)


def _logits(
    network: LensNetwork, image: Tensor, corners: Tensor, side: int, hidden: Tensor
) -> Iterator[Tensor]:
    """Logits with each square hidden, some squares at a time."""
    stack = Stack.of(network.features, image)
    for some in torch.split(corners, _AT_ONCE):
        if stack is None:
            yield network(_with_hidden(image, some, side, hidden)).logit
        else:
            yield network.judge(stack.maps_with_hidden(some, side, hidden)).logit


def _with_hidden(image: Tensor, corners: Tensor, side: int, hidden: Tensor) -> Tensor:
    images = image.repeat(len(corners), 1, 1, 1)
    for copy, (top, left) in zip(images, corners.tolist(), strict=True):
        copy[:, top : top + side, left : left + side] = hidden[:, None, None]
    return images


def _first_pixels(length: int, side: int) -> list[int]:
    return [min(first, max(length - side, 0)) for first in range(0, length, side)]
