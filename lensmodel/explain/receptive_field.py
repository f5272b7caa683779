"""Where a cell of a feature map looks: receptive-field arithmetic of a stack, and maps placed by it.

Dumoulin & Visin 2016, arXiv:1603.07285; Araujo, Norris & Sim 2019, Distill, doi:10.23915/distill.00021.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lensmodel.errors import ExplanationError
from lensmodel.resampling import linear_weights

# Layers that change values but not where they are, one pixel at a time once in evaluation mode.
POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Dropout, nn.Identity, nn.BatchNorm2d)


@dataclass(frozen=True)
class Step:
    """What a layer does along one axis: from -padding on, every `stride` pixels, a cell of `reach` + 1."""

    reach: int
    stride: int
    padding: int

    def number_of_cells(self, length: int) -> int:
        """Cells that the layer makes of an axis of `length`."""
        return (length + 2 * self.padding - self.reach - 1) // self.stride + 1


@dataclass(frozen=True)
class Cells:
    """The cells of a feature map along one axis, in input pixels.

    Cell i is centred on `first_px + i * stride_px` and sees `size_px` pixels about it.
    """

    number: int
    first_px: float
    stride_px: int
    size_px: int

    def after(self, step: Step) -> "Cells":
        """The cells of the next map."""
        number = step.number_of_cells(self.number)
        if number < 1:
            raise ExplanationError(
                f"a layer sees {step.reach + 1} cells and gets {self.number}: give the network a larger image"
            )
        return Cells(
            number,
            self.first_px + (step.reach / 2 - step.padding) * self.stride_px,
            self.stride_px * step.stride,
            self.size_px + step.reach * self.stride_px,
        )


def flat_layers(stack: nn.Module) -> list[nn.Module]:
    """The layers of a stack in order, nested sequences opened."""
    if isinstance(stack, nn.Sequential):
        return [layer for part in stack for layer in flat_layers(part)]
    return [stack]


def steps_of(layer: nn.Module) -> tuple[Step, Step] | None:
    """What a layer does along y and x; None if it leaves every pixel where it is.

    Raises
    ------
    ExplanationError
        If we do not know where it puts its pixels.
    """
    if isinstance(layer, POINTWISE):
        return None
    if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) or _is_lopsided(layer):
        raise ExplanationError(
            f"the network has a {type(layer).__name__} layer, and where that puts a pixel is not known here: "
            "choose occlusion, or a network of convolutions and pooling"
        )
    return _step(layer, 0), _step(layer, 1)


def map_cells(layers: Iterable[nn.Module], shape: tuple[int, int]) -> tuple[Cells, Cells]:
    """The cells along y and x of the map that these layers make of an image of `shape`."""
    cells_y, cells_x = (Cells(length, 0.0, 1, 1) for length in shape)
    for layer in layers:
        steps = steps_of(layer)
        if steps is not None:
            cells_y, cells_x = cells_y.after(steps[0]), cells_x.after(steps[1])
    return cells_y, cells_x


def placed(
    values: NDArray[np.floating[Any]], cells: tuple[Cells, Cells], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Maps of cells (…, y, x) on the pixels of the image: linear between the cells' centres.

    NaN further than half a stride beyond the outermost centres, where no cell says anything.
    """
    weights_y, weights_x = (_weights(axis, length) for axis, length in zip(cells, shape, strict=True))
    return (weights_y @ values.astype(np.float64) @ weights_x.T).astype(np.float32)


def _weights(cells: Cells, length: int) -> NDArray[np.float64]:
    at = (np.arange(length) - cells.first_px) / cells.stride_px
    weights = linear_weights(at, cells.number)
    weights[(at < -0.5) | (at > cells.number - 0.5)] = np.nan
    return weights


def _is_lopsided(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> bool:
    """Whether it may treat the two ends of an axis differently."""
    kernel = layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,)
    return getattr(layer, "ceil_mode", False) or (layer.padding == "same" and any(k % 2 == 0 for k in kernel))


def _step(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, axis: int) -> Step:
    reach = _of_axis(getattr(layer, "dilation", 1), axis) * (_of_axis(layer.kernel_size, axis) - 1)
    padding = layer.padding
    if isinstance(padding, str):
        padding = reach // 2 if padding == "same" else 0
    return Step(reach, _of_axis(layer.stride, axis), _of_axis(padding, axis))


def _of_axis(value: int | tuple[int, ...], axis: int) -> int:
    return value if isinstance(value, int) else value[axis]
