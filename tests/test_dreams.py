"""Class images and deep dreams: uphill, bounded, the same again, and the network left as it was."""

import numpy as np
import pytest
import torch

from lensmodel.errors import ExplanationError
from lensmodel.explain.dreams import bright_galaxy, class_image, deep_dream
from lensmodel.explain.receptive_field import flat_layers
from lensmodel.models import MODELS
from tests.fixtures.networks import lively_network


def shape_for(architecture):
    row = MODELS[architecture]
    side = row.field_px or 48
    return len(row.bands), side, side


def logit_of(network, image):
    with torch.inference_mode():
        return network(torch.as_tensor(image)[None]).logit.item()


def activation_of(network, image, layer):
    with torch.inference_mode():
        return torch.nn.Sequential(*flat_layers(network.features)[: layer + 1])(
            torch.as_tensor(image)[None].clone()
        ).mean()


@pytest.mark.parametrize("architecture", MODELS)
def test_a_class_image_is_more_of_a_lens_than_a_galaxy_or_the_sky_it_began_with(architecture):
    network, shape = lively_network(architecture), shape_for(architecture)
    began, dreamt = (class_image(network, shape, steps=steps) for steps in (0, 12))
    assert (dreamt.shape, dreamt.dtype) == (shape, np.float32)
    galaxy = bright_galaxy(network, shape)
    spread = max(abs(logit_of(network, began) - logit_of(network, galaxy)), 0.1)
    assert logit_of(network, dreamt) > logit_of(network, began) + spread
    assert galaxy.amin() <= dreamt.min()
    assert dreamt.max() <= galaxy.amax()


@pytest.mark.parametrize("architecture", MODELS)
def test_a_deep_dream_excites_the_layer_more_than_the_image_did(architecture):
    network, shape = lively_network(architecture), shape_for(architecture)
    image = bright_galaxy(network, shape)
    dream = deep_dream(network, image, layer=4, octaves=2, steps=4)
    assert (dream.shape, dream.dtype) == (shape, np.float32)
    assert activation_of(network, dream, 4) > 1.1 * activation_of(network, image, 4)
    assert np.isfinite(dream).all()


def test_dreams_come_again_with_their_seed_alone():
    network, shape = lively_network("ou-66"), shape_for("ou-66")
    image = bright_galaxy(network, shape)
    for dream in (
        lambda seed: class_image(network, shape, steps=3, seed=seed),
        lambda seed: deep_dream(network, image, layer=13, steps=3, seed=seed),
    ):
        np.testing.assert_array_equal(dream(1), dream(1))
        assert not np.array_equal(dream(1), dream(2))


def test_decay_keeps_the_image_near_the_sky():
    network, shape = lively_network("ou-66"), shape_for("ou-66")
    near, far = (class_image(network, shape, steps=12, decay=decay).std() for decay in (1e4, 0.0))
    assert near < far / 2


def test_a_missing_band_stays_missing_in_a_dream():
    network = lively_network("evidence-net")
    image = bright_galaxy(network, (4, 48, 48))
    image[1] = -1.0
    dream = deep_dream(network, image, layer=5, steps=2)
    assert (dream[1] == -1).all()
    assert not np.array_equal(dream[0], image[0])


@pytest.mark.parametrize(
    ("side", "layer", "complaint"),
    [(66, 30, "the network has layers 0 to 29"), (30, None, "give the network a larger image")],
)
def test_what_cannot_be_dreamt_is_refused_and_the_network_left_as_it_was(side, layer, complaint):
    network = lively_network("ou-66").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ExplanationError, match=complaint):
        deep_dream(network, torch.rand(4, side, side), layer=layer)
    class_image(network, (4, 66, 66), steps=2)
    deep_dream(network, torch.rand(4, 66, 66), steps=1)
    assert all(
        one.training and not one._forward_hooks and not one._backward_hooks for one in network.modules()
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
