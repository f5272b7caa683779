"""Where the cells of a feature map look: published geometry, and what a gradient says."""

import numpy as np
import pytest
import torch
from torch import nn

from lensmodel.errors import ExplanationError
from lensmodel.explain.receptive_field import Cells, flat_layers, map_cells, placed
from tests.fixtures.networks import random_network, tiny_network


@pytest.mark.parametrize(
    ("name", "relu", "number", "stride", "first", "last", "size"),
    [
        ("ou-200", 5, 94, 2, 6.5, 192.5, 14),
        ("ou-200", 9, 45, 4, 11.5, 187.5, 24),
        ("ou-200", 13, 20, 8, 21.5, 173.5, 44),
        ("ou-200", 17, 8, 16, 41.5, 153.5, 84),
        ("ou-200", 20, 6, 16, 57.5, 137.5, 116),
        ("ou-66", 14, 24, 2, 9.5, 55.5, 20),
        ("ou-66", 18, 10, 4, 14.5, 50.5, 30),
        ("ou-66", 27, 4, 4, 26.5, 38.5, 54),
    ],
)
def test_the_geometry_of_the_networks_of_wilde_2022(name, relu, number, stride, first, last, size):
    layers = flat_layers(random_network(name).features)
    assert isinstance(layers[relu], nn.ReLU)
    side = int(name.removeprefix("ou-"))
    for cells in map_cells(layers[: relu + 1], (side, side)):
        assert cells == Cells(number, first, stride, size)
        assert cells.first_px + (cells.number - 1) * cells.stride_px == last


@pytest.mark.parametrize("name", ["tiny", "ou-66", "evidence-net"])
def test_a_cell_sees_what_its_gradient_says(name):
    """Each input pixel has a gradient where a cell sees it; weights that are all positive leave none out."""
    network = tiny_network() if name == "tiny" else random_network(name)
    bands, shape = (2, (31, 41)) if name == "tiny" else (4, (66, 66))
    layers = [nn.AvgPool2d(one.kernel_size, one.stride, one.padding) if isinstance(one, nn.MaxPool2d) else one
              for one in flat_layers(network.features)]  # fmt: skip
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.01)
    image = torch.ones(1, bands, *shape, requires_grad=True)
    feature_map = nn.Sequential(*layers)(image)
    cells_y, cells_x = map_cells(layers, shape)
    assert feature_map.shape[2:] == (cells_y.number, cells_x.number)
    row, column = cells_y.number // 2, cells_x.number // 2
    (gradient,) = torch.autograd.grad(feature_map[0, :, row, column].sum(), image)
    seen = gradient[0].abs().sum(dim=0).numpy() > 0
    for cells, index, axis in ((cells_y, row, 1), (cells_x, column, 0)):
        pixels = np.flatnonzero(seen.any(axis=axis))
        middle = cells.first_px + index * cells.stride_px
        low, high = middle - (cells.size_px - 1) / 2, middle + (cells.size_px - 1) / 2
        assert (pixels[0], pixels[-1]) == (max(low, 0), min(high, shape[1 - axis] - 1))


def test_a_map_is_placed_at_the_centres_and_says_nothing_far_from_them():
    values = np.arange(16.0).reshape(4, 4)
    cells = Cells(4, 26.5, 4, 54)
    image = placed(values, (cells, cells), (66, 66))
    np.testing.assert_allclose(
        (image[30, 30] + image[31, 31] + image[30, 31] + image[31, 30]) / 4, values[1, 1]
    )
    said = np.flatnonzero(np.isfinite(image).any(axis=0))
    assert (said[0], said[-1]) == (25, 40)
    assert np.isfinite(image[25:41, 25:41]).all()
    assert image[25, 25] == values[0, 0]


def test_a_linear_map_stays_linear_where_it_is_placed():
    cells = Cells(6, 57.5, 16, 116)
    centres = cells.first_px + cells.stride_px * np.arange(6)
    image = placed(centres[:, None] + 2 * centres, (cells, cells), (200, 200))
    np.testing.assert_allclose(image[60, 60:138], 60 + 2 * np.arange(60, 138), rtol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [nn.ConvTranspose2d(1, 1, 2), nn.Upsample(scale_factor=2), nn.MaxPool2d(2, ceil_mode=True),
     nn.Conv2d(1, 1, 2, padding="same"), nn.Flatten()],
)  # fmt: skip
def test_layers_whose_geometry_is_not_known_are_refused(layer):
    with pytest.raises(ExplanationError, match="where that puts a pixel is not known"):
        map_cells([layer], (10, 10))


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ExplanationError, match="give the network a larger image"):
        map_cells(flat_layers(random_network("ou-66").features), (40, 40))
