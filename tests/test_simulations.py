"""The simulated sky: lensing against closed forms, the telescope's laws, truth that describes the images."""

import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from data.campaign import Campaign, create_campaign, open_campaign
from data.errors import CampaignError
from data.simulations import simulate
from data.simulations.arcs import arc_mask, arc_truth
from data.simulations.dice import Dice
from data.simulations.instrument import (
    FIELD_PX,
    MARGIN_PX,
    OPTICS,
    binned,
    convolve,
    correlated_noise,
    draw_psf_shapes,
    flux_of_mag,
    moffat,
    observe,
    record,
)
from data.simulations.lensing import Mass, source_position
from data.simulations.light import FINE_PX, Sersic, Sky, annulus
from data.simulations.menu import NIR, Recipe
from data.simulations.recipes import (
    CHUNK,
    CONTAMINANT_SCENES,
    LENS_SCENES,
    RECIPES,
    SCENES,
    draw_chunk,
    simulate_chunks,
    with_twins,
)
from data.simulations.writing import name_of, object_id_of, sky_position
from data.truth import TruthMasks
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def chunk():
    return draw_chunk(11, 0, "training")


@pytest.fixture(scope="module")
def twins():
    return draw_chunk(4, 0, "held-out")


def dice(number: int, seed: int = 1, **options: float) -> Dice:
    return Dice(number, torch.Generator().manual_seed(seed), **options)


def one(value: float) -> torch.Tensor:
    return torch.tensor([value])


def mass(theta_e: float = 1.3, axis_ratio: float = 0.999999, shear: float = 0.0) -> Mass:
    return Mass(one(0.2), one(-0.3), one(axis_ratio), one(0.0), one(theta_e), one(shear), one(0.0))


def test_a_round_lens_maps_its_einstein_ring_to_one_point():
    angle = torch.linspace(0, 2 * math.pi, 50)
    x, y = 0.2 + 1.3 * angle.cos(), -0.3 + 1.3 * angle.sin()
    beta_x, beta_y = source_position(mass(), x[None], y[None])
    assert torch.hypot(beta_x - 0.2, beta_y + 0.3).max() < 2e-3


def test_a_round_lens_makes_two_images_on_opposite_sides_whose_radii_differ_by_twice_the_offset():
    # Isothermal sphere: theta = theta_E +- beta (Schneider, Ehlers & Falco 1992, Sect. 8.1.4).
    beta = 0.4
    x = torch.tensor([0.2 + 1.3 + beta, 0.2 - 1.3 + beta])
    beta_x, beta_y = source_position(mass(), x[None], torch.full((1, 2), -0.3))
    assert torch.allclose(beta_x, torch.tensor(0.2 + beta), atol=2e-3)
    assert torch.allclose(beta_y, torch.tensor(-0.3), atol=2e-3)


def test_shear_alone_stretches_by_one_plus_and_minus_gamma():
    x = torch.tensor([[1.2, 0.2]])
    y = torch.tensor([[-0.3, 0.7]])
    beta_x, beta_y = source_position(mass(theta_e=0.0, shear=0.1), x, y)
    assert torch.allclose(beta_x - 0.2, torch.tensor([[0.9, 0.0]]), atol=1e-5)
    assert torch.allclose(beta_y + 0.3, torch.tensor([[0.0, 1.1]]), atol=1e-5)


def test_the_critical_curve_of_an_ellipsoid_encloses_the_area_of_a_circle_of_radius_theta_e():
    # kappa = 1/2 on the critical curve of an isothermal ellipsoid: det A = 1 - 2 kappa.
    n, side = 600, 5.0
    axis = (torch.arange(n) - (n - 1) / 2) * side / n
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    centred = Mass(one(0), one(0), one(0.6), one(0.5), one(1.3), one(0), one(0))
    beta_x, beta_y = (value[0] for value in source_position(centred, x, y))
    step = side / n
    dxy, dxx = torch.gradient(beta_x, spacing=step)
    dyy, dyx = torch.gradient(beta_y, spacing=step)
    inside = (dxx * dyy - dxy * dyx) < 0
    area = float(inside.sum()) * step**2
    assert area == pytest.approx(math.pi * 1.3**2, rel=0.02)


