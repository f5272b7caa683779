"""Surveys and their bands: names, pixel scales, zero points and PSF widths, in one table.

Bands go by name, never by order. A file's own header overrides what stands here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data.errors import CampaignError

_BELIEVABLE_ARCSEC = (1e-4, 100.0)
BELIEVABLE_SCALES = f"arcsec between {_BELIEVABLE_ARCSEC[0]:g} and {_BELIEVABLE_ARCSEC[1]:g}"


def is_believable_scale(pixel_scale_arcsec: float) -> bool:
    """Whether an instrument may have such pixels; what is beyond is a mistake of units."""
    return _BELIEVABLE_ARCSEC[0] < pixel_scale_arcsec < _BELIEVABLE_ARCSEC[1]


@dataclass(frozen=True)
class Band:
    """One filter of a survey, with the numbers used when a file does not state its own.

    pixel_scale_arcsec of the survey's own cutouts; psf_fwhm_arcsec typical; zero_point_mag AB, for the
    unit in which the survey publishes its images.
    """

    name: str
    pixel_scale_arcsec: float
    psf_fwhm_arcsec: float
    zero_point_mag: float | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """A survey: its bands from blue to red, its reference band, and the bands of its colour composite (R, G, B).

    composite_neutral_mag : AB magnitudes, up to a constant, of a source that the composite draws grey: about an
        early-type galaxy at z = 0.5, so that arcs of young stars come out blue.
    stand_ins : (filter of another instrument, band that a campaign takes it for).
    """

    name: str
    title: str
    bands: tuple[Band, ...]
    reference_band: str
    composite: tuple[str, str, str]
    source: str
    composite_neutral_mag: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stand_ins: tuple[tuple[str, str], ...] = ()

    def band(self, name: str) -> Band | None:
        """The band of that canonical name, or None."""
        return next((band for band in self.bands if band.name == name), None)

    def reference_among(self, bands: Sequence[str]) -> str:
        """The reference band, or the first of an object's bands where it is missing."""
        return self.reference_band if self.reference_band in bands else bands[0]


SURVEYS: dict[str, Survey] = {
    survey.name: survey
    for survey in (
        Survey(
            "euclid",
            "Euclid Wide Survey",
            (
                Band("VIS", 0.1, 0.16, 24.6, ("I_E", "IE", "EUC_VIS")),
                Band("Y", 0.1, 0.48, 29.8, ("NIR_Y", "Y_E", "NISP_Y", "EUC_Y")),
                Band("J", 0.1, 0.51, 30.0, ("NIR_J", "J_E", "NISP_J", "EUC_J")),
                Band("H", 0.1, 0.55, 29.9, ("NIR_H", "H_E", "NISP_H", "EUC_H")),
            ),
            reference_band="VIS",
            composite=("H", "J", "VIS"),
            source="Euclid Q1 MER mosaics, header MAGZERO and PSF planes; Y, J, H resampled from 0.3 to 0.1 arcsec",
            composite_neutral_mag=(-1.5, -1.2, 0.0),
        ),
        Survey(
            "des",
            "Dark Energy Survey",
            (
                Band("g", 0.263, 1.11, 30.0, ("DES_G", "DECAM_G")),
                Band("r", 0.263, 0.95, 30.0, ("DES_R", "DECAM_R")),
                Band("i", 0.263, 0.88, 30.0, ("DES_I", "DECAM_I")),
                Band("z", 0.263, 0.83, 30.0, ("DES_Z", "DECAM_Z")),
                Band("Y", 0.263, 0.90, 30.0, ("DES_Y", "DECAM_Y")),
            ),
            reference_band="i",
            composite=("i", "r", "g"),
            source="Abbott et al. 2021, ApJS 255, 20 (DR2), Table 1",
        ),
        Survey(
            "hsc",
            "Hyper Suprime-Cam Subaru Strategic Program",
            (
                Band("g", 0.168, 0.77, 27.0, ("HSC_G", "HSC-G")),
                Band("r", 0.168, 0.76, 27.0, ("HSC_R", "HSC-R")),
                Band("i", 0.168, 0.58, 27.0, ("HSC_I", "HSC-I")),
                Band("z", 0.168, 0.68, 27.0, ("HSC_Z", "HSC-Z")),
                Band("y", 0.168, 0.68, 27.0, ("HSC_Y", "HSC-Y")),
            ),
            reference_band="i",
            composite=("i", "r", "g"),
            source="Aihara et al. 2019, PASJ 71, 114 (PDR2), Table 1",
        ),
        Survey(
            "legacy",
            "DESI Legacy Imaging Surveys",
            (
                Band("g", 0.262, 1.29, 22.5),
                Band("r", 0.262, 1.18, 22.5),
                Band("i", 0.262, 1.15, 22.5),
                Band("z", 0.262, 1.11, 22.5),
            ),
            reference_band="r",
            composite=("z", "r", "g"),
            source="Dey et al. 2019, AJ 157, 168, Table 4; fluxes in nanomaggies",
        ),
        Survey(
            "cfhtls",
            "CFHT Legacy Survey",
            (
                Band("g", 0.186, 0.78, 30.0, ("MEGACAM_G",)),
                Band("r", 0.186, 0.71, 30.0, ("MEGACAM_R",)),
                Band("i", 0.186, 0.64, 30.0, ("MEGACAM_I",)),
            ),
            reference_band="i",
            composite=("i", "r", "g"),
            source="Hudelot et al. 2012, CFHTLS T0007; More et al. 2016, MNRAS 455, 1191",
        ),
        Survey(
            "kids-sim",
            "Lens Finding Challenge 1, ground",
            (
                Band("u", 0.2, 1.0, None, ("SDSS_U",)),
                Band("g", 0.2, 0.8, None, ("SDSS_G",)),
                Band("r", 0.2, 0.65, None, ("SDSS_R",)),
                Band("i", 0.2, 0.85, None, ("SDSS_I",)),
            ),
            reference_band="r",
            composite=("i", "r", "g"),
            source="Metcalf et al. 2019, A&A 625, A119, Sect. 3",
        ),
        Survey(
            "hst",
            "Hubble Space Telescope",
            (
                Band("F475W", 0.04, 0.08),
                Band("F606W", 0.05, 0.09),
                Band("F814W", 0.05, 0.10),
                Band("F140W", 0.08, 0.16),
                Band("F200LP", 0.05, 0.08),
            ),
            reference_band="F814W",
            composite=("F814W", "F606W", "F475W"),
            source="WFC3 and ACS instrument handbooks",
        ),
        Survey(
            "jwst",
            "JWST NIRCam",
            (
                Band("F115W", 0.03, 0.04),
                Band("F150W", 0.03, 0.05),
                Band("F277W", 0.06, 0.09),
                Band("F444W", 0.06, 0.14),
            ),
            reference_band="F150W",
            composite=("F444W", "F277W", "F150W"),
            source="NIRCam instrument handbook; COSMOS-Web mosaics",
        ),
    )
}


