"""Where a FITS image lies on the sky: position of its centre and the CD matrix there.

The matrix is taken at the centre, not at CRPIX: Euclid cutouts keep the CRPIX of their tile, up to 15 arcmin
away, and north turns on the way (0.2 degrees at dec -50, more towards the poles).
"""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.readers.fits_header import FitsHeader
from data.sky import TangentPlane
from data.surveys import is_believable_scale

_SCALE_KEYWORDS = ("PIXSCALE", "PIXSCAX", "PIXSCAL1", "PIXSCAL", "PIXELSCL", "SECPIX", "SECPIX1", "SCALE")
_NEEDS_FULL_WCS = ("A_ORDER", "B_ORDER", "PV1_1", "PV2_1", "PV2_3", "CPDIS1", "CPDIS2", "CQDIS1", "D2IMDIS1")


def pixel_scale_arcsec(header: FitsHeader) -> float:
    """From the CD matrix, PC and CDELT, or a keyword in arcsec; NaN without one that can be meant."""
    if is_believable_scale(scale := _celestial_scale_arcsec(header)):
        return scale
    stated = (header.number(keyword) for keyword in _SCALE_KEYWORDS)
    return next((scale for scale in stated if is_believable_scale(scale)), math.nan)


def impossible_scale_arcsec(header: FitsHeader) -> float:
    """The scale that the WCS states, if no instrument can have it; else NaN."""
    scale = _celestial_scale_arcsec(header)
    return math.nan if is_believable_scale(scale) else scale


def _celestial_scale_arcsec(header: FitsHeader) -> float:
    cd = _cd(header) if header.text("CTYPE1")[:4] in {"RA--", "DEC-", "GLON", "GLAT"} else None
    return math.nan if cd is None else 3600 * math.sqrt(abs(cd[0] * cd[3] - cd[1] * cd[2]))


def frame_of(
    header: FitsHeader, shape: tuple[int, ...], origin: tuple[int, int] = (0, 0)
) -> TangentPlane | None:
    """The tangent plane about the centre of an image (y, x), ICRS; None without a usable celestial WCS.

    origin : (y, x) of the image's first pixel in the one that the header describes.
    A WCS at RA 0, Dec 0 exactly is a simulation's filler, and no position.
    """
    is_filler = header.number("CRVAL1") == 0 and header.number("CRVAL2") == 0
    if is_filler or not header.text("CTYPE1") or not header.text("CTYPE2"):
        return None
    y, x = origin[0] + (shape[-2] - 1) / 2, origin[1] + (shape[-1] - 1) / 2
    around = np.array([(x, y), (x + 0.5, y), (x - 0.5, y), (x, y + 0.5), (x, y - 0.5)])
    sky = _sky_of(header, around)
    if sky is None or not np.isfinite(sky).all():
        return None
    offsets = _gnomonic(sky, *sky[0])
    (cd11, cd21), (cd12, cd22) = offsets[1] - offsets[2], offsets[3] - offsets[4]
    if not abs(cd11 * cd22 - cd12 * cd21) > 0:
        return None
    return TangentPlane(
        float(sky[0, 0]) % 360, float(sky[0, 1]), (float(cd11), float(cd12), float(cd21), float(cd22))
    )


def wcs_of(header: FitsHeader) -> Any:
    """The celestial `astropy.wcs.WCS` of a header, or None; axes are pixel x, y and longitude, latitude."""
    from astropy.wcs import WCS, FITSFixedWarning, WcsError

    try:
        if _is_plain(header):
            return _plain_wcs(header)
        from astropy.io.fits import Header

        with warnings.catch_warnings():
            # Dates and obsolete keywords that wcslib repairs on its way; the geometry is not touched.
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(Header.fromstring(header.raw), naxis=2)
        return wcs if wcs.has_celestial else None
    except (WcsError, ValueError, KeyError, TypeError, MemoryError):
        return None


