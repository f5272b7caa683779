"""FITS files: the same pixels, positions and numbers as Astropy gives, whatever the layout."""

import gzip
import math
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UnreadableCutoutError
from data.readers import read_file
from data.readers.fits_header import FitsHeader
from data.readers.sky_frames import frame_of, pixel_scale_arcsec
from tests.fixtures.euclid_files import write_euclid
from tests.fixtures.odd_files import picture, truncate, write_fits


def parts_of(path):
    """The parts of a file that holds one object."""
    (content,) = read_file(path)
    return content.parts


def header_of(**keywords):
    return FitsHeader(fits.Header(keywords).tostring(endcard=False, padding=False))


def test_every_plane_of_a_euclid_file_has_the_pixels_that_astropy_reads(tmp_path):
    path = write_euclid(tmp_path / "a.fits")
    parts = parts_of(path)
    with fits.open(path) as file:
        for part, hdu in zip(parts, file[1:], strict=True):
            np.testing.assert_array_equal(part.values, hdu.data)
    assert [(part.label, part.role) for part in parts[:3]] == [
        ("VIS", "flux"),
        ("VIS", "psf"),
        ("VIS", "rms"),
    ]
    assert [part.zero_point_mag for part in parts if part.role == "flux"] == [24.6, 29.8, 30.0, 29.9]


@pytest.mark.real
def test_real_fits_files_have_the_pixels_that_astropy_reads(shared_folder):
    files = sorted((shared_folder / "real").rglob("*.fits"))
    for path in files:
        with warnings.catch_warnings(), fits.open(path) as file:
            warnings.simplefilter("ignore")
            images = [hdu.data for hdu in file if hdu.is_image and hdu.data is not None]
        parts = parts_of(path)
        assert len(parts) == len(images)
        for part, image in zip(parts, images, strict=True):
            np.testing.assert_array_equal(part.values, image)


@pytest.mark.real
def test_the_sky_of_real_fits_files_is_that_of_astropy_to_a_milliarcsec(shared_folder):
    compared = 0
    for path in sorted((shared_folder / "real").rglob("*.fits")):
        with warnings.catch_warnings(), fits.open(path) as file:
            warnings.simplefilter("ignore")
            for hdu in file:
                plane = (
                    frame_of(FitsHeader(hdu.header.tostring(endcard=False)), hdu.shape)
                    if hdu.is_image
                    else None
                )
                if plane is not None:
                    assert largest_difference_arcsec(plane, WCS(hdu.header), hdu.shape) < 1e-3
                    compared += 1
    assert compared > 40


def largest_difference_arcsec(plane, wcs, shape):
    """Between our sky and Astropy's at the corners and the middle of an image."""
    height, width = shape
    x, y = (
        np.array([0, width - 1, 0, width - 1, (width - 1) / 2]),
        np.array([0, 0, height - 1, height - 1, (height - 1) / 2]),
    )
    expected = wcs.pixel_to_world(x, y).icrs
    scale = plane.pixel_scale_arcsec
    ra, dec = plane.sky_of((x - (width - 1) / 2) * scale, (y - (height - 1) / 2) * scale)
    return float(
        np.max(np.hypot((ra - expected.ra.deg) * np.cos(np.radians(dec)), dec - expected.dec.deg)) * 3600
    )