_PIVOT_UM = {
    **{"u": 0.36, "g": 0.48, "r": 0.62, "i": 0.76, "z": 0.90},
    **{"y": 0.98, "Y": 1.0, "VIS": 0.72, "J": 1.37, "H": 1.77, "Ks": 2.15, "K": 2.2},
    "F200LP": 0.50,  # a long-pass filter of WFC3/UVIS, whose name is where it begins
}


def pivot_um(band: str) -> float | None:
    """About the pivot wavelength of a band, from its name alone, to order bands from blue to red; None if unknown.

    Filters of HST and JWST carry it in their names: F814W is 0.814, F150W 1.5 and F444W 4.44 micrometres.

    >>> pivot_um("F140W"), pivot_um("DES_G"), pivot_um("weight")
    (1.4, 0.48, None)
    """
    letter = re.sub(r"^(?:DES|DECAM|HSC|MEGACAM|CFIS|NIR|SDSS|LSST)[_-]", "", band)
    for name in (band, letter, letter.lower()):
        if name in _PIVOT_UM:
            return _PIVOT_UM[name]
    if number := re.fullmatch(r"F(\d{3})(?:W|M|N|W2|LP)", band):
        value = int(number[1])
        # Up to F444W the infrared counts in hundredths of a micrometre, from F218W on HST's optical in nanometres.
        return value / 1000 if value >= 450 or value in (218, 225, 275, 336, 390, 438) else value / 100
    return None


def survey_named(name: str) -> Survey:
    """The survey of that name.

    Raises
    ------
    CampaignError
        If there is no such survey.
    """
    try:
        return SURVEYS[name]
    except KeyError:
        raise CampaignError(f"survey {name!r} is not known; known are {', '.join(SURVEYS)}") from None


def canonical_band(name: str, survey: Survey | None = None) -> str:
    """The survey's own name for a band that a file calls `name`; unknown names come back trimmed, not guessed.

    >>> canonical_band("NIR_Y", SURVEYS["euclid"])
    'Y'
    >>> canonical_band("DES_G", SURVEYS["euclid"])
    'DES_G'
    """
    given = re.sub(r"\s+", "_", name.strip())
    if survey is None:
        return given
    for band in survey.bands:
        if given == band.name:
            return band.name
    matches = [
        b.name for b in survey.bands if given.upper() in {b.name.upper(), *(a.upper() for a in b.aliases)}
    ]
    return matches[0] if len(matches) == 1 else given
