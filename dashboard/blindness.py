"""What an inspector may know before grading. Pure; `dashboard.session` asks here for every route.

Truth (of simulated or known objects) comes after the inspector's own grade, whatever the campaign's policy.
Verdicts, of a network or of people, wait for the blind grade in campaigns with `reveal = "after-grade"`, also
where a catalogue carries them as a column.
"""

import re
from collections.abc import Collection, Mapping

TRUTH_COLUMNS = ("class", "subtype", "theta_E_arcsec", "lens_x_arcsec", "lens_y_arcsec")
TRUTH_PREFIX = "sim_"
_TRUTH_NAMES = {name.lower() for name in TRUTH_COLUMNS}
# A list of what may be shown: no list of words for a verdict is complete.
_MEASURED = re.compile(
    r"(?:(?:mag|magnitude|flux|fluxerr|z|zphot|zspec|redshift|ebv|seeing|psf|fwhm|exptime|airmass|tile|field|brick|"
    r"pointing|ra|dec|glon|glat|radius|size|ellipticity|snr|sersic|bulge|stellar|colour|color)(?:[_ ].*)?|"
    r"(?:[a-z]{1,4}_)?(?:mag|flux)(?:err)?(?:_[a-z0-9]+)*|z_(?:phot|spec)(?:_err)?|photo_?z|spec_?z|i_e)",
    re.IGNORECASE,
)

_PLACES = re.compile(
    r"(?:ra|dec|glon|glat|tile|field|brick|pointing|airmass|exptime)(?:[_ ].*)?", re.IGNORECASE
)


def is_place(column: str) -> bool:
    """Whether a catalogue column tells where on the sky or in the survey an object is, and so which one."""
    return _PLACES.fullmatch(column.strip()) is not None


def is_truth(column: str) -> bool:
    """Whether a catalogue column tells what the object really is."""
    return column.strip().lower() in _TRUTH_NAMES or column.lower().startswith(TRUTH_PREFIX)


def is_measured(column: str) -> bool:
    """Whether a catalogue column, by its name, holds a measurement that concludes nothing.

    >>> is_measured("mag_vis"), is_measured("expert_score"), is_measured("lensProb")
    (True, False, False)
    """
    return _MEASURED.fullmatch(column.strip()) is not None


def truth_of(columns: Mapping[str, object]) -> dict[str, object]:
    """The truth columns that have a value."""
    return {name: value for name, value in columns.items() if is_truth(name) and value is not None}


def shown_columns(
    columns: Mapping[str, object], *, withheld: bool, also: Collection[str] = ()
) -> dict[str, object]:
    """The catalogue columns that may be shown: never truth; while verdicts are withheld, only measurements.

    also : names that the campaign's settings allow while verdicts are withheld.
    """
    return {
        name: value
        for name, value in columns.items()
        if value is not None and not is_truth(name) and (not withheld or name in also or is_measured(name))
    }
