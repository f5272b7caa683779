"""Names of files and of what is in them: which band they mean, and whether flux, noise or PSF."""

import functools
import re
from typing import NamedTuple

from data.readers.parts import Role
from data.surveys import SURVEYS, Survey, canonical_band

_ROLE_OF_WORD: dict[str, Role] = {
    **dict.fromkeys(("flux", "bgsub", "sci", "image", "images", "img", "data", "coadd", "cutout"), "flux"),
    **dict.fromkeys(("primary", "map", "point", "source"), "flux"),
    **dict.fromkeys(("rms", "noise", "noisemap", "err", "error", "sigma", "std"), "rms"),
    **dict.fromkeys(("var", "variance"), "variance"),
    **dict.fromkeys(("wht", "weight", "weights", "ivar", "invvar"), "weight"),
    **dict.fromkeys(("psf", "psfs", "kernel"), "psf"),
    **dict.fromkeys(("mask", "dq", "flag", "flags", "seg", "exposure", "model", "catalog"), "ignored"),
}
_ROLES_OF_FILES = (
    "psf|rms|noise[_-]?map|noise|err|var|variance|wht|weight|ivar|invvar|mask|flags?|dq|segmentation"
)
_FLUX_OF_FILES = "image|img|data|sci|flux"
_SEPARATOR = r"[_\-. ]"


class FileName(NamedTuple):
    """A stem taken apart: what is left without band and role; "" where the name says nothing."""

    rest: str
    band: str
    role: Role


@functools.lru_cache(maxsize=4096)
def split_label(text: str) -> tuple[str, Role]:
    """The band and the role in the name of an extension, a key or a column.

    >>> split_label("NIR_Y_BGSUB"), split_label("VIS_RMS"), split_label("image_data"), split_label("HSC-G")
    (('NIR_Y', 'flux'), ('VIS', 'rms'), ('', 'flux'), ('HSC-G', 'flux'))
    """
    words = [word for word in re.split(r"[_\s]+", text.strip()) if word]
    roles = [_ROLE_OF_WORD.get(word.lower()) for word in words]
    band = "_".join(word for word, role in zip(words, roles, strict=True) if role is None)
    return band, next((role for role in roles if role not in (None, "flux")), None) or "flux"


def split_stem(stem: str) -> FileName:
    """Take a file's stem apart.

    >>> split_stem("imageSDSS_R-100002")
    FileName(rest='100002', band='SDSS_R', role='flux')
    >>> split_stem("SDSSJ1250+0523_F814W_noise_map")
    FileName(rest='SDSSJ1250+0523', band='F814W', role='rms')
    >>> split_stem("102018665_NEG570040238507752998").band
    ''
    """
    rest, role = _without_role(stem)
    rest, band = _without_band(rest)
    rest, late_role = _without_role(rest)
    return FileName(rest, band, role if role != "flux" else late_role)


def role_within(stem: str) -> Role:
    """The role that any word of a stem names: survey tiles put it in the middle.

    >>> role_within("EUC_MER_MOSAIC-VIS-RMS_TILE102018211"), role_within("EUC_MER_BGSUB-MOSAIC-VIS_TILE1")
    ('rms', 'flux')
    """
    return split_label(re.sub(_SEPARATOR, "_", stem))[1]


def folder_band(name: str) -> str | None:
    """The band a folder is named after, if only by number (Band1); None for any other folder.

    >>> folder_band("NIR_Y"), folder_band("Band3"), folder_band("lenses")
    ('NIR_Y', 'Band3', None)
    """
    stripped = re.sub(r"(?i:^band[_\- ])", "", name)
    return stripped if _WHOLE_BAND.fullmatch(stripped) or re.fullmatch(r"(?i:band)\d+", name) else None


@functools.lru_cache(maxsize=4096)
def band_called(given: tuple[str, ...], survey: Survey) -> str:
    """The band that these names mean, most trusted first: the first that the survey knows, else the first."""
    names = [name for text in given if (name := _tidy(text))]
    for name in names:
        for spelling in (name, name.replace("-", "_")):
            band = canonical_band(spelling, survey)
            if survey.band(band) is not None:
                return band
    return names[0] if names else ""


def _tidy(text: str) -> str:
    """A name fit for an array in the store: no slash, no space, and not one that the store uses itself."""
    name = re.sub(r"[^\w.+\-]+", "_", text.strip()).strip("_.")
    return f"band_{name}" if name.lower() in {"rms", "psf"} else name


def _without_role(stem: str) -> tuple[str, Role]:
    role: Role = "flux"
    if found := _ROLE_AT_AN_END.search(stem):
        role = split_label(re.sub(_SEPARATOR, "_", found[0]))[1]
        stem = stem[: found.start()] + stem[found.end() :]
    return _FLUX_AT_AN_END.sub("", stem), role


def _without_band(stem: str) -> tuple[str, str]:
    if found := _BAND_IN_STEM.search(stem):
        left, right = stem[: found.start()].rstrip("_-. "), stem[found.end() :].lstrip("_-. ")
        return "_".join(filter(None, (left, right))), found[0].strip("_-. ")
    return stem, ""


def _at_an_end(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?i:^(?:{words})(?:{_SEPARATOR}+|$)|{_SEPARATOR}+(?:{words})$)")


def _band_words() -> tuple[str, str]:
    """Alternatives for a regular expression: names that stand out, and names of one or two letters."""
    names = {
        name for survey in SURVEYS.values() for band in survey.bands for name in (band.name, *band.aliases)
    }
    spelled = {name: re.escape(name).replace("_", "[_-]").replace(r"\-", "[_-]") for name in names}
    ordered = sorted(names, key=lambda name: (-len(name), name))
    long = [spelled[name] for name in ordered if len(name) > 2]
    return "|".join((*long, r"F\d{3,4}(?:LP|[WMNX])")), "|".join(spelled[n] for n in ordered if len(n) <= 2)


_LONG, _SHORT = _band_words()
_ROLE_AT_AN_END = _at_an_end(_ROLES_OF_FILES)
_FLUX_AT_AN_END = _at_an_end(_FLUX_OF_FILES)
_WHOLE_BAND = re.compile(rf"(?i:{_LONG})|{_SHORT}")
# A long name may follow small letters (imageSDSS_R); a short one counts only as a suffix, or as a whole name,
# and small letters also as a prefix: ids begin with capital letters too often.
_BAND_IN_STEM = re.compile(
    rf"(?<=[a-z])(?:{_LONG})(?![A-Za-z0-9])"
    rf"|(?i:(?<![A-Za-z0-9])(?:{_LONG})(?![A-Za-z0-9]))"
    rf"|{_SEPARATOR}(?:{_SHORT}|[GRIZUK])$|^(?:{_SHORT})$|^[ugrizy](?={_SEPARATOR})"
)
