"""Occlusion (Zeiler & Fergus 2014, ECCV, arXiv:1311.2901): the verdict with a square hidden, less that with none.

As in Wilde et al. 2022, who hide squares of 4 px (OU-200) or 1 px (OU-66) with zeros.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lensmodel.errors import ExplanationError
from lensmodel.explain import BASELINES, UNITS
from lensmodel.explain.bands import bands_there, faint_pixels
from lensmodel.explain.windows import Stack
from lensmodel.networks import LensNetwork

_BLOCKS = 4  # along an axis of the image: squares of one block are computed together
_LEAST, _MOST = 4, 12  # squares along a block
_COARSE_SQUARES = 12  # along an axis

# Corners (square, 2) to what the image becomes in the squares (square, band, y, x).
_Fill = Callable[[Tensor], Tensor]


@torch.inference_mode()
def explain(
    network: LensNetwork,
    normalised: Tensor,
    *,
    window_px: int | None = None,
    stride_px: int | None = None,
    baseline: str = "zero",
    unit: str = "probability",
    band: int | None = None,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Change of p or of the logit for each square; a pixel has the mean of the squares that cover it.

    normalised : (band, y, x). window_px : side of a square, else `usual_window_px`. stride_px : from square to square,
    else the side: they tile the image. The first begins at the first pixel, the last one ends at the edge.
    baseline : what a square is hidden by. "zero", the median of the band about the square ("median"), or draws from the
    band's own faint pixels ("noise"), made with `seed`. unit : "probability" or "logit".
    band : hide this one alone. A band that is one constant has nothing to hide and stays, for that constant may
    tell the network that the band is missing.

    Only what a square changes is computed again; a network for which `windows.are_local` is not so gets full passes,
    to the same numbers.

    Raises
    ------
    ExplanationError
        If an option is none of these, squares would leave gaps, or the one band has nothing to hide.
    """
    height, width = normalised.shape[1:]
    side = usual_window_px(max(height, width)) if window_px is None else window_px
    stride = side if stride_px is None else stride_px
    _check(side, stride, baseline, unit)
    hidden = _hidden_bands(normalised, band)
    tops, lefts = _first_pixels(height, side, stride), _first_pixels(width, side, stride)
    fill = _FILLS[baseline](normalised, min(side, height), min(side, width), seed)
    after = _logits(network, normalised, tops, lefts, fill, hidden).double()
    before = network(normalised[None]).logit.double()
    change = after - before if unit == "logit" else after.sigmoid() - before.sigmoid()
    return _mean_of_cover(change.numpy(), tops, lefts, side, (height, width))


