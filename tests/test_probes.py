"""Maps stacked in Einstein radii, their profile, and the colours under them, on images drawn by hand."""

import numpy as np
import pytest

from data.cutouts import Plane
from lensmodel.probes import about_lens, offsets_theta_E, pixel_colours, profile_of, stacked

SCALE = 0.1


def ring_map(radius_arcsec: float, x_arcsec: float, y_arcsec: float, side: int = 120) -> np.ndarray:
    """A ring of unit height, 0.1" wide, about a place."""
    offset = (np.arange(side) - (side - 1) / 2) * SCALE
    distance = np.hypot(offset[None] - x_arcsec, offset[:, None] - y_arcsec)
    return np.exp(-0.5 * ((distance - radius_arcsec) / 0.1) ** 2).astype(np.float32)


@pytest.mark.parametrize("theta_E", [0.8, 1.3])
def test_a_ring_at_the_einstein_radius_is_found_at_one_wherever_the_lens_is(theta_E: float):
    places = [(0.0, 0.0), (0.7, -0.4), (-1.0, 0.5)]
    grids = [
        about_lens(ring_map(theta_E, x, y), SCALE, x_arcsec=x, y_arcsec=y, theta_E_arcsec=theta_E)
        for x, y in places
    ]
    profile = profile_of(grids)
    assert profile.strongest == pytest.approx(1.0, abs=0.05)
    assert profile.strongest_interval == pytest.approx((1.0, 1.0), abs=0.11)
    assert 0.9 < profile.half < 1.2


def test_x_is_right_and_y_is_up():
    map_ = np.zeros((41, 41), np.float32)
    map_[20 + 10, 20] = 1.0  # one arcsec up
    grid = about_lens(map_, SCALE, x_arcsec=0.0, y_arcsec=0.0, theta_E_arcsec=1.0)
    row, column = np.unravel_index(np.nanargmax(grid), grid.shape)
    axis = offsets_theta_E()
    assert (axis[row], axis[column]) == pytest.approx((1.0, 0.0))


def test_no_map_outweighs_another_and_what_lies_off_the_image_is_not_counted():
    faint, bright = np.ones((81, 81), np.float32), 100 * np.ones((81, 81), np.float32)
    given = {"x_arcsec": 0.0, "y_arcsec": 0.0}
    wide = about_lens(bright, SCALE, theta_E_arcsec=1.0, **given)
    narrow = about_lens(faint, SCALE, theta_E_arcsec=2.0, **given)  # its corners are off the image
    assert np.isnan(narrow[0, 0])
    assert stacked([wide, narrow]) == pytest.approx(np.ones(wide.shape))


def test_half_of_a_uniform_disc_lies_within_its_radius_over_root_two():
    axis = offsets_theta_E()
    disc = (np.hypot(axis[:, None], axis) <= 2.0).astype(float)
    assert profile_of([disc]).half == pytest.approx(2.0 / np.sqrt(2), abs=0.1)


def test_lenses_that_differ_widen_the_interval():
    flat, hollow = np.ones((61, 61)), np.zeros((61, 61))
    alike, unlike = profile_of([flat, flat]), profile_of([flat, hollow])
    assert alike.high == pytest.approx(alike.low)
    assert (unlike.high - unlike.low).min() > 0.5


def two_blobs(side: int, scale: float, left: float, right: float) -> np.ndarray:
    """Two equal round sources 2" left and right of the middle, of these fluxes per square arcsec, in noise."""
    offset = (np.arange(side) - (side - 1) / 2) * scale
    light = [
        flux * np.exp(-0.5 * ((offset[None] - x) ** 2 + offset[:, None] ** 2) / 0.5**2)
        for x, flux in ((-2.0, left), (2.0, right))
    ]
    noise = np.random.default_rng(1).normal(0, 1.0, (side, side))
    return ((sum(light) + noise) * scale**2).astype(np.float32)


@pytest.mark.parametrize("red_scale", [0.1, 0.3])
def test_the_strong_part_of_a_map_has_the_colour_of_what_it_covers(red_scale: float):
    blue = Plane(two_blobs(120, 0.1, 1000, 1000), 0.1, 24.6)
    red = Plane(two_blobs(round(12 / red_scale), red_scale, 1000, 4000), red_scale, 24.6)
    map_ = np.zeros((120, 120), np.float32)
    map_[:, :60] = 1.0  # the left one, of colour 0
    found = pixel_colours(map_, 0.1, blue, red)
    assert found.mattered == pytest.approx(0.0, abs=0.05)
    assert found.others == pytest.approx(2.5 * np.log10(4), abs=0.05)


def test_a_map_of_nothing_has_no_colours():
    plane = Plane(two_blobs(60, 0.1, 1000, 1000), 0.1, 24.6)
    found = pixel_colours(np.full((60, 60), np.nan, np.float32), 0.1, plane, plane)
    assert np.isnan([found.mattered, found.others]).all()


def test_a_band_of_one_constant_has_no_light_of_its_own():
    light = Plane(two_blobs(60, 0.1, 1000, 1000), 0.1, 24.6)
    empty = Plane(np.full((60, 60), 3.0, np.float32), 0.1, 24.6)
    found = pixel_colours(np.ones((60, 60), np.float32), 0.1, light, empty)
    assert np.isnan(found.mattered)
