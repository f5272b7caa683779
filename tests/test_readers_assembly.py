"""Parts to cutouts: bands by name and never by order, bad pixels, stacks, shapes."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from data.readers.assembly import Known
from data.readers.unit_reader import Found, read_unit
from data.readers.units import Rejected, find_units, list_files
from data.surveys import SURVEYS
from tests.fixtures.euclid_files import euclid_hdus, write_euclid
from tests.fixtures.odd_files import picture, write_fits


def read(folder, survey="euclid", known=None):
    """All that is found and rejected in a folder."""
    units, _ = find_units(list_files([folder]))
    survey = SURVEYS[survey] if isinstance(survey, str) else survey
    results = [r for unit in units for r in read_unit(unit, survey, known or Known())]
    return [r.cutout for r in results if isinstance(r, Found)], [
        r for r in results if isinstance(r, Rejected)
    ]


def read_one(folder, survey="euclid", known=None):
    (cutout,), rejected = read(folder, survey, known)
    assert not rejected
    return cutout


def test_a_euclid_file_gives_four_bands_with_noise_psf_and_zero_points(tmp_path):
    write_euclid(tmp_path / "a.fits", position_deg=(58.2, -49.47))
    cutout = read_one(tmp_path)
    assert cutout.bands == ("VIS", "Y", "J", "H")
    assert [plane.zero_point_mag for plane in cutout.planes.values()] == [24.6, 29.8, 30.0, 29.9]
    assert {plane.pixel_scale_arcsec for plane in cutout.planes.values()} == {0.1}
    assert all(plane.rms is not None and plane.psf is not None for plane in cutout.planes.values())
    assert cutout.centre_deg == pytest.approx((58.2, -49.47), abs=1e-9)
    assert cutout.warnings == ()


def test_the_order_of_extensions_does_not_matter(tmp_path):
    hdus = euclid_hdus()
    hdus.writeto(tmp_path / "a.fits")
    shuffled = [hdus[0], *[hdus[n] for n in np.random.default_rng(3).permutation(np.arange(1, len(hdus)))]]
    (tmp_path / "b").mkdir()
    fits.HDUList(shuffled).writeto(tmp_path / "b" / "b.fits")
    (first, second), _ = read(tmp_path)
    assert first.bands == second.bands
    for band in first.bands:
        np.testing.assert_array_equal(first.planes[band].flux, second.planes[band].flux)
        np.testing.assert_array_equal(first.planes[band].psf, second.planes[band].psf)


def test_bgsub_and_ground_bands_are_named_too(tmp_path):
    hdus = euclid_hdus(suffix="BGSUB")
    hdus.append(fits.ImageHDU(picture(100), fits.Header({"FILTER": "DECAM_g"}), name="DES_G_BGSUB"))
    hdus.append(fits.ImageHDU(picture(100), name="DES_G_RMS"))
    hdus.writeto(tmp_path / "a.fits")
    cutout = read_one(tmp_path)
    assert cutout.bands == ("VIS", "Y", "J", "H", "DES_G")
    assert cutout.planes["DES_G"].rms is not None


def test_a_bare_image_is_the_reference_band_and_says_so(tmp_path):
    write_fits(tmp_path / "a.fits", picture(), PIXSCAX=0.1)
    cutout = read_one(tmp_path)
    assert cutout.bands == ("VIS",)
    assert "band not named" in cutout.warnings[0]
    assert read_one(tmp_path, known=Known(bands=("VIS",))).warnings == ()


def test_a_keyword_names_the_band_if_the_extension_does_not(tmp_path):
    write_fits(tmp_path / "a.fits", picture(), FILTER="NIR_J")
    assert read_one(tmp_path).bands == ("J",)


def test_planes_of_one_name_are_told_apart_by_the_catalogue_or_not_at_all(tmp_path):
    hdus = [fits.ImageHDU(picture(seed=n), fits.Header({"BAND": "i"}), name="SCI") for n in range(3)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits")
    untold = read_one(tmp_path, "des")
    assert untold.bands == ("i-1", "i-2", "i-3")
    assert "not told apart" in untold.warnings[0]
    told = read_one(tmp_path, "des", Known(bands=("g", "r", "i")))
    assert told.bands == ("g", "r", "i")
    np.testing.assert_array_equal(told.planes["r"].flux, picture(seed=1))


def test_a_cube_without_names_is_not_given_any(tmp_path):
    write_fits(tmp_path / "a.fits", np.stack([picture(seed=n) for n in range(3)]))
    assert read_one(tmp_path, "legacy").bands == ("plane-1", "plane-2", "plane-3")
    assert read_one(tmp_path, "legacy", Known(bands=("g", "r", "z"))).bands == ("g", "r", "z")


def test_cubes_of_many_objects_in_a_file_per_band_are_taken_apart(tmp_path):
    for number, band in enumerate("gri"):
        write_fits(
            tmp_path / f"stack_{band}.fits", np.stack([picture(seed=10 * number + n) for n in range(20)])
        )
    cutouts, rejected = read(tmp_path, "des")
    assert [cutout.object_id for cutout in cutouts] == [f"stack[{n}]" for n in range(20)]
    assert cutouts[7].bands == ("g", "r", "i")
    np.testing.assert_array_equal(cutouts[7].planes["i"].flux, picture(seed=27))
    assert not rejected


def test_stacks_of_different_lengths_are_refused(tmp_path):
    write_fits(tmp_path / "stack_g.fits", np.zeros((5, 20, 20), np.float32))
    write_fits(tmp_path / "stack_r.fits", np.zeros((6, 20, 20), np.float32))
    cutouts, rejected = read(tmp_path, "des")
    assert not cutouts
    assert len(rejected) == 2
    assert "5, 6" in rejected[0].reason


def test_files_that_each_hold_all_bands_are_objects_of_their_own(tmp_path):
    write_euclid(tmp_path / "a_g.fits", seed=1)
    write_euclid(tmp_path / "a_r.fits", seed=2)
    cutouts, _ = read(tmp_path)
    assert [cutout.object_id for cutout in cutouts] == ["a_g", "a_r"]
    assert cutouts[0].bands == ("VIS", "Y", "J", "H")


def test_a_band_that_cannot_be_read_leaves_the_others_and_a_warning(tmp_path):
    write_fits(tmp_path / "a_g.fits", picture())
    (tmp_path / "a_r.fits").write_bytes(b"")
    write_fits(tmp_path / "a_i.fits", picture())
    (cutout,), rejected = read(tmp_path, "des")
    assert cutout.bands == ("g", "i")
    assert "a_r.fits" in cutout.warnings[0]
    assert [r.reason for r in rejected] == ["empty file (0 bytes): copy it again"]


def test_bad_pixels_of_the_noise_map_are_nan_and_nan_survives(tmp_path):
    hdus = euclid_hdus(bands=("VIS",))
    hdus["VIS_FLUX"].data[3, 4] = 777
    hdus["VIS_RMS"].data[3, 4] = 1e16
    hdus["VIS_FLUX"].data[5, 6] = np.nan
    hdus["VIS_FLUX"].data[7, 8] = np.inf
    hdus.writeto(tmp_path / "a.fits")
    plane = read_one(tmp_path).planes["VIS"]
    assert [tuple(place) for place in np.argwhere(np.isnan(plane.flux))] == [(3, 4), (5, 6), (7, 8)]
    assert np.isnan(plane.rms[3, 4])


def test_variances_and_weights_become_standard_deviations(tmp_path):
    variance, weight = np.full((20, 20), 4, np.float32), np.full((20, 20), 0.25, np.float32)
    weight[0, 0] = 0
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(picture(20), name="G_SCI"),
        fits.ImageHDU(variance, name="G_VAR"),
    ]
    hdus += [fits.ImageHDU(picture(20), name="R_SCI"), fits.ImageHDU(weight, name="R_WHT")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    planes = read_one(tmp_path, "hsc").planes
    assert np.all(planes["g"].rms == 2)
    assert planes["r"].rms[1, 1] == 2
    assert np.isnan(planes["r"].flux[0, 0])


def test_a_noise_map_of_another_shape_is_left_out_and_reported(tmp_path):
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(picture(20), name="VIS_FLUX"),
        fits.ImageHDU(picture(30), name="VIS_RMS"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    cutout = read_one(tmp_path)
    assert cutout.planes["VIS"].rms is None
    assert "noise map of VIS left out" in cutout.warnings[0]


@pytest.mark.parametrize("shape", [(50,), (2, 50), (2, 3, 20, 20), (1, 1)])
def test_shapes_that_are_no_cutout_are_refused_with_the_shape(tmp_path, shape):
    write_fits(tmp_path / "a.fits", np.zeros(shape, np.float32))
    cutouts, (rejected,) = read(tmp_path)
    assert not cutouts
    assert "expected" in rejected.reason


def test_an_image_too_large_for_a_cutout_asks_for_positions(tmp_path):
    write_fits(tmp_path / "a.fits", np.zeros((3, 5000), np.float32))
    _, (rejected,) = read(tmp_path)
    assert "--catalogue" in rejected.reason


def test_a_file_of_psfs_is_no_object(tmp_path):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(picture(21), name="VIS_PSF")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    _, (rejected,) = read(tmp_path)
    assert "only noise maps or PSFs" in rejected.reason


def test_the_catalogues_scale_counts_before_the_surveys_and_after_the_files(tmp_path):
    write_fits(tmp_path / "a_g.fits", picture())
    assert read_one(tmp_path, "des").planes["g"].pixel_scale_arcsec == 0.263
    assert read_one(tmp_path, "des", Known(pixel_scale_arcsec=0.3)).planes["g"].pixel_scale_arcsec == 0.3
    write_fits(tmp_path / "a_g.fits", picture(), PIXSCALE=0.25)
    assert read_one(tmp_path, "des", Known(pixel_scale_arcsec=0.3)).planes["g"].pixel_scale_arcsec == 0.25


def test_a_pixel_scale_that_cannot_be_is_not_taken_in_silence(tmp_path):
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -0.9, "CD2_2": 0.9}
    write_fits(tmp_path / "a_g.fits", picture(), **wcs)
    cutout = read_one(tmp_path, "des")
    assert cutout.planes["g"].pixel_scale_arcsec == 0.263
    assert "g: the header states 3.24e+03 arcsec per pixel; 0.263 is taken" in cutout.warnings


def test_band_names_cannot_leave_the_store(tmp_path):
    for number, name in enumerate(("../../etc", "a/b", "RMS", "psf")):
        write_fits(tmp_path / f"{number}.fits", picture(), FILTER=name)
    cutouts, _ = read(tmp_path)
    assert [cutout.bands[0] for cutout in cutouts] == ["etc", "a_b", "band_RMS", "band_psf"]


def hubble(path, **keywords):
    return write_fits(path, picture(), **keywords)


def euclid_taking(*filters):
    return replace(SURVEYS["euclid"], stand_ins=filters)


def test_a_filter_of_another_instrument_stands_for_a_band_if_the_campaign_says_so(tmp_path):
    hubble(tmp_path / "a.fits", FILTER="f814w", PIXSCALE=0.05)
    assert read_one(tmp_path).bands == ("f814w",)
    cutout = read_one(tmp_path, euclid_taking(("F814W", "VIS")))
    assert cutout.bands == ("VIS",)
    assert cutout.planes["VIS"].pixel_scale_arcsec == 0.05
    assert any("is taken for VIS: campaign.toml says so" in warning for warning in cutout.warnings)
    np.testing.assert_array_equal(cutout.planes["VIS"].flux, picture())


def test_a_filter_does_not_get_the_scale_and_zero_point_of_the_band_it_stands_for(tmp_path):
    hubble(tmp_path / "a_F814W.fits")
    plane = read_one(tmp_path, euclid_taking(("F814W", "VIS"))).planes["VIS"]
    assert np.isnan(plane.pixel_scale_arcsec)
    assert np.isnan(plane.zero_point_mag)
    stated = read_one(tmp_path, euclid_taking(("F814W", "VIS")), Known(pixel_scale_arcsec=0.04))
    assert stated.planes["VIS"].pixel_scale_arcsec == 0.04


def test_a_band_that_is_there_itself_is_never_replaced(tmp_path):
    for band in ("F814W", "VIS", "F606W"):
        hubble(tmp_path / f"a_{band}.fits", PIXSCALE=0.1)
    cutout = read_one(tmp_path, euclid_taking(("F606W", "VIS"), ("F814W", "VIS")))
    assert set(cutout.bands) == {"VIS", "F606W", "F814W"}
    assert not any("is taken for" in warning for warning in cutout.warnings)


def test_of_two_filters_for_one_band_the_first_that_the_campaign_names_is_taken(tmp_path):
    for seed, band in enumerate(("F814W", "F606W", "F160W")):
        write_fits(tmp_path / f"a_{band}.fits", picture(seed=seed), PIXSCALE=0.1)
    taking = euclid_taking(("F160W", "H"), ("F606W", "VIS"), ("F814W", "VIS"))
    cutout = read_one(tmp_path, taking)
    assert cutout.bands == ("VIS", "H", "F814W")
    np.testing.assert_array_equal(cutout.planes["VIS"].flux, picture(seed=1))


def test_the_position_is_that_of_the_filter_that_stands_for_the_reference_band(tmp_path):
    write_euclid(tmp_path / "a.fits", position_deg=(58.2, -49.47))
    with fits.open(tmp_path / "a.fits") as file:
        for hdu in file[1:]:
            hdu.name = hdu.name.replace("VIS", "F814W")
        file.writeto(tmp_path / "a.fits", overwrite=True)
    cutout = read_one(tmp_path, euclid_taking(("F814W", "VIS")))
    assert cutout.bands == ("VIS", "Y", "J", "H")
    assert cutout.planes["VIS"].rms is not None
    assert cutout.centre_deg == pytest.approx((58.2, -49.47), abs=1e-9)
