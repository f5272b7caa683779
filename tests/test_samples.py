"""The shipped demo cutouts install fast and carry their truth."""

import numpy as np
import pytest

from data.campaign import Campaign
from data.errors import CampaignError
from data.samples import CATALOGUE, PIXELS, install_samples, read_samples
from data.samples.make import SEED, STEPS_PER_NOISE, packed
from data.simulations.instrument import OPTICS
from data.simulations.recipes import RECIPES, simulate_chunks
from data.simulations.writing import cutouts_of
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")


def test_samples_fill_a_campaign(campaign: Campaign):
    number = install_samples(campaign)
    assert number == len(campaign.objects()) == 200


def test_samples_do_not_mix_with_other_objects(campaign: Campaign):
    install_samples(campaign)
    with pytest.raises(CampaignError, match="samples go into a new campaign"):
        install_samples(campaign)


def test_about_a_third_of_the_samples_are_lenses_and_every_kind_is_there():
    columns = [cutout.columns for cutout in read_samples()]
    lenses = sum(c["class"] == "lens" for c in columns)
    assert 0.25 < lenses / len(columns) < 0.45
    assert {c["subtype"] for c in columns} == set(RECIPES["demo"].weights)


def test_samples_have_their_own_ids_and_positions():
    cutouts = read_samples()
    assert len({cutout.object_id for cutout in cutouts}) == len(cutouts)
    assert len({(cutout.ra_deg, cutout.dec_deg) for cutout in cutouts}) == len(cutouts)


def test_packing_changes_no_pixel_by_more_than_an_eighth_of_the_noise():
    (chunk,) = simulate_chunks(4, seed=3, recipe="demo")
    cutouts = cutouts_of(chunk, seed=3, recipe="demo", first=0)
    arrays = packed(cutouts)
    for band, optics in OPTICS.items():
        for index, cutout in enumerate(cutouts):
            unpacked = arrays[f"flux_{band}"][index] * arrays[f"step_{band}"][index]
            step = float(arrays[f"step_{band}"][index])
            assert step >= optics.noise_rms / STEPS_PER_NOISE * 0.999
            assert np.abs(unpacked - cutout.planes[band].flux).max() <= 0.51 * step


def test_samples_are_small():
    assert PIXELS.stat().st_size + CATALOGUE.stat().st_size < 10 * 2**20


def test_the_shipped_cutouts_are_those_that_their_recipe_makes():
    (chunk,) = simulate_chunks(3, seed=SEED, recipe="demo")
    made = cutouts_of(chunk, seed=SEED, recipe="demo", first=0)
    for shipped, fresh in zip(read_samples(), made, strict=False):
        assert shipped.object_id == fresh.object_id
        assert shipped.columns["subtype"] == fresh.columns["subtype"]
        for band, optics in OPTICS.items():
            difference = np.abs(shipped.planes[band].flux - fresh.planes[band].flux)
            assert np.median(difference) < optics.noise_rms / STEPS_PER_NOISE
