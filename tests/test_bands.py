"""What a whole band is worth to a verdict, and which pixels of it are noise."""

import dataclasses

import pytest
import torch

from lensmodel.errors import ExplanationError
from lensmodel.explain.bands import bands_there, faint_pixels, logit_changes_without
from tests.fixtures.networks import card_of, lively_network


def flux(shape=(4, 48, 48)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_a_band_declared_absent_changes_the_logit_as_an_image_without_it_does():
    network, card, given = lively_network("evidence-net").train(), card_of("evidence-net"), flux()
    given[3] = torch.nan
    changes = logit_changes_without(network, card, given)
    assert list(changes) == ["VIS", "Y", "J"]
    assert network.training
    assert given[:3].isfinite().all()
    network.eval()
    for index, band in enumerate(changes):
        without = given.clone()
        without[index] = torch.nan
        with torch.inference_mode():
            before, after = (network(network.normalise(one[None])).logit.item() for one in (given, without))
        assert changes[band] == pytest.approx(after - before, abs=1e-4)
        assert changes[band] != 0


def test_a_band_that_is_alone_is_not_taken_away():
    given = flux()
    given[1:] = torch.nan
    assert logit_changes_without(lively_network("evidence-net"), card_of("evidence-net"), given) == {}


@pytest.mark.parametrize(
    "card", [card_of("ou-66"), dataclasses.replace(card_of("evidence-net"), bands_may_be_missing=False)]
)
def test_a_network_that_needs_every_band_is_not_asked(card):
    with pytest.raises(ExplanationError, match="needs every band"):
        logit_changes_without(lively_network(card.architecture), card, flux())


def test_a_band_of_one_constant_is_not_there():
    image = flux()
    image[2] = -1
    assert bands_there(image).tolist() == [True, True, False, True]


def test_faint_pixels_are_all_but_the_outliers():
    band = flux((1, 40, 40))[0]
    sky = band.clone()
    band[10:14, 10:14] = 50.0
    faint = faint_pixels(band)
    assert len(faint) > 0.97 * band.numel() - 16
    assert faint.max() < 5
    assert torch.isin(faint, sky).all()
    assert faint_pixels(torch.ones(5, 5)).tolist() == [1.0] * 25