def pixels_of(
    header: FitsHeader, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Zero-based pixels (position, (x, y)) of sky positions; NaN for those that the WCS cannot place."""
    wcs = wcs_of(header)
    pixels = np.full((len(ra_deg), 2), np.nan)
    if wcs is None:
        return pixels
    for at in np.array_split(np.arange(len(ra_deg)), max(1, len(ra_deg) // 4096)):
        try:
            if _is_plain(header):
                pixels[at] = wcs.wcs_world2pix(np.column_stack([ra_deg[at], dec_deg[at]]), 0)
            else:
                from astropy.coordinates import SkyCoord

                sky = SkyCoord(ra_deg[at], dec_deg[at], unit="deg")
                pixels[at] = np.column_stack(wcs.world_to_pixel(sky))
        except ValueError:
            continue  # no solution: these positions are far from the image
    return pixels


def _sky_of(header: FitsHeader, pixels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(ra_deg, dec_deg) of zero-based pixels (x, y); None if the WCS cannot say."""
    wcs = wcs_of(header)
    if wcs is None:
        return None
    try:
        if _is_plain(header):
            return np.asarray(wcs.wcs_pix2world(pixels, 0), float)
        sky = wcs.pixel_to_world(pixels[:, 0], pixels[:, 1]).icrs
        return np.column_stack([sky.ra.deg, sky.dec.deg])
    except (ValueError, AttributeError):
        return None


def _is_plain(header: FitsHeader) -> bool:
    """Whether projection, reference point and matrix are all there is: ICRS, degrees, no distortion."""
    types = header.text("CTYPE1"), header.text("CTYPE2")
    return (
        types[0].startswith("RA---")
        and types[1].startswith("DEC--")
        and not any(kind.endswith(("-SIP", "-TPV", "-TNX", "-ZPX", "-ZPN")) for kind in types)
        and not any(keyword in header for keyword in _NEEDS_FULL_WCS)
        and _system(header) == "ICRS"
        and all(header.text(unit) in {"", "deg"} for unit in ("CUNIT1", "CUNIT2"))
    )


def _system(header: FitsHeader) -> str:
    """The celestial system; what a header leaves out is as FITS WCS Paper II, Sect. 3.1, says."""
    stated = header.text("RADESYS", "RADECSYS")
    return stated or (
        "ICRS" if "EQUINOX" not in header else "FK4" if header.number("EQUINOX") < 1984 else "FK5"
    )


def _plain_wcs(header: FitsHeader) -> Any:
    """A WCS from ten numbers: a fiftieth of the time that parsing the whole header takes."""
    from astropy.wcs import WCS

    cd = _cd(header)
    if cd is None:
        return None
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [header.text("CTYPE1"), header.text("CTYPE2")]
    wcs.wcs.crval = [header.number("CRVAL1"), header.number("CRVAL2")]
    wcs.wcs.crpix = [header.number("CRPIX1"), header.number("CRPIX2")]
    wcs.wcs.cd = [cd[:2], cd[2:]]
    for name in ("LONPOLE", "LATPOLE"):
        if name in header:
            setattr(wcs.wcs, name.lower(), header.number(name))
    wcs.wcs.set()
    return wcs


def _cd(header: FitsHeader) -> tuple[float, float, float, float] | None:
    """(cd11, cd12, cd21, cd22) in degrees per pixel; None if it is singular or not there.

    CD wins over PC and CDELT, which Euclid headers hold beside it, with CDELT = 1.
    """
    cd = _entries(header, "CD", (0.0, 0.0, 0.0, 0.0))
    if cd is None:
        cdelt1, cdelt2 = header.number("CDELT1"), header.number("CDELT2")
        pc = _entries(header, "PC", (1.0, 0.0, 0.0, 1.0)) or _rotation(header, cdelt1, cdelt2)
        cd = cdelt1 * pc[0], cdelt1 * pc[1], cdelt2 * pc[2], cdelt2 * pc[3]
    determinant = cd[0] * cd[3] - cd[1] * cd[2]
    return cd if math.isfinite(determinant) and determinant != 0 else None


def _entries(
    header: FitsHeader, name: str, default: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    """The four entries of a matrix, with a default for those that are not there; None if none is."""
    keywords = (f"{name}1_1", f"{name}1_2", f"{name}2_1", f"{name}2_2")
    if not any(keyword in header for keyword in keywords):
        return None
    given = map(header.number, keywords)
    one_1, one_2, two_1, two_2 = (d if math.isnan(g) else g for g, d in zip(given, default, strict=True))
    return one_1, one_2, two_1, two_2


def _rotation(header: FitsHeader, cdelt1: float, cdelt2: float) -> tuple[float, float, float, float]:
    """PC out of the old CROTA2: FITS WCS Paper II, Sect. 6.1."""
    angle = math.radians(header.number("CROTA2")) if "CROTA2" in header else 0.0
    ratio = cdelt2 / cdelt1 if cdelt1 and cdelt2 else math.nan
    return math.cos(angle), -math.sin(angle) * ratio, math.sin(angle) / ratio, math.cos(angle)


def _gnomonic(sky_deg: NDArray[np.float64], ra0_deg: float, dec0_deg: float) -> NDArray[np.float64]:
    """Tangent-plane offsets (xi, eta) in degrees, xi towards east; Paper II eqs. 5 and 54 for TAN."""
    ra, dec = np.radians(sky_deg).T
    ra0, dec0 = math.radians(ra0_deg), math.radians(dec0_deg)
    cosine = np.sin(dec) * math.sin(dec0) + np.cos(dec) * math.cos(dec0) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / cosine
    eta = (np.sin(dec) * math.cos(dec0) - np.cos(dec) * math.sin(dec0) * np.cos(ra - ra0)) / cosine
    return np.asarray(np.degrees(np.column_stack([xi, eta])))
