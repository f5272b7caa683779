"""Arcs erased from images that are known without them."""

import numpy as np
import pytest
from scipy import ndimage

from data.cutouts import Plane
from lensmodel.counterfactuals.erasing import control_mask, erased

SIDE, NOISE = 101, 1.0
LENS = (0.2, -0.1)
COMPANION = (-2.9, 2.4)
FWHM = {"VIS": 0.16, "H": 0.5}


def offsets() -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * 0.1
    return axis[None, :], axis[:, None]


def galaxy(x0: float, y0: float, *, axis_ratio: float, angle_deg: float, peak: float, size: float):
    x, y = offsets()
    turn = np.radians(angle_deg)
    along = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
    across = -(x - x0) * np.sin(turn) + (y - y0) * np.cos(turn)
    radius = np.sqrt(axis_ratio * along**2 + across**2 / axis_ratio + 0.01)
    return peak * np.exp(-2.0 * (radius / size) ** 0.6)


def ring_mask(*, opening_deg: float) -> np.ndarray:
    x, y = offsets()
    radius = np.hypot(x - LENS[0], y - LENS[1])
    angle = np.degrees(np.arctan2(y - LENS[1], x - LENS[0])) % 360
    return (np.abs(radius - 1.4) < 0.35) & (angle < opening_deg)


@pytest.fixture
def scene():
    """(truth without arcs, image with arcs and noise) in two bands, sky noise correlated as after resampling."""
    random = np.random.default_rng(5)
    x, y = offsets()
    truth, planes = {}, {}
    for band, fwhm in FWHM.items():
        light = galaxy(*LENS, axis_ratio=0.7, angle_deg=30, peak=900.0, size=0.6)
        light = light + galaxy(*COMPANION, axis_ratio=0.9, angle_deg=80, peak=150.0, size=0.4)
        radius = np.hypot(x - LENS[0], y - LENS[1])
        arc = 25.0 * np.exp(-0.5 * ((radius - 1.4) / 0.1) ** 2) * ring_mask(opening_deg=200)
        sigma = fwhm / 0.1 / 2.355
        sky = ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), 0.7)
        sky *= NOISE / sky.std()
        truth[band] = ndimage.gaussian_filter(light, sigma)
        planes[band] = Plane(
            (ndimage.gaussian_filter(light + arc, sigma) + sky + 3.0).astype(np.float32), 0.1, 24.6
        )
    return {band: light + 3.0 for band, light in truth.items()}, planes


def without(planes: dict[str, Plane], mask: np.ndarray, *, seed: int = 1, arcs: np.ndarray | None = None):
    return erased(
        planes,
        mask,
        mask_scale_arcsec=0.1,
        arcs=arcs,
        galaxies_arcsec=(LENS,),
        fwhm_arcsec=FWHM,
        random=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("band", FWHM)
def test_erasing_a_ring_gives_back_the_galaxy_within_the_noise(scene, band):
    truth, planes = scene
    mask = ring_mask(opening_deg=200)
    left = without(planes, mask)[band].flux - truth[band]
    before = (planes[band].flux - truth[band])[mask]
    assert before.mean() > 5 * NOISE
    # What is left is what the PSF threw beyond the mask.
    assert abs(left[mask].mean()) < min(0.1 * before.mean(), 0.7 * NOISE)
    # Nor is there any place in it where much light is left or missing.
    assert np.abs(ndimage.gaussian_filter(left, 2)[mask]).max() < 2 * NOISE


@pytest.mark.parametrize("band", FWHM)
def test_the_erased_patch_is_as_noisy_as_the_sky_and_correlated_as_it(scene, band):
    _, planes = scene
    mask = ring_mask(opening_deg=200)
    # Two runs differ by their noise alone.
    first, second = (without(planes, mask, seed=seed)[band].flux for seed in (1, 2))
    noise = (first - second) / np.sqrt(2)
    assert noise[mask].std() == pytest.approx(NOISE, rel=0.25)
    pairs = mask[:, 1:] & mask[:, :-1]
    together = np.corrcoef(noise[:, 1:][pairs], noise[:, :-1][pairs])[0, 1]
    sky = planes[band].flux[:20, 60:]
    assert together == pytest.approx(np.corrcoef(sky[:, 1:].ravel(), sky[:, :-1].ravel())[0, 1], abs=0.15)


def test_nothing_changes_away_from_the_mask_and_the_companion_stays(scene):
    _, planes = scene
    mask = ring_mask(opening_deg=200)
    x, y = offsets()
    for band, plane in without(planes, mask).items():
        far = ndimage.distance_transform_edt(~mask) > FWHM[band] / 0.1
        assert np.array_equal(plane.flux[far], planes[band].flux[far])
        companion = np.hypot(x - COMPANION[0], y - COMPANION[1]) < 0.8
        assert np.array_equal(plane.flux[companion], planes[band].flux[companion])
        core = np.hypot(x - LENS[0], y - LENS[1]) < 0.3
        assert np.array_equal(plane.flux[core], planes[band].flux[core])


def test_the_same_seed_erases_to_the_same_pixels(scene):
    _, planes = scene
    mask = ring_mask(opening_deg=200)
    first, again, other = (without(planes, mask, seed=seed)["H"].flux for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_control_lies_on_neither_arcs_nor_companions_and_its_erasing_leaves_the_arcs(scene):
    _, planes = scene
    mask = ring_mask(opening_deg=120)
    control, turn_deg = control_mask(
        planes["VIS"], mask, galaxies_arcsec=(LENS,), fwhm_arcsec=0.16, widest_arcsec=0.5
    )
    assert 60 < turn_deg < 300
    assert not (control & mask).any()
    assert control.sum() > 0.7 * mask.sum()
    x, y = offsets()
    assert not (control & (np.hypot(x - COMPANION[0], y - COMPANION[1]) < 0.4)).any()
    for band, plane in without(planes, control, arcs=mask).items():
        assert np.array_equal(plane.flux[mask], planes[band].flux[mask])
        assert (plane.flux != planes[band].flux)[control].mean() > 0.8


def test_pixels_that_were_not_measured_stay_so(scene):
    _, planes = scene
    flux = planes["VIS"].flux.copy()
    flux[40:60, 30:36] = np.nan
    found = without({"VIS": Plane(flux, 0.1, 24.6)}, ring_mask(opening_deg=200))["VIS"].flux
    assert np.array_equal(np.isnan(found), np.isnan(flux))


def test_light_far_from_any_galaxy_becomes_sky():
    random = np.random.default_rng(2)
    flux = random.normal(7.0, 1.0, (SIDE, SIDE)).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[10:20, 70:85] = True
    flux[mask] += 20
    found = without({"VIS": Plane(flux, 0.1, 24.6)}, mask)["VIS"].flux
    assert found[mask].mean() == pytest.approx(7.0, abs=0.4)
    assert found[mask].std() == pytest.approx(1.0, rel=0.3)
