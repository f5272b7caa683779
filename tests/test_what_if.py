"""What a network says of changed pixels: the score itself if none is, fills, bands, odd planes."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from data.campaign import create_campaign
from data.cutouts import Cutout, Plane
from data.simulations import simulate
from data.simulations.injected_lens import InjectedLens
from data.simulations.injection import lensed_light
from lensmodel.counterfactuals.erasing import sky_like
from lensmodel.errors import ExplanationError, ModelError
from lensmodel.explain.changes import FILLS, Change, Stroke
from lensmodel.explain.filling import Backdrop, changed, hidden_pixels
from lensmodel.explain.what_if import WhatIf
from lensmodel.models import model_named
from lensmodel.scoring import score
from tests.fixtures.galaxies import campaign_of, galaxy
from tests.fixtures.networks import added_model
from tests.fixtures.packed import planes

torch.set_num_threads(1)

ON_ARC = Change((Stroke(0.5, ((1.5, 0.0),)),))


def spot_on_sky(*, level: float = 3.0, shape: tuple[int, int] = (64, 64), scale_arcsec: float = 0.1) -> Plane:
    """Sky of that level and a scatter of 1, and a bright spot 1.5 arcsec right of the centre."""
    random = np.random.default_rng(7)
    y, x = np.indices(shape)
    distance = np.hypot(x - (shape[1] - 1) / 2 - 1.5 / scale_arcsec, y - (shape[0] - 1) / 2)
    flux = random.normal(level, 1, shape) + 200 * (distance * scale_arcsec < 0.3)
    return Plane(flux.astype(np.float32), scale_arcsec)


@pytest.fixture
def two_models(tmp_path):
    """Evidence-net as it is shipped, and a random OU-66, with objects that both can see."""
    cutouts = [Cutout(f"object {n}", planes((200, 200), 0.1, seed=n)) for n in range(2)]
    return campaign_of(tmp_path / "c", cutouts), [model_named("evidence-net"), added_model(tmp_path)]


def test_an_object_that_nobody_changed_gets_the_score_that_it_has(two_models):
    campaign, cards = two_models
    what_if = WhatIf(campaign)
    for card in cards:
        score(campaign, card)
        for object_id in campaign.objects().ids:
            stored = campaign.objects().get(object_id)
            answer = what_if.answer(card, stored, Change())
            kept = scores_of(campaign, card)[object_id]
            assert answer.now == answer.before
            assert answer.now["logit"] == pytest.approx(kept["logit"], abs=1e-4)
            assert answer.now["p_lens"] == pytest.approx(kept["p_lens"], abs=1e-5)
            assert answer.now.get("x_arcsec") == pytest.approx(kept["x_arcsec"], abs=1e-4)
            assert (answer.patches, answer.hidden) == ([], None)


def scores_of(campaign, card):
    import pyarrow.parquet as pq

    parts = campaign.score_parts(card.version)
    return {row["object_id"]: row for part in parts for row in pq.read_table(part).to_pylist()}


def test_hidden_pixels_change_the_verdict_and_the_evidence_map_where_they_are(tmp_path):
    flux = {band: dataclasses.replace(spot_on_sky(), zero_point_mag=24.6) for band in ("VIS", "Y", "J", "H")}
    campaign = campaign_of(tmp_path / "c", [Cutout("spot", flux)])
    stored = campaign.objects().get("spot")
    card = model_named("evidence-net")
    what_if = WhatIf(campaign)
    before = what_if.answer(card, stored, Change(), with_map=True)
    after = what_if.answer(card, stored, ON_ARC, with_map=True)
    assert after.now["logit"] != before.now["logit"]
    assert after.before == before.now
    assert after.evidence.shape == (64, 64)
    assert not np.array_equal(after.evidence, before.evidence, equal_nan=True)
    assert after.hidden.area_arcsec2 == pytest.approx(np.pi * 0.5**2, rel=0.05)
    assert (after.hidden.x_arcsec, after.hidden.y_arcsec) == pytest.approx((1.5, 0.0), abs=0.06)


def test_patches_are_what_the_network_saw(tmp_path):
    flux = {band: spot_on_sky() for band in ("VIS", "Y", "J", "H")}
    campaign = campaign_of(tmp_path / "c", [Cutout("spot", flux)])
    change = dataclasses.replace(ON_ARC, bands=("VIS", "H"))
    answer = WhatIf(campaign).answer(model_named("evidence-net"), campaign.objects().get("spot"), change)
    assert [patch.band for patch in answer.patches] == ["VIS", "H"]
    expected = changed(flux, change, Backdrop(flux))
    for patch in answer.patches:
        height, width = patch.values.shape
        shown = flux[patch.band].flux.copy()
        shown[patch.y_px : patch.y_px + height, patch.x_px : patch.x_px + width] = patch.values
        np.testing.assert_array_equal(shown, expected[patch.band].flux)


@pytest.mark.parametrize("fill", FILLS)
def test_every_fill_removes_the_spot_and_nothing_else(fill):
    plane = spot_on_sky()
    filled = changed({"VIS": plane}, dataclasses.replace(ON_ARC, fill=fill), Backdrop({"VIS": plane}))[
        "VIS"
    ].flux
    taken = hidden_pixels(ON_ARC.strokes, (64, 64), 0.1)
    np.testing.assert_array_equal(filled[~taken], plane.flux[~taken])
    assert abs(filled[taken].mean() - 3) < 0.5
    assert filled[taken].max() < 8
    assert (filled[taken].std() > 0.7) == (fill == "noise")


def test_a_median_in_the_light_of_a_galaxy_is_its_light_not_the_sky():
    y, x = np.indices((64, 64))
    light = (np.exp(-np.hypot(y - 31.5, x - 31.5) / 12) * 100).astype(np.float32)
    spot = Plane(light + 50 * (np.hypot(y - 31.5, x - 41.5) < 2.5).astype(np.float32), 0.1)
    stroke = Stroke(0.3, ((1.0, 0.0),))
    taken = hidden_pixels((stroke,), (64, 64), 0.1)
    by_fill = {
        fill: changed({"VIS": spot}, Change((stroke,), fill), Backdrop({"VIS": spot}))["VIS"].flux[taken]
        for fill in ("median", "sky")
    }
    assert by_fill["median"].mean() == pytest.approx(light[taken].mean(), rel=0.2)
    assert by_fill["sky"].mean() < 0.5 * light[taken].mean()


def test_what_was_not_measured_stays_so():
    plane = spot_on_sky()
    plane.flux[32, 44:48] = np.nan
    for fill in FILLS:
        change = dataclasses.replace(ON_ARC, fill=fill)
        filled = changed({"VIS": plane}, change, Backdrop({"VIS": plane}))["VIS"].flux
        np.testing.assert_array_equal(np.isnan(filled), np.isnan(plane.flux))


def test_a_band_of_nothing_and_a_hidden_whole_image_have_fills_all_the_same():
    empty = Plane(np.full((20, 20), np.nan, np.float32), 0.1)
    whole = Stroke(100.0, ((0.0, 0.0),))
    plane = spot_on_sky()
    for fill in FILLS:
        given = {"VIS": plane, "Y": empty}
        filled = changed(given, Change((whole,), fill), Backdrop(given))
        assert np.isfinite(filled["VIS"].flux).all()
        assert np.isnan(filled["Y"].flux).all()


@pytest.mark.parametrize("scale_arcsec", [0.1, 0.3])
def test_the_narrowest_brush_hides_a_pixel_wherever_it_is_set(scale_arcsec):
    for x in np.linspace(-0.5, 0.5, 23):
        assert hidden_pixels((Stroke(1e-3, ((x, 0.123),)),), (33, 34), scale_arcsec).any()


def test_a_stroke_covers_what_lies_near_its_path():
    path = ((-1.0, -1.0), (1.0, 0.5), (1.0, 1.5))
    mask = hidden_pixels((Stroke(0.35, path),), (60, 50), 0.1)
    y, x = (np.indices((60, 50)) - np.array([29.5, 24.5])[:, None, None]) * 0.1
    steps = np.concatenate([np.linspace(a, b, 2000) for a, b in pairwise(path)])
    near = np.hypot(x[..., None] - steps[:, 0], y[..., None] - steps[:, 1]).min(-1)
    assert mask[near < 0.349].all()
    assert not mask[near > 0.351].any()


def test_sky_is_measured_beside_a_galaxy_and_noise_is_as_correlated_as_it_was():
    random = np.random.default_rng(3)
    white = random.normal(0, 1, (101, 101))
    correlated = 5 + (white[:-1, :-1] + white[1:, :-1] + white[:-1, 1:] + white[1:, 1:]) / 2
    y, x = np.indices((100, 100))
    flux = correlated + 300 * np.exp(-np.hypot(y - 50, x - 50) / 4)
    level, sky = sky_like(flux.astype(np.float32), random)
    assert level == pytest.approx(5, abs=0.3)
    assert sky.std() == pytest.approx(1, abs=0.15)
    assert np.corrcoef(sky[:, 1:].ravel(), sky[:, :-1].ravel())[0, 1] == pytest.approx(0.5, abs=0.1)


def test_a_model_says_why_it_cannot_see_an_object(tmp_path):
    cutouts = [Cutout("small", galaxy(1)), Cutout("dark", {"VIS": Plane(np.ones((64, 64), np.float32), 0.1)})]
    campaign = campaign_of(tmp_path / "c", cutouts)
    what_if = WhatIf(campaign)
    small, dark = campaign.objects().rows_of(["small", "dark"])
    card = model_named("evidence-net")
    everything = Change((Stroke(50.0, ((0.0, 0.0),)),), "sky")
    of_another = dataclasses.replace(card, survey="des")
    ou_66 = added_model(tmp_path)
    with pytest.raises(ExplanationError, match=r"small.*OU-66 looks at 19.8"):
        what_if.answer(ou_66, small, Change())
    with pytest.raises(ExplanationError, match=r"dark.*constant"):
        what_if.answer(card, dark, Change())
    with pytest.raises(ExplanationError, match=r"small.*constant"):
        what_if.answer(card, small, everything)
    with pytest.raises(ModelError, match="survey"):
        what_if.answer(of_another, small, Change())


def test_a_lens_is_added_to_what_was_measured_after_pixels_were_hidden():
    plane = spot_on_sky()
    plane.flux[10, 10] = np.nan
    given = {"VIS": plane, "g": plane}
    lens = InjectedLens(0.0, 0.0, 1.0, 22.0, 0.3, 0.2, 0.0)
    hidden = changed(given, ON_ARC, Backdrop(given))
    both = changed(given, dataclasses.replace(ON_ARC, lens=lens), Backdrop(given))
    added = lensed_light(given, lens)["VIS"]
    assert added.sum() > 0
    np.testing.assert_array_equal(both["VIS"].flux, hidden["VIS"].flux + added)
    np.testing.assert_array_equal(both["g"].flux, hidden["g"].flux)


def test_the_network_finds_a_bright_ring_put_round_a_galaxy(tmp_path):
    campaign = create_campaign(tmp_path / "c", survey="euclid", title="No lenses")
    simulate(campaign, number=60, seed=3, recipe="held-out")
    what_if, card = WhatIf(campaign), model_named("evidence-net")
    gained = []
    for stored in campaign.objects().rows_of(campaign.objects().ids):
        if stored.columns["subtype"] == "elliptical":
            place = stored.columns["sim_target_x_arcsec"], stored.columns["sim_target_y_arcsec"]
            lens = InjectedLens(
                *place, theta_e_arcsec=1.3, mag_vis=23.0, vis_y=0.2, offset=0.3, angle_deg=30.0
            )
            answer = what_if.answer(card, stored, Change(lens=lens))
            gained.append(answer.now["logit"] - answer.before["logit"])
            assert [patch.band for patch in answer.patches] == ["VIS", "Y", "J", "H"]
    assert len(gained) > 2
    assert np.median(gained) > 3


def test_no_lens_is_simulated_in_bands_of_other_surveys(tmp_path):
    campaign = campaign_of(tmp_path / "c", [Cutout("one", galaxy(1))])
    (stored,) = campaign.objects().rows_of(["one"])
    elsewhere = dataclasses.replace(campaign, survey=dataclasses.replace(campaign.survey, name="des"))
    card = dataclasses.replace(model_named("evidence-net"), survey="des")
    change = Change(lens=InjectedLens(0.0, 0.0, 1.0, 22.0, 0.3, 0.2, 0.0))
    with pytest.raises(ExplanationError, match="lenses are simulated in VIS, Y, J, H of euclid"):
        WhatIf(elsewhere).answer(card, stored, change)


def test_only_the_objects_asked_for_last_are_kept(tmp_path):
    campaign = campaign_of(tmp_path / "c", [Cutout(f"o{n}", galaxy(n)) for n in range(12)])
    what_if = WhatIf(campaign)
    for object_id in campaign.objects().ids:
        what_if.answer(model_named("evidence-net"), campaign.objects().get(object_id), ON_ARC)
    assert [object_id for object_id, _ in what_if._objects] == [f"o{n}" for n in range(4, 12)]
