"""The networks of Wilde et al. 2022: layout, scaling, batches of any size."""

import pytest
import torch

from lensmodel.models import MODELS, network_class
from tests.fixtures.networks import random_network

# Parameters of each network, as published.
PARAMETERS = {
    "ou-j": 201_842, "ou-y": 201_842, "ou-h": 201_842, "ou-jyh": 202_742, "ou-66": 203_192,
    "ou-vis": 327_882, "ou-200": 331_632,
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_network_has_as_many_parameters_as_published(name):
    assert sum(p.numel() for p in random_network(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["ou-j", "ou-66", "ou-200"])
def test_an_image_gets_the_same_verdict_in_a_batch_of_any_size(name):
    network = random_network(name)
    row = MODELS[name]
    images = torch.rand(
        5, len(row.bands), row.field_px, row.field_px, generator=torch.Generator().manual_seed(1)
    )
    with torch.inference_mode():
        together = network(images).logit
        alone = torch.cat([network(image[None]).logit for image in images])
        none = network(images[:0]).logit
    assert together.shape == (5,)
    assert none.shape == (0,)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_logit_is_that_of_the_softmax_for_the_lens():
    network = random_network("ou-66")
    image = torch.rand(3, 4, 66, 66, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        classes = network.fc_layer(network.layer(image).flatten(1))
        torch.testing.assert_close(network(image).logit.sigmoid(), classes.softmax(dim=-1)[:, 1])


def test_each_band_of_each_image_is_scaled_by_its_own_range():
    flux = torch.randn(3, 4, 66, 66, generator=torch.Generator().manual_seed(3))
    scale = torch.tensor([1.0, 1e-6, 1e6, 40.0])[None, :, None, None]
    scaled = random_network("ou-66").normalise(flux * scale + 5 * scale)
    assert scaled.amin(dim=(2, 3)).eq(0).all()
    assert scaled.amax(dim=(2, 3)).eq(1).all()
    torch.testing.assert_close(scaled, random_network("ou-66").normalise(flux), rtol=1e-3, atol=1e-4)


def test_a_constant_band_becomes_zero_and_not_nan():
    scaled = network_class("ou-66")(bands=1).normalise(torch.full((2, 1, 66, 66), 7.0))
    assert scaled.eq(0).all()
