"""Grad-CAM: the paper's formula, placed where cells look, whatever state the network is in."""

import numpy as np
import pytest
import torch

from lensmodel.errors import ExplanationError
from lensmodel.explain import explain, grad_cam
from lensmodel.explain.cams import last_relu
from lensmodel.explain.receptive_field import flat_layers, map_cells
from tests.fixtures.networks import added_model, random_network, tiny_network


def an_image(bands=4, side=66, seed=0):
    return torch.rand(bands, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("name", "side", "expected"), [("ou-66", 66, 27), ("ou-200", 200, 20)])
def test_the_last_relu_is_the_usual_layer(name, side, expected):
    network = random_network(name)
    assert last_relu(flat_layers(network.features)) == expected
    usual = grad_cam.explain(network, an_image(side=side))
    np.testing.assert_array_equal(usual, grad_cam.explain(network, an_image(side=side), layer=expected))


def test_the_map_follows_the_formula_of_the_paper():
    """Selvaraju et al. 2017, eqs. 1 and 2, with the gradient from finite differences."""
    network = tiny_network().double()
    layers = flat_layers(network.features)
    image = an_image(2, 33).double()
    with torch.no_grad():
        maps = network.features(image[None])[0]

    def logit_with(change):
        with torch.no_grad():
            return network.judge((maps + change)[None]).logit.item()

    weights = []
    for channel in range(len(maps)):
        gradient = 0.0
        for index in np.ndindex(*maps.shape[1:]):
            change = torch.zeros_like(maps)
            change[(channel, *index)] = 1e-5
            gradient += (logit_with(change) - logit_with(-change)) / 2e-5
        weights.append(gradient / maps[0].numel())
    expected = np.einsum("c,cyx->yx", weights, maps.numpy()).clip(0)
    cells_y, cells_x = map_cells(layers, (33, 33))
    drawn = grad_cam.explain(network, image)
    for row, column in np.ndindex(*expected.shape):
        y, x = cells_y.first_px + row * cells_y.stride_px, cells_x.first_px + column * cells_x.stride_px
        if y == int(y) and x == int(x):
            assert drawn[int(y), int(x)] == pytest.approx(expected[row, column], abs=1e-6)
    assert np.nanmax(drawn) > 0


def test_the_rim_that_no_cell_looks_at_says_nothing():
    drawn = grad_cam.explain(random_network("ou-66"), an_image())
    assert np.isfinite(drawn[25:41, 25:41]).all()
    assert np.isnan(drawn).sum() == 66 * 66 - 16 * 16


@pytest.mark.parametrize("layer", [0, 1, 5, 13, 14])
def test_any_layer_may_be_asked_for(layer):
    drawn = grad_cam.explain(random_network("ou-66"), an_image(), layer=layer)
    assert drawn.shape == (66, 66)
    assert np.nanmin(drawn) >= 0


@pytest.mark.parametrize("layer", [-1, 30, 99])
def test_a_layer_that_is_not_there_is_refused(layer):
    with pytest.raises(ExplanationError, match="the network has layers 0 to 29"):
        grad_cam.explain(random_network("ou-66"), an_image(), layer=layer)


@pytest.mark.parametrize("layer", [None, 26])
def test_work_in_place_and_training_mode_change_nothing(tmp_path, layer):
    card = added_model(tmp_path)
    expected = explain(random_network("ou-66"), card, an_image(), "grad-cam", layer=layer)
    network = random_network("ou-66")
    for one in network.modules():
        if isinstance(one, torch.nn.ReLU):
            one.inplace = True
    network.train()
    image = an_image()
    np.testing.assert_array_equal(explain(network, card, image, "grad-cam", layer=layer), expected)
    assert all(one.training for one in network.modules())
    assert torch.equal(image, an_image())


def test_frozen_weights_and_inference_tensors_are_explained_too():
    network = random_network("ou-66").requires_grad_(False)
    expected = grad_cam.explain(network, an_image())
    with torch.inference_mode():
        made_here = an_image() * 1
        np.testing.assert_array_equal(grad_cam.explain(network, made_here), expected)


def test_a_constant_band_gives_a_map_without_nan_inside():
    image = an_image()
    image[1] = 0
    assert np.isfinite(grad_cam.explain(random_network("ou-66"), image)[30:36, 30:36]).all()
