"""Simulated lenses against lenstronomy and astropy, pixel by pixel; images are named by what they look like."""

import math
import warnings

import numpy as np
import pytest
import torch
from astropy.cosmology import FlatLambdaCDM
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from data.simulations import configurations
from data.simulations.configurations import CONFIGURATIONS, image_count, reach_of
from data.simulations.cosmology import comoving_distance_mpc, distance_ratio, einstein_radius_arcsec
from data.simulations.dice import Dice
from data.simulations.lensing import Mass, source_position, two_source_positions
from data.simulations.light import FINE_SCALE_ARCSEC, Sersic, Sky
from data.simulations.populations import POPULATIONS, faber_jackson_mag
from data.simulations.recipes import draw_chunk
from data.simulations.sources import draw_source
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
CENTRE = (0.213, -0.337)
SHEAR = (0.04, -0.03)
Z_LENS, Z_NEAR, Z_FAR = 0.4, 0.9, 2.1


def one(value: float) -> torch.Tensor:
    return torch.tensor([value])


def grid(size: int = 96, scale: float = 0.07) -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(size) - (size - 1) / 2) * scale
    return tuple(np.meshgrid(axis, axis))


def as_tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def mass(theta_e: float, axis_ratio: float, angle: float, slope: float | None) -> Mass:
    tensors = map(one, (*CENTRE, axis_ratio, angle, theta_e, *SHEAR))
    return Mass(*tensors, slope=None if slope is None else one(slope))


def lenstronomy_mass(theta_e: float, axis_ratio: float, angle: float, slope: float) -> list[dict[str, float]]:
    e1, e2 = phi_q2_ellipticity(angle, axis_ratio)
    where = {"center_x": CENTRE[0], "center_y": CENTRE[1]}
    shear = {"gamma1": SHEAR[0], "gamma2": SHEAR[1], "ra_0": CENTRE[0], "dec_0": CENTRE[1]}
    return [{"theta_E": theta_e, "e1": e1, "e2": e2, "gamma": slope, **where}, shear]


@pytest.mark.parametrize("slope", [1.8, 2.0, 2.25])
@pytest.mark.parametrize("axis_ratio", [0.5, 0.7, 0.95])
@pytest.mark.parametrize("angle", [0.3, 2.2])
def test_single_lenses_agree_with_lenstronomy_pixel_by_pixel(slope: float, axis_ratio: float, angle: float):
    x, y = grid()
    theirs = LensModel(["EPL", "SHEAR"]).ray_shooting(x, y, lenstronomy_mass(1.3, axis_ratio, angle, slope))
    ours = source_position(mass(1.3, axis_ratio, angle, slope), *as_tensors(x, y))
    for axis in range(2):
        assert np.abs(ours[axis][0].numpy() - theirs[axis]).max() < 5e-5


def test_the_faster_isothermal_lens_agrees_with_lenstronomy_outside_its_core():
    x, y = grid()
    theirs = LensModel(["EPL", "SHEAR"]).ray_shooting(x, y, lenstronomy_mass(1.3, 0.7, 0.3, 2))
    ours = source_position(mass(1.3, 0.7, 0.3, None), *as_tensors(x, y))
    outside = np.hypot(x - CENTRE[0], y - CENTRE[1]) > 0.1
    for axis in range(2):
        assert np.abs(ours[axis][0].numpy() - theirs[axis])[outside].max() < 2e-3


@pytest.mark.parametrize("near_theta_e", [0.0, 0.3])
@pytest.mark.parametrize("slope", [1.9, 2.1])
@pytest.mark.parametrize("source", [(0.05, 0.0), (0.35, -0.2)])
def test_compound_lenses_agree_with_lenstronomys_multiplane_pixel_by_pixel(near_theta_e, slope, source):
    x, y = grid()
    near_x, near_y = CENTRE[0] + source[0], CENTRE[1] + source[1]
    e1, e2 = phi_q2_ellipticity(1.6, 0.8)
    main = lenstronomy_mass(1.6, 0.7, 0.6, slope)
    near = {"theta_E": near_theta_e, "e1": e1, "e2": e2, "center_x": near_x, "center_y": near_y}
    their_near = multiplane(["EPL", "SHEAR"], [Z_LENS] * 2, Z_NEAR).ray_shooting(x, y, main)
    their_far = multiplane(["EPL", "SHEAR", "SIE"], [Z_LENS, Z_LENS, Z_NEAR], Z_FAR).ray_shooting(
        x, y, [*main, near]
    )
    share = distance_ratio(one(Z_LENS), one(Z_NEAR)) / distance_ratio(one(Z_LENS), one(Z_FAR))
    zero = one(0.0)
    near_mass = Mass(one(near_x), one(near_y), one(0.8), one(1.6), one(near_theta_e), zero, zero, one(2.0))
    ours = two_source_positions(mass(1.6, 0.7, 0.6, slope), near_mass, share, *as_tensors(x, y))
    body = {"R_sersic": 0.2, "n_sersic": 1.0, "e1": 0.1, "e2": 0.05, "center_x": near_x, "center_y": near_y}
    for mine, theirs in zip(ours, (their_near, their_far), strict=True):
        for axis in range(2):
            assert np.abs(mine[axis][0].numpy() - theirs[axis]).max() < 2e-4
        light = LightModel(["SERSIC_ELLIPSE"])
        expected = light.surface_brightness(*theirs, [{"amp": 1.0, **body}])
        drawn = light.surface_brightness(mine[0][0].numpy(), mine[1][0].numpy(), [{"amp": 1.0, **body}])
        assert np.abs(drawn - expected).max() < 2e-3 * expected.max()