@pytest.mark.parametrize(
    "keywords",
    [
        {"CD1_1": -7e-5, "CD1_2": 2e-5, "CD2_1": 2e-5, "CD2_2": 7e-5},
        {"CDELT1": -7e-5, "CDELT2": 7e-5},
        {"CDELT1": -7e-5, "CDELT2": 7e-5, "CROTA2": 30.0},
        {"CDELT1": -7e-5, "CDELT2": 7e-5, "PC1_1": 0.6, "PC1_2": 0.8, "PC2_1": -0.8, "PC2_2": 0.6},
        {"CD1_1": -7e-5, "CD2_2": 7e-5, "CDELT1": 1.0, "CDELT2": 1.0, "PC1_1": -7e-5, "PC2_2": 7e-5},
        {"CDELT1": -7e-5, "CDELT2": 7e-5, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"},
        {"CDELT1": -7e-5, "CDELT2": 7e-5, "CTYPE1": "RA---ZEA", "CTYPE2": "DEC--ZEA"},
        {"CDELT1": -7e-5, "CDELT2": 7e-5, "RADESYS": "FK4", "EQUINOX": 1950.0},
    ],
)
def test_every_way_to_write_a_wcs_gives_astropys_sky(keywords):
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 62.0, **keywords}
    header |= {"CRPIX1": -3000.0, "CRPIX2": 5000.0, "CUNIT1": "deg", "CUNIT2": "deg"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(fits.Header(header))
    plane = frame_of(header_of(**header), (90, 120))
    assert plane is not None
    assert largest_difference_arcsec(plane, wcs, (90, 120)) < 2e-3


def test_galactic_coordinates_become_icrs():
    header = {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "CRVAL1": 120.0, "CRVAL2": 45.0}
    header |= {"CRPIX1": 20.0, "CRPIX2": 20.0, "CDELT1": -1e-4, "CDELT2": 1e-4}
    plane = frame_of(header_of(**header), (40, 40))
    assert plane is not None
    assert largest_difference_arcsec(plane, WCS(fits.Header(header)), (40, 40)) < 2e-3


def test_a_distorted_wcs_is_left_to_astropy():
    header = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 150.0, "CRVAL2": 2.0}
    header |= {"CRPIX1": -300.0, "CRPIX2": 500.0, "CD1_1": -1e-5, "CD2_2": 1e-5, "CD1_2": 0.0, "CD2_1": 0.0}
    header |= {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-5, "B_0_2": -2e-5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(fits.Header(header))
    plane = frame_of(header_of(**header), (30, 30))
    assert plane is not None
    assert largest_difference_arcsec(plane, wcs, (30, 30)) < 0.01


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CRVAL1": 1.0, "CRVAL2": 1.0, "CDELT1": 1.0, "CDELT2": 1.0},
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 0.0,
            "CRVAL2": 0.0,
            "CDELT1": -1e-5,
            "CDELT2": 1e-5,
        },
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 10.0,
            "CRVAL2": 10.0,
            "CDELT1": 0.0,
            "CDELT2": 0.0,
        },
        {
            "CTYPE1": "RA---XYZ",
            "CTYPE2": "DEC--XYZ",
            "CRVAL1": 10.0,
            "CRVAL2": 10.0,
            "CDELT1": 1e-5,
            "CDELT2": 1e-5,
        },
    ],
)
def test_a_header_without_a_usable_wcs_gives_no_sky(keywords):
    assert frame_of(header_of(**keywords), (30, 30)) is None


def test_the_pixel_scale_comes_from_the_wcs_else_from_a_keyword():
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -0.2 / 3600, "CD2_2": 0.2 / 3600}
    assert pixel_scale_arcsec(header_of(**wcs, PIXSCALE=0.5)) == pytest.approx(0.2)
    assert pixel_scale_arcsec(header_of(PIXSCALE=0.5)) == 0.5
    assert math.isnan(pixel_scale_arcsec(header_of(CDELT1=1.0, CDELT2=1.0)))


def test_header_values_are_read_as_astropy_reads_them():
    cards = {"FILTER": "it's / a 'name'", "MAGZERO": 24.6, "COUNT": -3, "FLAG": True, "EMPTY": ""}
    astropy_header = fits.Header(cards)
    astropy_header["EXPONENT"] = 1.5e-20
    header = FitsHeader(astropy_header.tostring(endcard=False))
    assert header.text("FILTER") == astropy_header["FILTER"]
    assert header.number("MAGZERO") == 24.6
    assert header.number("EXPONENT") == 1.5e-20
    assert header.whole("COUNT") == -3
    assert header.text("FLAG") == "T"
    assert header.text("EMPTY", "FLAG") == ""
    assert math.isnan(header.number("FILTER", "ABSENT"))


@given(st.sampled_from([8, 16, 32, 64, -32, -64]), st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(max_examples=30)
def test_any_type_and_shape_of_image_is_read(tmp_path_factory, bitpix, height, width, in_extension):
    dtype = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}[bitpix]
    values = np.arange(height * width).reshape(height, width).astype(dtype)
    path = tmp_path_factory.mktemp("any") / "any.fits"
    if in_extension:
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values)]).writeto(path)
    else:
        fits.PrimaryHDU(values).writeto(path)
    (part,) = parts_of(path)
    np.testing.assert_array_equal(part.values, values)


def test_compressed_and_scaled_images_are_read(tmp_path):
    image = picture()
    compressed = fits.CompImageHDU(image, name="VIS_FLUX", quantize_level=16)
    scaled = fits.ImageHDU((image * 100).astype(np.int16), name="NIR_H_FLUX")
    scaled.scale("int16", bscale=0.5, bzero=100)
    fits.HDUList([fits.PrimaryHDU(), compressed, scaled]).writeto(tmp_path / "a.fits")
    first, second = parts_of(tmp_path / "a.fits")
    assert (first.label, second.label) == ("VIS", "NIR_H")
    np.testing.assert_allclose(first.values, image, atol=0.1)
    np.testing.assert_allclose(second.values, (image * 100).astype(np.int16), atol=1)


