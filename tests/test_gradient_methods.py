"""Saliency, integrated gradients and guided Grad-CAM: laws, closed forms, and a network that is left alone."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from lensmodel.explain import grad_cam, guided_grad_cam, integrated_gradients, saliency
from lensmodel.networks import LensNetwork, NetworkOutput
from tests.fixtures.networks import lively_network, random_network


def an_image(bands=4, side=66, seed=0):
    return torch.rand(bands, side, side, generator=torch.Generator().manual_seed(seed))


class _Rule(LensNetwork):
    """logit = sum of relu(weights * image): each pixel has a value that can be said."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights
        self.stack = nn.Sequential(nn.ReLU(inplace=True))

    @property
    def features(self):
        return self.stack

    def judge(self, feature_map):
        return NetworkOutput(feature_map.sum((1, 2, 3)))

    def forward(self, image):
        return self.judge(self.features(image * self.weights))


WEIGHTS = torch.tensor([[[1.0, -2.0], [3.0, 0.5]], [[-4.0, 5.0], [-0.25, 0.125]]])
IMAGE = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[-1.0, 0.5], [1.0, 2.0]]])
PARTS = (WEIGHTS * IMAGE).clamp(min=0)


def test_saliency_is_the_largest_absolute_gradient_over_bands():
    expected = (WEIGHTS * (WEIGHTS * IMAGE > 0)).abs().amax(0)
    np.testing.assert_allclose(saliency.explain(_Rule(WEIGHTS), IMAGE), expected)


def test_integrated_gradients_are_what_each_pixel_adds_to_the_logit():
    np.testing.assert_allclose(integrated_gradients.explain(_Rule(WEIGHTS), IMAGE), PARTS.sum(0), rtol=1e-5)


def test_guided_gradients_pass_on_what_is_positive_alone():
    """Behind a second layer that weighs the parts: those with negative weight give nothing."""
    network = _Rule(WEIGHTS)
    network.judge = lambda maps: NetworkOutput((maps.relu() * WEIGHTS.sign()).sum((1, 2, 3)))
    expected = (WEIGHTS * (WEIGHTS * IMAGE > 0) * (WEIGHTS > 0)).sum(0)
    np.testing.assert_allclose(guided_grad_cam.guided_gradients(network, IMAGE), expected)


@pytest.mark.parametrize("architecture", ["ou-66", "evidence-net"])
def test_integrated_gradients_add_up_to_the_change_of_the_logit(architecture):
    network, image = lively_network(architecture), an_image()
    with torch.no_grad():
        change = (network(image[None]).logit - network(torch.zeros_like(image)[None]).logit).item()
    given = integrated_gradients.explain(network, image, steps=64)
    assert abs(change) > 0.01
    assert given.sum() == pytest.approx(change, rel=0.05)


def test_a_band_that_is_missing_says_nothing_however_sensitive_the_network_is_to_it():
    image = IMAGE.clone()
    image[1] = 0.7
    slope, network = (
        WEIGHTS[0] * (WEIGHTS[0] * IMAGE[0] > 0),
        _Rule(WEIGHTS * torch.tensor([1, 1000])[:, None, None]),
    )
    np.testing.assert_allclose(saliency.explain(network, image), slope.abs())
    np.testing.assert_allclose(guided_grad_cam.guided_gradients(network, image), slope)
    np.testing.assert_allclose(integrated_gradients.explain(network, image), PARTS[0], rtol=1e-5)


def test_guided_grad_cam_is_their_product():
    network, image = lively_network("ou-66"), an_image()
    expected = grad_cam.explain(network, image, layer=13) * guided_grad_cam.guided_gradients(network, image)
    np.testing.assert_array_equal(guided_grad_cam.explain(network, image, layer=13), expected)
    assert np.nanmax(np.abs(expected)) > 0


def test_frozen_weights_and_inference_tensors_are_explained_too():
    network = lively_network("ou-66").requires_grad_(False)
    for method in (saliency, integrated_gradients, guided_grad_cam):
        expected = method.explain(network, an_image())
        with torch.inference_mode():
            np.testing.assert_array_equal(method.explain(network, an_image() * 1), expected)


def test_guided_gradients_look_alike_with_other_weights():
    """What their row in the table says: they fail the check of Adebayo et al. 2018."""
    side = torch.arange(66) - 32.5
    galaxy = torch.exp(-(side[:, None] ** 2 + side**2) / 200) + 0.02 * an_image()
    one, other = (
        np.abs(guided_grad_cam.guided_gradients(random_network("ou-66", seed=seed), galaxy))
        for seed in (0, 1)
    )
    assert spearmanr(one.ravel(), other.ravel()).statistic > 0.7
    assert spearmanr(one.ravel(), np.roll(other, 22).ravel()).statistic < 0.5