def multiplane(models: list[str], redshifts: list[float], source_z: float) -> LensModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks whether the cosmology is meant
        return LensModel(
            models,
            lens_redshift_list=redshifts,
            z_source=source_z,
            z_source_convention=Z_FAR,
            multi_plane=True,
            cosmo=COSMOLOGY,
        )


def test_lensed_light_agrees_with_lenstronomy_pixel_by_pixel():
    index = 1.0  # the softened core only scales an exponential: the shape can be compared
    sky = Sky(1)
    x, y = sky.x.numpy().astype(float), sky.y.numpy().astype(float)
    shape = Sersic(one(0.3), one(-0.2), one(0.7), one(0.4), one(index), one(0.3))
    ours = shape.at(*source_position(mass(1.3, 0.7, 0.6, 2.1), sky.x, sky.y))[0].numpy()
    beta = LensModel(["EPL", "SHEAR"]).ray_shooting(x, y, lenstronomy_mass(1.3, 0.7, 0.6, 2.1))
    e1, e2 = phi_q2_ellipticity(0.4, 0.7)
    # Ours is the half-light radius along the major axis, theirs the geometric mean of both.
    kwargs = {
        "R_sersic": 0.3 * 0.7**0.5,
        "n_sersic": index,
        "e1": e1,
        "e2": e2,
        "center_x": 0.3,
        "center_y": -0.2,
    }
    # LightModel wants brightness at the half-light radius; its b(n) is an approximation, good to half a percent.
    theirs = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(*beta, [{"amp": 1.0, **kwargs}])
    away = np.hypot(beta[0] - 0.3, beta[1] + 0.2) > 0.1  # outside the core that our grid cannot sample
    ours, theirs = ours * away / ours[away].sum(), theirs * away / theirs[away].sum()
    assert np.abs(ours - theirs).max() < 0.02 * theirs.max()


@pytest.mark.parametrize("index", [0.7, 1.0, 4.0])
@pytest.mark.parametrize("radius", [0.15, 0.6])
def test_what_a_softened_core_keeps_is_known(index: float, radius: float):
    fine = (torch.arange(3000) - 1499.5) * 0.004
    shape = Sersic(one(0.0), one(0.0), one(1.0), one(0.0), one(index), one(radius))
    y = torch.zeros(1)
    column = shape.at(fine[None, None, :].abs(), y[None, None])[0, 0]
    kept = float((column * torch.pi * fine.abs()).sum()) * 0.004 / FINE_SCALE_ARCSEC**2
    missing = 0.05 if index > 2 else 0.003  # the wings beyond 6 arcsec
    assert float(shape.share_kept()) == pytest.approx(kept, abs=missing)


def test_distances_are_astropys():
    redshift = torch.tensor([0.1, 0.5, 1.0, 3.0, 5.5])
    expected = COSMOLOGY.comoving_distance(redshift.numpy()).value
    assert np.allclose(comoving_distance_mpc(redshift).numpy(), expected, rtol=1e-5)
    ratio = COSMOLOGY.angular_diameter_distance(0.5, 2.0) / COSMOLOGY.angular_diameter_distance(2.0)
    assert float(distance_ratio(one(0.5), one(2.0))) == pytest.approx(float(ratio), rel=1e-5)
    assert float(distance_ratio(one(2.0), one(0.5))) == 0


def test_an_isothermal_sphere_of_250_km_s_has_the_einstein_radius_of_textbooks():
    # 1.4 arcsec (sigma / 220 km/s)^2 D_ls / D_s: Narayan & Bartelmann 1996, eq. 43.
    radius = einstein_radius_arcsec(one(250.0), one(0.5), one(2.0))
    expected = 1.4 * (250 / 220) ** 2 * distance_ratio(one(0.5), one(2.0))
    assert float(radius) == pytest.approx(float(expected), rel=0.02)


@pytest.mark.parametrize(("offset", "expected"), [(0.02, 4), (0.6, 2), (2.2, 1)])
def test_images_are_counted(offset: float, expected: int):
    sky = Sky(1)
    zero = one(0.0)
    lens = Mass(zero, zero, one(0.6), zero, one(1.3), zero, zero, one(2.0))
    beta = source_position(lens, sky.x, sky.y)
    count = image_count(*beta, (one(offset), one(0.013)), sky.x, sky.y, (zero, zero))
    assert int(count) == expected