def test_blank_pixels_become_nan(tmp_path):
    hdu = fits.PrimaryHDU(np.array([[1, 2, 3], [4, -99, 6], [7, 8, 9]], np.int16))
    hdu.header["BLANK"] = -99
    hdu.writeto(tmp_path / "a.fits")
    (part,) = parts_of(tmp_path / "a.fits")
    assert np.isnan(part.values[1, 1])
    assert np.isnan(part.values).sum() == 1


def test_a_gzipped_file_is_read(tmp_path):
    plain = write_fits(tmp_path / "a.fits", picture())
    packed = tmp_path / "b.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(parts_of(packed)[0].values, picture())


def test_a_large_file_is_mapped_and_gives_the_same_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr("data.readers.fits_files.READ_AT_ONCE_BYTES", 1000)
    path = write_fits(tmp_path / "a.fits", picture())
    np.testing.assert_array_equal(parts_of(path)[0].values, picture())


def test_a_cube_whose_header_names_its_bands_is_taken_apart_by_name(tmp_path):
    cube = np.stack([picture(seed=n) for n in range(3)])
    for keywords in (
        {"BANDS": "grz"},
        {"BAND0": "g", "BAND1": "r", "BAND2": "z"},
        {"FILTER1": "g", "FILTER2": "r", "FILTER3": "z"},
    ):
        parts = parts_of(write_fits(tmp_path / "a.fits", cube, **keywords))
        assert [part.label for part in parts] == ["g", "r", "z"]
        np.testing.assert_array_equal(parts[2].values, cube[2])


def test_a_table_of_images_gives_one_object_per_row(tmp_path):
    images = np.stack([picture(seed=n) for n in range(3)])
    columns = [
        fits.Column("object_id", "8A", array=np.array(["a", "b", "c"])),
        fits.Column("RA", "D", array=np.array([10.0, 20.0, 30.0])),
        fits.Column("DEC", "D", array=np.array([-1.0, -2.0, -3.0])),
        fits.Column("VIS", "1600E", dim="(40,40)", array=images),
        fits.Column("VIS_RMS", "1600E", dim="(40,40)", array=np.abs(images)),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    contents = list(read_file(tmp_path / "a.fits"))
    assert [(c.object_name, c.ra_deg, c.dec_deg) for c in contents] == [
        ("a", 10, -1),
        ("b", 20, -2),
        ("c", 30, -3),
    ]
    assert [(part.label, part.role) for part in contents[1].parts] == [("VIS", "flux"), ("VIS", "rms")]
    np.testing.assert_array_equal(contents[1].parts[0].values, images[1])


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.99])
def test_a_truncated_file_says_so(tmp_path, share):
    path = truncate(write_euclid(tmp_path / "a.fits"), share)
    with pytest.raises(UnreadableCutoutError, match=r"truncated|empty|begins with"):
        list(read_file(path))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("NAXIS", "1000000000000"),
        ("NAXIS1", "-5"),
        ("BITPIX", "7"),
        ("NAXIS1", "many"),
        ("NAXIS2", "99999999999999"),
    ],
)
def test_a_header_with_impossible_numbers_is_refused(tmp_path, keyword, value):
    path = write_fits(tmp_path / "a.fits", picture())
    content = path.read_bytes()
    start = content.index(keyword.ljust(8).encode())
    path.write_bytes(content[:start] + f"{keyword:8}= {value:>20}".ljust(80).encode() + content[start + 80 :])
    with pytest.raises(UnreadableCutoutError):
        list(read_file(path))


def test_a_file_that_only_begins_like_fits_is_refused(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(b"SIMPLE  =                    T".ljust(2880 * 3))
    with pytest.raises(UnreadableCutoutError, match="inside a header"):
        list(read_file(path))


def test_a_catalogue_given_as_an_image_says_what_to_do(tmp_path):
    columns = [fits.Column("RA", "D", array=np.arange(3.0))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    with pytest.raises(UnreadableCutoutError, match="--catalogue"):
        list(read_file(tmp_path / "a.fits"))


def test_the_zero_point_of_hst_images_follows_from_their_sensitivity(tmp_path):
    keywords = {"PHOTFLAM": 7.00895491098901e-20, "PHOTPLAM": 8047.13136043956}
    (part,) = parts_of(write_fits(tmp_path / "a.fits", picture(), **keywords))
    # ACS/WFC F814W: 25.94 AB mag (Sirianni et al. 2005, PASP 117, 1049, Table 10: 25.937).
    assert part.zero_point_mag == pytest.approx(25.94, abs=0.02)
