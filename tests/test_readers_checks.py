"""Warnings from the pixels: they are given when something is wrong, and not otherwise."""

import re

import numpy as np
import pytest

from data.cutouts import Plane
from data.readers.assembly import Known
from data.readers.checks import field_warnings, plane_warnings, shift_warnings
from data.readers.unit_reader import Found, read_unit
from data.readers.units import find_units, list_files
from data.surveys import SURVEYS
from tests.fixtures.euclid_files import BANDS, euclid_hdus
from tests.fixtures.odd_files import picture

EUCLID = SURVEYS["euclid"]


def planes_of(**changes):
    hdus = euclid_hdus(with_noise=False, **changes)
    return {name.removeprefix("NIR_"): Plane(hdus[f"{name}_FLUX"].data, 0.1) for name in BANDS}


def shifts(planes):
    return list(shift_warnings(planes, "VIS", EUCLID))


@pytest.mark.parametrize("side_px", [64, 100, 201, 300])
def test_bands_that_agree_are_not_reported(side_px):
    assert [warning for seed in range(8) for warning in shifts(planes_of(seed=seed, side_px=side_px))] == []


@pytest.mark.parametrize("side_px", [64, 100, 300])
def test_a_band_26_px_off_is_reported_with_its_shift(side_px):
    for seed in range(8):
        (warning,) = shifts(planes_of(seed=seed, side_px=side_px, shifted={"NIR_H": (-6, 26)}))
        x, y = (float(number) for number in re.findall(r"([-+]\d+) px", warning))
        assert warning.startswith("H is shifted against VIS: ")
        assert x == pytest.approx(26, abs=4)
        assert y == pytest.approx(-6, abs=4)


def test_most_shifts_of_two_psf_are_found():
    found = sum(len(shifts(planes_of(seed=seed, shifted={"NIR_H": (0, 11)}))) for seed in range(20))
    assert found >= 18


def test_all_bands_against_the_reference_are_reported_if_the_reference_is_the_one_shifted():
    moved = planes_of(seed=4, shifted={"VIS": (6, -26)})
    assert [warning.split()[0] for warning in shifts(moved)] == ["Y", "J", "H"]


def test_noise_without_a_source_is_not_reported():
    rng = np.random.default_rng(1)
    for _ in range(20):
        planes = {
            band: Plane(rng.normal(size=(100, 100)).astype(np.float32), 0.1)
            for band in ("VIS", "Y", "J", "H")
        }
        assert shifts(planes) == []


def test_sources_of_different_colours_are_not_taken_for_a_shift():
    blue, red = picture(100), picture(100)[::-1, ::-1]
    planes = {"VIS": Plane(blue + 0.3 * red, 0.1), "H": Plane(red + 0.3 * blue, 0.1)}
    assert shifts(planes) == []


def test_empty_constant_and_masked_bands_do_not_disturb_the_comparison():
    planes = planes_of(seed=2, shifted={"NIR_H": (-6, 26)})
    planes["Y"] = Plane(np.full((100, 100), np.nan, np.float32), 0.1)
    planes["J"] = Plane(np.zeros((100, 100), np.float32), 0.1)
    planes["VIS"].flux[40:50, :30] = np.nan
    assert [warning.split()[0] for warning in shifts(planes)] == ["H"]


def test_bands_of_different_pixel_scales_are_compared_on_the_sky():
    fine = planes_of(seed=3, side_px=300)
    coarse = fine["H"].flux.reshape(100, 3, 100, 3).mean((1, 3))
    assert shifts({"VIS": fine["VIS"], "H": Plane(coarse, 0.3)}) == []
    assert len(shifts({"VIS": fine["VIS"], "H": Plane(np.roll(coarse, 9, 1), 0.3)})) == 1


@pytest.mark.real
def test_no_real_set_gives_a_false_alarm_and_every_euclid_file_gives_the_true_one(shared_folder):
    compared = 0
    for folder, survey in (
        ("euclid_q1", "euclid"),
        ("euclid_q1_field", "euclid"),
        ("des_deeplenstronomy", "des"),
        ("hsc", "hsc"),
        ("legacy_dr10", "legacy"),
        ("compound", "hst"),
        ("jwst_cowls", "jwst"),
    ):
        units, _ = find_units(list_files([shared_folder / "real" / folder]))
        for unit in units:
            for found in read_unit(unit, SURVEYS[survey], Known()):
                assert isinstance(found, Found)
                assert not [text for text in found.cutout.warnings if "shifted" in text]
                if survey == "euclid" and "H" in found.cutout.planes:
                    planes = dict(found.cutout.planes)
                    planes["H"] = Plane(np.roll(planes["H"].flux, (-6, 26), (0, 1)), 0.1)
                    assert any(text.startswith("H is shifted") for text in shifts(planes))
                    compared += 1
    assert compared == 11


def test_empty_and_constant_planes_are_named():
    planes = {
        "VIS": Plane(np.full((9, 9), np.nan, np.float32)),
        "Y": Plane(np.full((9, 9), 3, np.float32)),
        "J": Plane(np.where(np.eye(9) > 0, np.nan, 2).astype(np.float32)),
        "H": Plane(picture(9)),
    }
    assert [warning.split(":")[0] for warning in plane_warnings(planes)] == [
        "VIS is empty",
        "Y is constant",
        "J is constant",
    ]


def test_a_band_of_another_field_is_named_and_another_sampling_is_not():
    planes = {"VIS": Plane(picture(100), 0.1), "Y": Plane(picture(33), 0.3), "H": Plane(picture(64), 0.1)}
    assert [warning.split(":")[0] for warning in field_warnings(planes, "VIS")] == [
        "H covers another field than VIS"
    ]