def test_the_reach_of_a_mask_is_its_share_of_the_circle_and_of_its_longest_piece():
    axis = torch.arange(100) - 49.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    degrees = torch.rad2deg(torch.atan2(y, x)) % 360
    band = (torch.hypot(x, y) > 12) & (torch.hypot(x, y) < 18)
    masks = torch.stack(
        [band, band & ((degrees < 45) | (degrees > 315) | ((degrees > 170) & (degrees < 190)))]
    )
    reach, piece = reach_of(masks, torch.zeros(2), torch.zeros(2))
    assert reach[0] == piece[0] == 1
    assert float(piece[1]) == pytest.approx(90 / 360, abs=0.06)
    assert float(reach[1]) == pytest.approx(110 / 360, abs=0.09)


def test_images_are_named_by_number_and_reach():
    count = torch.tensor([2, 4, 2, 4])
    reach = torch.tensor([0.1, 0.3, 0.4, 0.9])
    piece = torch.tensor([0.05, 0.1, 0.3, 0.9])
    names = [CONFIGURATIONS[i] for i in configurations.single(count, reach, piece)]
    assert names == ["double", "quad", "arc", "ring"]
    two = configurations.compound(torch.tensor([0.9, 0.9]), torch.tensor([0.8, 0.2]))
    assert [CONFIGURATIONS[i] for i in two] == ["double ring", "compound arc"]


def test_a_source_off_the_lens_has_its_own_flux_whatever_its_clumps():
    dice = Dice(32, torch.Generator().manual_seed(1))
    source = draw_source(dice, dice.uniform(-1, 1), dice.uniform(-1, 1), redshift=dice.uniform(1, 2),
                         mag=dice.uniform(23, 25), red_share=0.3)  # fmt: skip
    sky = Sky(32)
    total = source.light(sky.x.expand(32, -1, -1), sky.y.expand(32, -1, -1)).sum((-2, -1))
    assert float(total.median()) == pytest.approx(1, abs=0.05)
    assert (total < 1.35).all()
    assert not (source.has_arms & source.is_red).any()
    assert (source.galaxy.mags[:, 0] - source.galaxy.mags[:, 1])[source.is_red].mean() > 0.9


@pytest.mark.parametrize("name", POPULATIONS)
def test_sources_lie_behind_deflectors_and_massive_deflectors_are_bright(name: str):
    dice = Dice(4000, torch.Generator().manual_seed(2))
    redshift, sigma = POPULATIONS[name].deflectors(dice)
    behind, mag = POPULATIONS[name].sources(dice, redshift)
    assert (behind > redshift + 0.15).all()
    assert 20 < mag.median() < 26.4
    assert 180 < sigma.median() < 280
    at_once = torch.full_like(sigma, 0.5)
    brighter = faber_jackson_mag(dice, sigma, at_once)
    slope = np.polyfit(np.log10(sigma.numpy()), brighter.numpy(), 1)[0]
    assert slope == pytest.approx(-10, abs=0.8)


def test_sources_of_wilde_2022_are_blue():
    assert POPULATIONS["wilde2022"].red_sources == 0


@pytest.fixture(scope="module")
def paper():
    return draw_chunk(2, 0, "wilde2022")


def test_compound_lenses_come_as_arcs_and_double_rings_centred_in_20_arcsec_with_their_twins(paper):
    assert paper.images.shape[-2:] == (200, 200)
    assert {"compound arc", "double ring", "twin"} < set(paper.subtypes)
    assert float(paper.truth["sim_target_x_arcsec"].abs().max()) < 0.6
    compound = torch.tensor([name in ("compound arc", "double ring") for name in paper.subtypes])
    truth = {name: values[compound] for name, values in paper.truth.items()}
    assert (truth["sim_redshift"] < truth["sim_source_redshift"]).all()
    assert (truth["sim_source_redshift"] < truth["sim_source_redshift_2"]).all()
    assert (truth["theta_E_arcsec"] < truth["sim_theta_E_2_arcsec"]).all()
    assert (paper.truth["sim_source_redshift_2"].isnan() | compound).all()


def test_arcs_are_the_source_magnified(paper):
    single = torch.tensor([name in ("arc", "ring", "quad", "double") for name in paper.subtypes])
    truth = {name: values[single] for name, values in paper.truth.items()}
    gained = truth["sim_source_mag_vis"] - truth["sim_arc_mag_vis"]
    expected = 2.5 * truth["sim_magnification"].log10()
    assert torch.allclose(gained, expected, atol=0.05)
    assert float(truth["sim_magnification"].median()) > 2
    assert math.isfinite(float(truth["sim_arc_snr"].sum()))