def test_a_galaxy_on_the_canvas_has_the_flux_it_was_given():
    sky = Sky(1)
    flux = torch.tensor([[2.0, 300.0, 400.0, 500.0]])
    sky.add_galaxy(Sersic(one(0.3), one(-0.2), one(0.7), one(0.4), one(1.0), one(0.5)), flux)
    assert float(sky.vis.sum()) == pytest.approx(2.0, rel=0.08)
    assert sky.nir.sum((-2, -1))[0].tolist() == pytest.approx([300.0, 400.0, 500.0], rel=0.08)


def test_half_of_a_galaxys_light_is_within_its_half_light_radius():
    sky = Sky(1)
    profile = Sersic(one(0), one(0), one(1), one(0), one(1.0), one(0.8)).at(sky.x, sky.y)[0]
    within = profile[torch.hypot(sky.x, sky.y) < 0.8].sum()
    assert float(within) == pytest.approx(0.5, abs=0.02)


def test_a_galaxy_without_flux_leaves_the_canvas_dark_and_its_neighbours_untouched():
    sky = Sky(2)
    two = torch.ones(2)
    shape = Sersic(0 * two, 0 * two, two, 0 * two, two, 0.5 * two)
    sky.add_galaxy(shape, torch.tensor([[0.0] * 4, [1.0] * 4]))
    assert float(sky.vis[0].sum()) == 0
    assert float(sky.vis[1].sum()) == pytest.approx(1, rel=0.08)


