"""A lens injected into a real image: fluxes, magnification, symmetry, pixels of any size."""

import dataclasses

import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Solver.lens_equation_solver import LensEquationSolver
from lenstronomy.Util.param_util import phi_q2_ellipticity

from data.cutouts import Plane
from data.simulations.injected_lens import InjectedLens
from data.simulations.injection import _AXIS_RATIO, lensed_light

torch.set_num_threads(1)

ARCS = InjectedLens(
    x_arcsec=0.3, y_arcsec=-0.2, theta_e_arcsec=1.3, mag_vis=23.5, vis_y=0.3, offset=0.3, angle_deg=40.0
)
VIS = Plane(np.zeros((160, 160), np.float32), 0.1, 24.6)


def light(plane: Plane = VIS, band: str = "VIS", **changes: float) -> np.ndarray:
    return lensed_light({band: plane}, dataclasses.replace(ARCS, **changes))[band].astype(float)


def centre_of(image: np.ndarray, scale_arcsec: float = 0.1) -> tuple[float, float]:
    y, x = np.indices(image.shape)
    height, width = image.shape
    return (
        float((image * x).sum() / image.sum() - (width - 1) / 2) * scale_arcsec,
        float((image * y).sum() / image.sum() - (height - 1) / 2) * scale_arcsec,
    )


@pytest.mark.parametrize(("band", "zero_point"), [("VIS", 24.6), ("Y", 29.8), ("J", 30.0), ("H", 23.9)])
def test_without_a_deflector_the_source_has_the_magnitude_and_colour_that_were_asked_for(band, zero_point):
    plane = Plane(np.zeros((160, 160), np.float32), 0.1, zero_point)
    total = light(plane, band, theta_e_arcsec=1e-4).sum()
    expected = {"VIS": 23.5, "Y": 23.2, "J": 23.02, "H": 22.84}[band]
    assert zero_point - 2.5 * np.log10(total) == pytest.approx(expected, abs=0.01)


def test_a_plane_without_a_zero_point_is_in_the_units_of_the_survey():
    unknown = dataclasses.replace(VIS, zero_point_mag=float("nan"))
    np.testing.assert_array_equal(light(unknown), light())


def test_images_lie_where_lenstronomy_puts_them_and_are_as_bright():
    lens = LensModel(["SIE"])
    angle = np.radians(ARCS.angle_deg)
    e1, e2 = phi_q2_ellipticity(angle - 0.6, _AXIS_RATIO)
    given = {"theta_E": ARCS.theta_e_arcsec, "e1": e1, "e2": e2, "center_x": 0.3, "center_y": -0.2}
    beta = 0.6 * ARCS.theta_e_arcsec * np.array([np.cos(angle), np.sin(angle)]) + (0.3, -0.2)
    x, y = LensEquationSolver(lens).image_position_from_source(
        *beta, [given], min_distance=0.02, search_window=8
    )
    magnification = np.abs(lens.magnification(x, y, [given]))
    drawn = light(mag_vis=27.0, offset=0.6)  # small: nearly a point
    unlensed = light(mag_vis=27.0, theta_e_arcsec=1e-4)
    assert len(x) == 2
    assert drawn.sum() / unlensed.sum() == pytest.approx(magnification.sum(), rel=0.1)
    expected = np.average(x, weights=magnification), np.average(y, weights=magnification)
    assert centre_of(drawn) == pytest.approx(expected, abs=0.06)


def test_the_whole_turns_with_its_angle():
    centred = {"x_arcsec": 0.0, "y_arcsec": 0.0}
    np.testing.assert_allclose(
        light(angle_deg=130.0, **centred), np.rot90(light(**centred), -1), atol=2e-3 * light().max()
    )


def test_it_moves_with_its_place():
    moved = light(x_arcsec=0.3 + 1.0, y_arcsec=-0.2 - 0.5)
    np.testing.assert_allclose(moved, np.roll(light(), (-5, 10), (0, 1)), atol=1e-3 * light().max())


def test_native_pixels_hold_the_same_light():
    fine = Plane(np.zeros((160, 160), np.float32), 0.1, 29.9)
    native = Plane(np.zeros((53, 54), np.float32), 0.3, 29.9)
    assert light(native, "H").sum() == pytest.approx(light(fine, "H").sum(), rel=0.01)
    assert centre_of(light(native, "H"), 0.3) == pytest.approx(centre_of(light(fine, "H")), abs=0.02)


@pytest.mark.parametrize(("x", "y"), [(9.0, 0.0), (-8.2, 8.2), (500.0, 0.0)])
def test_at_the_edge_only_what_is_inside_is_drawn_and_beyond_it_nothing(x, y):
    drawn = light(x_arcsec=x, y_arcsec=y)
    assert drawn.shape == (160, 160)
    assert np.isfinite(drawn).all()
    assert (drawn.sum() == 0) == (x == 500.0)


def test_bands_that_are_not_euclids_get_nothing():
    assert lensed_light({"g": VIS}, ARCS) == {}