def usual_window_px(length: int) -> int:
    """Side of a square for an image of that length: the paper's at 66 and 200 px.

    Larger images get larger and fewer squares, since a pass takes longer: a map takes seconds on one core.

    >>> [usual_window_px(length) for length in (66, 100, 200, 300, 600)]
    [1, 2, 4, 11, 30]
    """
    per_axis = min(66, max(20, 66 * 200**2 // length**2))
    return -(-length // per_axis)


def usual_squares(length: int, of_network: tuple[int, int] | None) -> dict[str, int]:
    """Options for an image of that length: the squares that its network is best asked by, if they are not too many.

    of_network : side and stride in px, None for `usual_window_px`.

    >>> usual_squares(100, (8, 4)), usual_squares(300, (8, 4))
    ({'window_px': 8, 'stride_px': 4}, {'window_px': 11})
    """
    usual = usual_window_px(length)
    if of_network is None or usual > of_network[0]:
        return {"window_px": usual}
    return {"window_px": of_network[0], "stride_px": of_network[1]}


def coarse_options(length: int) -> dict[str, int]:
    """Options for an image of that length: so few squares that the map is there at once.

    >>> [coarse_options(length)["window_px"] for length in (66, 100, 200)]
    [6, 9, 17]
    """
    return {"window_px": -(-length // _COARSE_SQUARES)}


def _check(side: int, stride: int, baseline: str, unit: str) -> None:
    if side < 1:
        raise ExplanationError(f"window_px is {side}; expected 1 or more")
    if not 1 <= stride <= side:
        raise ExplanationError(
            f"stride_px is {stride}; expected 1 to {side}, the side of a square, or there are gaps between squares"
        )
    for name, value, known in (("baseline", baseline, BASELINES), ("unit", unit, UNITS)):
        if value not in known:
            raise ExplanationError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def _hidden_bands(image: Tensor, band: int | None) -> Tensor:
    """Numbers of the bands that are hidden."""
    there = bands_there(image)
    if band is None:
        return there.nonzero()[:, 0]
    if not there[band]:
        raise ExplanationError(
            f"band {band + 1} of {len(image)} is missing or one constant: there is nothing to hide in it"
        )
    return torch.tensor([band])


def _first_pixels(length: int, side: int, stride: int) -> list[int]:
    last = max(length - side, 0)
    return [*range(0, last, stride), last]


def _mean_of_cover(
    change: NDArray[np.float64], tops: list[int], lefts: list[int], side: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Per pixel the mean over the squares (top, left) that cover it."""
    rows, columns = (
        (np.arange(length) >= np.array(first)[:, None])
        & (np.arange(length) < np.array(first)[:, None] + side)
        for first, length in zip((tops, lefts), shape, strict=True)
    )
    mean: NDArray[np.float64] = (rows.T @ change @ columns) / np.outer(rows.sum(0), columns.sum(0))
    return mean.astype(np.float32)


def _logits(
    network: LensNetwork, image: Tensor, tops: list[int], lefts: list[int], fill: _Fill, hidden: Tensor
) -> Tensor:
    """Logits (top, left) with each square hidden in these bands.

    Squares that are near one another go together: at the edge of the image, what they change is cut off alike.
    """
    stack = Stack.of(network.features, image)
    logits = image.new_empty(len(tops), len(lefts))
    blocks = itertools.product(_blocks(len(tops)), _blocks(len(lefts)))
    for rows, columns in blocks:
        corners = torch.cartesian_prod(torch.tensor(tops[rows]), torch.tensor(lefts[columns]))
        filled = fill(corners)
        squares = _cut(image, corners, *filled.shape[2:])
        squares[:, hidden] = filled[:, hidden]
        if stack is None:
            output = network(_with_squares(image, corners, squares))
        else:
            output = network.judge(stack.maps_with(corners, squares))
        logits[rows, columns] = output.logit.reshape(logits[rows, columns].shape)
    return logits


def _blocks(number: int) -> list[slice]:
    length = min(max(-(-number // _BLOCKS), _LEAST), _MOST)
    return [slice(first, first + length) for first in range(0, number, length)]


def _cut(image: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """The image's pixels in each square: (square, band, y, x)."""
    rows = corners[:, 0, None, None] + torch.arange(height)[:, None]
    columns = corners[:, 1, None, None] + torch.arange(width)
    return image[:, rows, columns].transpose(0, 1).contiguous()


def _with_squares(image: Tensor, corners: Tensor, squares: Tensor) -> Tensor:
    images = image.repeat(len(corners), 1, 1, 1)
    height, width = squares.shape[2:]
    for copy, (top, left), square in zip(images, corners.tolist(), squares, strict=True):
        copy[:, top : top + height, left : left + width] = square
    return images


def _zeros(image: Tensor, height: int, width: int, seed: int) -> _Fill:
    return lambda corners: image.new_zeros(len(corners), len(image), height, width)


def _medians(image: Tensor, height: int, width: int, seed: int) -> _Fill:
    """Of a frame about the square, as wide as the square; of the band where the image ends at the square."""
    padded = torch.nn.functional.pad(image, (width, width, height, height), value=torch.nan)
    of_band = image.flatten(1).median(1).values

    def fill(corners: Tensor) -> Tensor:
        frames = _cut(padded, corners, 3 * height, 3 * width)
        frames[:, :, height : 2 * height, width : 2 * width] = torch.nan
        median = frames.flatten(2).nanmedian(2).values
        median = torch.where(median.isnan(), of_band, median)
        return median[:, :, None, None].expand(-1, -1, height, width)

    return fill


def _noise(image: Tensor, height: int, width: int, seed: int) -> _Fill:
    generator = torch.Generator().manual_seed(seed)
    faint = [faint_pixels(band) for band in image]

    def fill(corners: Tensor) -> Tensor:
        shape = (len(corners), height, width)
        drawn = [pixels[torch.randint(len(pixels), shape, generator=generator)] for pixels in faint]
        return torch.stack(drawn, dim=1)

    return fill


_FILLS: dict[str, Callable[[Tensor, int, int, int], _Fill]] = {
    "zero": _zeros,
    "median": _medians,
    "noise": _noise,
}