def test_an_annulus_is_brightest_at_its_radius():
    sky = Sky(1)
    ring = Sersic(one(0), one(0), one(1), one(0), one(1.5), one(1.5))
    light = annulus(ring, sky.x, sky.y, width=one(0.2), lopsided=one(0), phase=one(0))[0]
    row = light[FINE_PX // 2, FINE_PX // 2 :]
    assert float(sky.x[0, FINE_PX // 2 :][row.argmax()]) == pytest.approx(1.5, abs=0.05)
    assert float(light.sum()) == pytest.approx(1, rel=1e-4)


def test_a_psf_keeps_the_flux_and_has_the_width_it_was_given():
    kernel = moffat(108, fwhm_px=4.4, beta=3.0)
    point = torch.zeros(1, 108, 108)
    point[0, 54, 54] = 7.0
    blurred = convolve(point, kernel)[0]
    assert float(blurred.sum()) == pytest.approx(7.0, rel=1e-4)
    assert float(blurred[54, 56] / blurred[54, 54]) > 0.5 > float(blurred[54, 57] / blurred[54, 54])
    assert float(blurred[54, 54]) == float(blurred.max())


def test_a_psf_off_centre_moves_the_image_and_keeps_its_flux():
    image = torch.zeros(40, 40)
    image[20, 20] = 3
    moved = convolve(image, moffat(40, fwhm_px=4.0, beta=3.0, centre_px=(1.5, -0.7)))
    assert float(moved.sum()) == pytest.approx(3, rel=1e-4)
    axis = torch.arange(40) - 20.0
    near = moved[8:33, 8:33], axis[8:33]
    assert float((near[0].sum(0) * near[1]).sum() / near[0].sum()) == pytest.approx(1.5, abs=0.1)
    assert float((near[0].sum(1) * near[1]).sum() / near[0].sum()) == pytest.approx(-0.7, abs=0.1)


def test_y_j_h_are_off_vis_in_half_of_the_draws_and_all_alike():
    one = Dice(1, torch.Generator().manual_seed(3))
    drawn = [draw_psf_shapes(one) for _ in range(400)]
    assert all(
        vis.centre_px == (0, 0) and y.centre_px == j.centre_px == h.centre_px for vis, y, j, h in drawn
    )
    offsets = torch.tensor([shapes[1].centre_px for shapes in drawn])
    is_off = (offsets != 0).all(1)
    assert 0.4 < float(is_off.float().mean()) < 0.6
    assert float(offsets[is_off].std()) == pytest.approx(0.6, abs=0.08)


def test_binning_keeps_the_flux():
    fine = torch.rand(2, 8, 8)
    assert torch.allclose(binned(fine, 2).sum((-2, -1)), fine.sum((-2, -1)))


@pytest.mark.parametrize("band", OPTICS)
def test_an_empty_sky_has_the_noise_of_euclid(band: str):
    index = list(OPTICS).index(band)
    number = 8
    coarse = FIELD_PX + 2 * MARGIN_PX
    planes = observe(
        torch.zeros(number, FINE_PX, FINE_PX), torch.zeros(number, 3, coarse, coarse), dice(number)
    )[:, index]
    quiet = planes.flatten()[planes.flatten().abs() < 6 * OPTICS[band].noise_rms]
    assert float(quiet.std()) == pytest.approx(OPTICS[band].noise_rms, rel=0.12)
    assert float(quiet.mean().abs()) < 0.1 * OPTICS[band].noise_rms


def test_resampled_bands_have_correlated_noise_and_vis_hardly_any():
    def lag_one(width_px: float) -> float:
        noise = correlated_noise((4, 200, 200), width_px, dice(1))
        assert float(noise.std()) == pytest.approx(1, rel=0.03)
        return float((noise[..., 1:] * noise[..., :-1]).mean())

    assert lag_one(OPTICS["VIS"].noise_width_px) == pytest.approx(0.21, abs=0.15)
    assert lag_one(OPTICS["J"].noise_width_px) == pytest.approx(0.79, abs=0.05)


def test_a_magnitude_at_the_zero_point_is_one_unit_of_flux():
    assert float(flux_of_mag(one(24.6), "VIS")) == pytest.approx(1)
    assert float(flux_of_mag(one(27.3), "Y")) == pytest.approx(10)


def test_the_same_seed_gives_the_same_objects_and_another_seed_others(chunk):
    again = draw_chunk(11, 0, "training")
    assert torch.equal(chunk.images, again.images)
    assert chunk.subtypes == again.subtypes
    assert draw_chunk(12, 0, "training").subtypes != chunk.subtypes


def test_fewer_objects_are_the_first_of_more(chunk):
    (few,) = simulate_chunks(5, seed=11, recipe="training")
    assert torch.equal(few.images, chunk.images[:5])
    assert few.subtypes == chunk.subtypes[:5]


def test_images_are_finite_and_no_two_are_alike(chunk):
    assert chunk.images.isfinite().all()
    assert len({image.numpy().tobytes() for image in chunk.images}) == len(chunk)


def test_every_recipe_draws_from_the_menu_and_every_scene_is_drawn():
    for recipe in RECIPES.values():
        assert set(recipe.weights) <= set(SCENES)
    drawn = {scene for recipe in RECIPES.values() for scene in recipe.weights}
    no_groups = {"group lens (wilde2022)"} | {
        f"rich group lens ({population})" for population in ("wilde2022", "uniform", "nearby")
    }
    assert (
        set(SCENES) - drawn == no_groups
    )  # the paper has none; a rich group's mass is not that of a population


def test_targets_are_where_their_recipe_puts_them():
    for name, near, most in (("off-centre", 0.006, 6.0), ("held-out", 0.54, 1.5), ("wilde2022", 1.0, 0.7)):
        recipe = RECIPES[name]
        some = dice(2048, centred=recipe.centred, reach_arcsec=recipe.reach_arcsec)
        x, y = some.near_centre()
        assert float((torch.hypot(x, y) < 0.5).float().mean()) == pytest.approx(near, abs=0.03)
        assert most / 2 < max(float(x.abs().max()), float(y.abs().max())) <= most


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_says_where_its_target_is_and_only_lenses_have_an_einstein_radius(name: str):
    sky = Sky(3)
    truth = SCENES[name](dice(3), sky)
    assert {"sim_target_x_arcsec", "sim_target_y_arcsec"} <= set(truth)
    assert ({"mag_vis", "z_phot"} <= set(truth)) == (name != "blank sky"), (
        "which has a place, but nothing is there"
    )
    assert ("theta_E_arcsec" in truth) == (name in LENS_SCENES)
    known = {key: values for key, values in truth.items() if not key.startswith("sim_member_")}
    assert all(len(values) == 3 and values.isfinite().all() for values in known.values())
    assert (sky.vis.sum((-2, -1)) > 0).all()
    assert (sky.lensed is not None) == (name in LENS_SCENES)
    assert float(truth["sim_target_x_arcsec"].abs().max()) <= 1.5


def test_the_deflectors_of_lenses_and_of_ellipticals_are_the_same_population():
    lenses = LENS_SCENES["arc"](dice(64, seed=3), Sky(64))["mag_vis"]
    others = CONTAMINANT_SCENES["elliptical"](dice(64, seed=4), Sky(64))["mag_vis"]
    assert float(lenses.mean() - others.mean()) == pytest.approx(0, abs=0.6)


def test_simulated_objects_reach_a_campaign_with_their_truth(campaign: Campaign):
    done: list[int] = []
    assert simulate(campaign, number=24, seed=5, on_progress=done.append) == 24
    assert done == [24]
    table = campaign.objects()
    rows = table.rows_of(table.ids)
    assert len(rows) == 24
    for stored in rows:
        assert stored.bands == ("VIS", "Y", "J", "H")
        assert (stored.columns["theta_E_arcsec"] is None) == (stored.columns["class"] == "nonlens")
        assert (stored.columns["lens_x_arcsec"] is None) == (stored.columns["class"] == "nonlens")
    known = {"mag_vis", "z_phot", "class", "subtype", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec"}
    assert all(name in known or name.startswith("sim_") for name in rows[0].columns)
    planes = campaign.cutouts().read(rows[3])
    assert planes["VIS"].flux.shape == (100, 100)
    assert planes["Y"].zero_point_mag == 29.8
    (chunk,) = simulate_chunks(24, seed=5, recipe="training")
    assert [stored.columns["class"] == "lens" for stored in rows] == chunk.is_lens.tolist()
    assert [stored.columns["subtype"] for stored in rows] == chunk.subtypes
    assert np.array_equal(planes["H"].flux, chunk.images[3, 3].numpy())


def test_the_same_command_again_adds_only_what_is_missing(campaign: Campaign):
    assert simulate(campaign, number=2, seed=5) == 2
    assert simulate(campaign, number=2, seed=5) == 0
    assert simulate(campaign, number=3, seed=5) == 1
    table = campaign.objects()
    rows = table.rows_of(table.ids)
    (chunk,) = simulate_chunks(3, seed=5, recipe="training")
    for row, stored in enumerate(rows):
        assert np.array_equal(campaign.cutouts().read(stored)["VIS"].flux, chunk.images[row, 0].numpy())
        assert np.array_equal(TruthMasks(campaign.truth_path).read(stored), chunk.lensed[row].numpy())


def test_a_killed_command_goes_on_and_leaves_what_an_undisturbed_one_leaves(tmp_path):
    folder = tmp_path / "mocks"
    command = [
        sys.executable,
        "-m",
        "dashboard.cli",
        "simulate",
        str(folder),
        "--number",
        "600",
        "--seed",
        "3",
    ]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (folder / "catalogue.parquet").exists() and run.poll() is None:
        time.sleep(0.05)
    run.kill()
    run.wait()
    campaign = open_campaign(folder)
    finished = len(campaign.objects())
    assert finished % CHUNK == 0
    assert finished < 600
    number = finished + 3
    assert simulate(campaign, number=number, seed=3) == 3
    table = campaign.objects()
    *_, last = simulate_chunks(number, seed=3, recipe="training")
    stored = table.rows_of([table.ids[-1]])[0]
    assert np.array_equal(campaign.cutouts().read(stored)["H"].flux, last.images[-1, 3].numpy())


def test_processes_draw_what_one_alone_draws_and_write_it_in_order(tmp_path):
    campaigns = [create_campaign(tmp_path / name, survey="euclid") for name in ("alone", "together")]
    done: list[int] = []
    for campaign, workers in zip(campaigns, (1, 2), strict=True):
        number = CHUNK + 20
        simulate(campaign, number=number, seed=3, recipe="demo", workers=workers, on_progress=done.append)
    assert done == 2 * [CHUNK, CHUNK + 20]
    alone, together = (campaign.objects() for campaign in campaigns)
    assert alone.table.equals(together.table)
    for stored in alone.rows_of([*alone.ids[:3], *alone.ids[-3:]]):
        planes = [campaign.cutouts().read(stored) for campaign in campaigns]
        assert all(np.array_equal(planes[0][band].flux, planes[1][band].flux) for band in planes[0])


def test_a_lens_and_its_twin_differ_by_the_lensed_light_alone(twins):
    lenses = (twins.is_lens & (twins.twin >= 0)).nonzero()[:, 0]
    assert len(lenses) > 8
    for row in lenses.tolist():
        twin = int(twins.twin[row])
        assert int(twins.twin[twin]) == row
        assert twins.subtypes[twin] == "twin"
        assert not twins.is_lens[twin]
        assert not twins.lensed[twin].any()
        far = ~max_pool2d(twins.lensed[row][None].float(), 41, stride=1, padding=20)[0].bool()
        vis = OPTICS["VIS"].noise_rms
        difference = (twins.images[row] - twins.images[twin])[0]
        assert float(difference[far].abs().max() if far.any() else 0) < 5 * vis
        assert float(difference.sum()) > 0
    for name in ("mag_vis", "z_phot", "sim_redshift", "sim_target_x_arcsec"):
        assert torch.equal(twins.truth[name][lenses], twins.truth[name][twins.twin[lenses]])
    assert twins.truth["theta_E_arcsec"][twins.twin[lenses]].isnan().all()


def test_every_lens_of_a_chunk_has_its_twin_in_it_and_a_twin_follows_its_lens():
    scenes = ["arc", "spiral", "ring"]
    assert with_twins(scenes, [True] * 3, 5) == ["arc", "twin", "spiral", "ring", "twin"]
    assert with_twins(scenes, [False, True, True], 5) == ["arc", "spiral", "ring", "twin"]
    assert with_twins(["arc", "ring", "spiral"], [True] * 3, 3) == ["arc", "twin", "spiral"]


def test_as_many_lenses_have_a_twin_as_their_recipe_says(chunk, twins):
    assert RECIPES["training"].twins == 1
    followed = (chunk.twin >= 0)[chunk.is_lens]
    assert followed.all()
    share = float((twins.twin >= 0)[twins.is_lens].float().mean())
    assert share == pytest.approx(RECIPES["held-out"].twins, abs=3 * (0.19 * 0.81 / 100) ** 0.5)
    assert (twins.twin[~twins.is_lens] >= 0).sum() == (twins.twin[twins.is_lens] >= 0).sum()


def test_of_what_networks_are_compared_on_two_in_five_are_lenses_and_half_of_the_rest_is_hard():
    recipe = RECIPES["held-out"]
    lenses = sum(weight for scene, weight in recipe.weights.items() if scene in LENS_SCENES)
    negatives = {scene: weight for scene, weight in recipe.weights.items() if scene not in LENS_SCENES}
    twins = recipe.twins * lenses
    rest = twins + sum(negatives.values())
    assert lenses / (lenses + rest) == pytest.approx(0.4, abs=0.005)
    hard = {
        "twins": twins,
        "rings": negatives["ring galaxy"],
        "companions": sum(weight for scene, weight in negatives.items() if "companions" in scene),
        "mergers": negatives["merger"] + negatives["tidal arms"],
    }
    assert all(weight / rest >= 0.1 for weight in hard.values()), hard
    assert sum(hard.values()) / rest == pytest.approx(0.5, abs=0.005)


def test_what_is_drawn_to_compare_networks_on_has_these_shares():
    recipe = RECIPES["held-out"]
    drawn = [scene for index in range(8) for scene in _scenes_of(recipe, index)]
    is_lens = [scene in LENS_SCENES for scene in drawn]
    assert np.mean(is_lens) == pytest.approx(0.4, abs=3 * (0.24 / len(drawn)) ** 0.5)
    assert drawn.count("twin") / (len(drawn) - sum(is_lens)) == pytest.approx(0.125, abs=0.03)


def _scenes_of(recipe: Recipe, seed: int) -> list[str]:
    names, some = list(recipe.weights), dice(CHUNK, seed)
    drawn = [names[kind] for kind in some.pick(list(recipe.weights.values())).tolist()]
    return with_twins(drawn, some.chance(recipe.twins).tolist(), CHUNK)


def test_recipes_of_one_mixture_draw_other_images_with_the_same_seed(monkeypatch):
    monkeypatch.setitem(RECIPES, "survey again", RECIPES["survey"])
    assert not torch.equal(draw_chunk(3, 0, "survey").images, draw_chunk(3, 0, "survey again").images)


def test_a_nearby_galaxy_fills_the_cutout_and_blank_sky_does_not():
    lit = {}
    for name in ("nearby galaxy", "blank sky"):
        sky = Sky(16)
        SCENES[name](dice(16), sky)
        lit[name] = (sky.vis > OPTICS["VIS"].noise_rms).float().mean((-2, -1))
    assert float(lit["nearby galaxy"].median()) > 0.15
    assert float(lit["blank sky"].median()) < 0.03


def test_twins_are_named_in_the_catalogue(campaign: Campaign):
    simulate(campaign, number=12, seed=5, recipe="training")
    table = campaign.objects()
    of = {stored.object_id: stored.columns for stored in table.rows_of(table.ids)}
    pairs = [(name, str(columns["sim_twin"])) for name, columns in of.items() if columns["class"] == "lens"]
    assert pairs
    for name, twin in pairs[:-1]:
        assert of[twin]["sim_twin"] == name
        assert of[twin]["subtype"] == "twin"
        assert of[twin]["theta_E_arcsec"] is None


def test_arcs_have_a_mask_where_their_light_stands_out_and_an_snr_that_grows_with_it():
    flux = torch.zeros(3, 4, 40, 40)
    for row, level in enumerate((0.0, 1.0, 4.0)):
        flux[row, 0, 30:33, 10:30] = level * 6 * OPTICS["VIS"].noise_rms
    mask = arc_mask(flux)
    assert mask.sum((-2, -1)).tolist()[0] == 0
    assert mask[1, 31, 20]
    assert not mask[1, 20, 20]
    centre = torch.zeros(3)
    truth = arc_truth(flux, torch.zeros_like(flux), mask, centre, centre)
    assert truth["sim_arc_snr"][0] == 0
    assert 0 < truth["sim_arc_snr"][1] < truth["sim_arc_snr"][2]
    assert truth["sim_arc_is_detectable"].tolist() == [0, 1, 1]
    assert float(truth["sim_arc_radius_arcsec"][2]) == pytest.approx(1.25, abs=0.05)


def test_the_stated_snr_is_that_of_many_draws_of_the_noise():
    flux = torch.zeros(400, 4, 40, 40)
    flux[:, 2, 12:28, 12:28] = 2 * OPTICS["J"].noise_rms
    mask = arc_mask(flux[:1])
    zero = torch.zeros(1)
    stated = float(arc_truth(flux[:1], 0 * flux[:1], mask, zero, zero)["sim_arc_snr_j"])
    sums = (record(flux, dice(400))[:, 2] * mask).sum((-2, -1))
    middle = sums[(sums - sums.median()).abs() < 5 * (sums - sums.median()).abs().median()]
    measured = float(sums.median() / middle.std())
    assert measured == pytest.approx(stated, rel=0.2)


def test_a_recipe_that_is_not_known_is_refused_with_those_that_are(campaign: Campaign):
    with pytest.raises(CampaignError, match="known are training, held-out, demo, survey"):
        simulate(campaign, number=1, seed=1, recipe="cake")


def test_only_euclid_campaigns_take_simulations(tmp_path):
    with pytest.raises(CampaignError, match="simulations are of euclid"):
        simulate(create_campaign(tmp_path / "des", survey="des"), number=1, seed=1)


def test_objects_are_named_by_position_and_no_two_share_a_name():
    names = {name_of(*sky_position(seed, number, "training")) for seed in (1, 2) for number in range(20_000)}
    assert len(names) == 40_000
    assert name_of(61.346291667, -47.202900) == "SIM J040523.11-471210.4"


def test_no_recipe_and_no_kind_of_pixels_names_objects_as_another_does():
    named = {
        object_id_of(number, seed=1, recipe=recipe, nir=nir)
        for recipe in RECIPES
        for nir in NIR
        for number in range(500)
    }
    assert len(named) == 500 * len(RECIPES) * len(NIR)
