"""Class activation maps: the papers' formulas, placed where cells look at every layer, a batch at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from lensmodel.errors import ExplanationError
from lensmodel.explain import cams, grad_cam, hirescam, layercam
from lensmodel.explain.receptive_field import flat_layers
from tests.fixtures.networks import lively_network, random_network, tiny_network

CAMS = (grad_cam, hirescam, layercam)


def images(number=1, bands=4, side=66, seed=0):
    return torch.rand(number, bands, side, side, generator=torch.Generator().manual_seed(seed))


def maps_and_gradients(network, image):
    """From a plain pass with a hook-free graph over the whole network."""
    maps = network.features(image).detach().requires_grad_()
    network.judge(maps).logit.sum().backward()
    return maps.detach()[0].double().numpy(), maps.grad[0].double().numpy()


@pytest.mark.parametrize(
    ("method", "formula"),
    [
        (grad_cam, lambda maps, g: np.einsum("c,cyx->yx", g.mean((1, 2)), maps).clip(0)),
        (hirescam, lambda maps, g: (g * maps).sum(0)),
        (layercam, lambda maps, g: (g.clip(0) * maps).sum(0).clip(0)),
    ],
)
def test_maps_follow_the_formulas_of_their_papers(method, formula):
    network = tiny_network()
    image = images(bands=2, side=33)
    maps, gradients = maps_and_gradients(network, image)
    given = method.combine(torch.from_numpy(maps)[None], torch.from_numpy(gradients)[None])[0].numpy()
    expected = formula(maps, gradients)
    np.testing.assert_allclose(given, expected, rtol=1e-10)
    drawn = method.explain(network, image[0])
    assert np.nanmax(drawn) == pytest.approx(expected.max(), rel=0.5)
    assert np.nanmin(drawn) >= expected.min() - 1e-6


def test_hirescam_adds_up_to_the_logit_where_one_linear_layer_makes_the_verdict():
    """Draelos & Carin 2020: that is what sets it apart from Grad-CAM."""
    network = lively_network("ou-66")
    linear = nn.Linear(120, 2)
    network.fc_layer = nn.Sequential(linear)
    with torch.no_grad():
        logit = network(images()).logit.item()
    maps, gradients = maps_and_gradients(network, images())
    total = hirescam.combine(torch.from_numpy(maps)[None], torch.from_numpy(gradients)[None]).sum().item()
    assert total == pytest.approx(logit - (linear.bias[1] - linear.bias[0]).item(), rel=1e-4)


@pytest.mark.parametrize("architecture", ["ou-66", "ou-200", "evidence-net"])
def test_a_lit_cell_is_drawn_where_it_looks_at_every_layer(architecture, monkeypatch):
    """Its true place is the middle of the pixels on which the cell has a gradient when all weights are positive."""
    network = random_network(architecture)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.01)
    side = {"ou-66": 66, "ou-200": 200}.get(architecture, 100)
    layers = [nn.AvgPool2d(one.kernel_size) if isinstance(one, nn.MaxPool2d) else one
              for one in flat_layers(network.features)]  # fmt: skip
    feature_map = image = torch.ones(1, 1, side, side, requires_grad=True)
    feature_map = feature_map.expand(1, 4, side, side)
    for number, layer in enumerate(layers):
        feature_map = layer(feature_map.clone())
        rows, columns = feature_map.shape[2:]
        row, column = rows // 2, (columns - 1) // 2
        (gradient,) = torch.autograd.grad(feature_map[0, 0, row, column], image, retain_graph=True)
        seen = gradient[0, 0].numpy() > 0
        y, x = (np.flatnonzero(seen.any(axis)).mean() for axis in (1, 0))
        lit = torch.zeros(1, 2, rows, columns)
        lit[0, :, row, column] = 1
        monkeypatch.setattr(cams, "_maps_and_gradients", lambda *_, lit=lit: (lit, torch.ones_like(lit)))
        for method in CAMS:
            drawn = method.explain(network, torch.zeros(4, side, side), layer=number)
            peak = np.argwhere(drawn == np.nanmax(drawn)).mean(0)
            assert np.abs(peak - (y, x)).max() <= side // rows / 2


@pytest.mark.parametrize("method", CAMS)
def test_a_batch_gives_what_its_images_give_alone(method):
    network, batch = lively_network("ou-66"), images(19)
    together = cams.class_activation_maps(network, batch, method.combine, layer=13)
    assert together.shape == (19, 66, 66)
    for index in (0, 15, 16, 18):
        alone = method.explain(network, batch[index], layer=13)
        np.testing.assert_allclose(together[index], alone, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(alone)))


def test_a_batch_leaves_a_network_in_training_as_it_was():
    network = lively_network("ou-66")
    expected = cams.class_activation_maps(network, images(2), grad_cam.combine)
    network.train()
    np.testing.assert_array_equal(cams.class_activation_maps(network, images(2), grad_cam.combine), expected)
    assert all(one.training for one in network.modules())


def test_a_batch_costs_no_more_passes_than_the_images_need(monkeypatch):
    """Each layer up to the one looked at sees 64 images once, those after it once forward and once back."""
    network = lively_network("ou-66")
    seen = []
    for layer in flat_layers(network.features):
        original = layer.forward
        monkeypatch.setattr(layer, "forward", lambda x, f=original: seen.append(len(x)) or f(x))
    cams.class_activation_maps(network, images(64), grad_cam.combine)
    assert sum(seen) == 64 * len(flat_layers(network.features))
    assert max(seen) > 1


@pytest.mark.parametrize("method", CAMS)
def test_a_layer_that_is_not_there_is_refused(method):
    with pytest.raises(ExplanationError, match="the network has layers 0 to 29"):
        method.explain(random_network("ou-66"), images()[0], layer=30)
