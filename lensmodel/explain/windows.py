"""Feature maps of an image with a square changed, exact and fast: only what changes is computed again.

A small square changes a small window of each early map. The window is cut out with the pixels that the next
layer sees around it, the layer is applied, and so on; the rest of each map is that of the whole image.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import POINTWISE, Step, flat_layers, steps_of


@dataclass(frozen=True)
class _Windows:
    """What each square changes of a map: values (square, channel, y, x), the first at top, left (square,)."""

    values: Tensor
    top: Tensor
    left: Tensor


@dataclass(frozen=True)
class Stack:
    """The layers of a network, and the maps (channel, y, x) that they make of one image, the image first."""

    layers: list[nn.Module]
    maps: list[Tensor]

    @classmethod
    def of(cls, stack: nn.Sequential, image: Tensor) -> Self | None:
        """None if `are_local` is not so of the layers."""
        layers = flat_layers(stack)
        if not are_local(stack):
            return None
        maps = [image]
        for layer in layers:
            maps.append(layer(maps[-1].clone()[None])[0])  # a copy, since it may work in place
        return cls(layers, maps)

    def maps_with(self, corners: Tensor, squares: Tensor) -> Tensor:
        """The last map with each square in the image's place: (square, channel, y, x).

        corners : (square, 2), first row and column of each square.
        squares : (square, channel, y, x), what the image becomes there.
        """
        # A copy, since a layer may work in place.
        windows = _Windows(squares.clone(), corners[:, 0], corners[:, 1])
        for layer, (before, after) in zip(self.layers, pairwise(self.maps), strict=True):
            windows = _through(layer, before, after, windows)
        return _whole_maps(self.maps[-1], windows)


def are_local(stack: nn.Sequential) -> bool:
    """Whether each layer looks at nothing but a window of the map before it, as far as is known here."""
    return all(map(_is_local, flat_layers(stack)))


def _through(layer: nn.Module, before: Tensor, after: Tensor, windows: _Windows) -> _Windows:
    """What the squares change of the map `after` a layer, from what they change of the map `before` it."""
    steps = steps_of(layer)
    if steps is None:
        return replace(windows, values=layer(windows.values))
    height, width = windows.values.shape[2:]
    top, rows, all_rows = _seen(windows.top, height, steps[0], after.shape[1])
    left, columns, all_columns = _seen(windows.left, width, steps[1], after.shape[2])
    if all_rows and all_columns:  # the layer's own padding is faster
        return _Windows(layer(_whole_maps(before, windows)), top, left)
    pad_y, pad_x = steps[0].padding, steps[1].padding
    edge = float("-inf") if isinstance(layer, nn.MaxPool2d) else 0.0
    padded = functional.pad(before, (pad_x, pad_x, pad_y, pad_y), value=edge)
    shifted = _Windows(windows.values, windows.top + pad_y, windows.left + pad_x)
    return _Windows(_unpadded(layer, _cut(padded, shifted, rows, columns)), top, left)


def _seen(first: Tensor, length: int, step: Step, number: int) -> tuple[Tensor, Tensor, bool]:
    """The first of the cells that see a pixel of each window, the (padded) pixels that those cells see, if it is all.

    All squares get as many cells as the one that needs most, moved inward at the far edge of the map.
    """
    first = first + step.padding
    low = (first - step.reach + step.stride - 1).div(step.stride, rounding_mode="floor").clamp(0, number - 1)
    high = (first + length - 1).div(step.stride, rounding_mode="floor").clamp(0, number - 1)
    most = int((high - low).max()) + 1
    cells = low.clamp(max=number - most)
    span = torch.arange((most - 1) * step.stride + step.reach + 1)
    return cells, cells[:, None] * step.stride + span, most == number


def _whole_maps(around: Tensor, windows: _Windows) -> Tensor:
    """The map `around` with each window in its place: (square, channel, y, x)."""
    if windows.values.shape[1:] == around.shape:
        return windows.values
    rows, columns = (torch.arange(length).expand(len(windows.top), length) for length in around.shape[1:])
    return _cut(around, windows, rows, columns)


def _cut(around: Tensor, windows: _Windows, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels at `rows` (square, y) and `columns` (square, x), of the square's window or else of `around`."""
    channels, height, width = windows.values.shape[1:]
    y, x = (rows - windows.top[:, None])[:, :, None], (columns - windows.left[:, None])[:, None, :]
    is_inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    # Channels last: a pixel is copied as a whole, and convolutions like it better.
    pixels = torch.cat([_pixels(around[None]), _pixels(windows.values)])
    square = torch.arange(len(rows))[:, None, None]
    own = around[0].numel() + (square * height + y) * width + x
    others = rows[:, :, None] * around.shape[2] + columns[:, None, :]
    taken = pixels.index_select(0, torch.where(is_inside, own, others).flatten())
    return taken.reshape(*is_inside.shape, channels).permute(0, 3, 1, 2)


def _pixels(images: Tensor) -> Tensor:
    """The pixels (pixel, channel) of images (image, channel, y, x), row by row."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def _unpadded(layer: nn.Module, image: Tensor) -> Tensor:
    """The layer on an image that has its padding already."""
    match layer:
        case nn.Conv2d():
            return functional.conv2d(
                image, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups
            )
        case nn.MaxPool2d():
            return functional.max_pool2d(image, layer.kernel_size, layer.stride, 0, layer.dilation)
        case nn.AvgPool2d():
            return functional.avg_pool2d(image, layer.kernel_size, layer.stride)
    raise AssertionError(layer)


def _is_local(layer: nn.Module) -> bool:
    if not type(layer).__module__.startswith("torch.nn."):
        return False  # a class of one's own may do anything in its forward pass
    if isinstance(layer, POINTWISE):
        return True
    try:
        steps_of(layer)
    except ExplanationError:
        return False
    # What these pad with is not a number that could stand around every window.
    return getattr(layer, "padding_mode", "zeros") == "zeros" and not (
        isinstance(layer, nn.AvgPool2d) and layer.padding not in (0, (0, 0))
    )
