"""From what files hold to a cutout: bands by name, with noise and PSF, in the survey's order.

Nothing is told by order: a plane that no name gives a band keeps a name that says so, and a warning.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Cutout, Plane, Plane2D
from data.errors import UnreadableCutoutError
from data.readers.checks import field_warnings, plane_warnings, shift_warnings
from data.readers.naming import band_called
from data.readers.parts import UNKNOWN, Content, Part
from data.readers.units import SourceFile
from data.surveys import Survey

BAD_PIXEL_RMS = 1e8  # Euclid's MER pipeline writes 1e16 where nothing was measured, PyAutoLens 1e8
LARGEST_SIDE_PX = 4096
_SMALLEST_SIDE_PX = 3
_SCALE_DIGITS = 5  # or the rounding of headers would give each object a layout of its own in the store


@dataclass(frozen=True)
class Known:
    """What the catalogue says of an object before it is read: its bands in file order, its pixel scale."""

    bands: tuple[str, ...] = ()
    pixel_scale_arcsec: float = UNKNOWN


@dataclass(frozen=True)
class Source:
    """What one file holds of an object."""

    file: SourceFile
    content: Content

    def of_role(self, role: str) -> list[Part]:
        return [part for part in self.content.parts if part.role == role]


def cutout_of(stem: str, sources: Sequence[Source], survey: Survey, known: Known) -> Cutout:
    """The cutout that these sources make up, its position that of the WCS or the file; all parts are (y, x).

    Raises
    ------
    UnreadableCutoutError
        If there is no image, or one whose shape is no cutout's.
    """
    first = sources[0].content
    by_band, warnings = _by_band(sources, survey, known)
    planes = {}
    for band, parts in by_band.items():
        planes[band], problem = _plane(band, parts, _fallbacks(band, first, survey, known))
        warnings += problem
    # Only now: a filter has neither the pixel scale nor the zero point of the band that it is taken for.
    taken = _taken_for(list(planes), survey) if first.kind == "flux" else {}
    warnings += [f"{band} is taken for {other}: campaign.toml says so" for band, other in taken.items()]
    planes = _in_order({taken.get(band, band): plane for band, plane in planes.items()}, survey)
    reference = survey.reference_among(list(planes))
    warnings += plane_warnings(planes)
    if first.kind == "flux" and len(planes) > 1:
        warnings += [*field_warnings(planes, reference), *shift_warnings(planes, reference, survey)]
    sky = next(parts[0] for band, parts in by_band.items() if taken.get(band, band) == reference).sky()
    centre = (sky.ra_deg, sky.dec_deg) if sky is not None and math.isfinite(sky.ra_deg) else None
    ra_deg, dec_deg = centre or (first.ra_deg, first.dec_deg)
    return Cutout(
        object_id=stem,
        planes=planes,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        cd_deg=None if sky is None else sky.cd_deg,
        centre_deg=centre,
        kind=first.kind,
        columns=first.columns,
        source_files=tuple(dict.fromkeys(str(source.file.path) for source in sources)),
        warnings=tuple(warnings),
    )


def flux_bands(source: Source, survey: Survey) -> list[str]:
    """The bands that a file brings; "" for a plane that neither the file nor its name gives one."""
    parts = source.of_role("flux")
    if source.content.kind == "colour":
        return [part.label for part in parts]
    return [band_called((part.label, part.filter_name, source.file.band), survey) for part in parts]


def _by_band(
    sources: Sequence[Source], survey: Survey, known: Known
) -> tuple[dict[str, list[Part]], list[str]]:
    """For each band its flux, then what belongs to it."""
    by_band: dict[str, list[Part]] = {}
    beside: list[tuple[str, Part]] = []
    warnings: list[str] = []
    for source in sources:
        bands, problems = _told_apart(flux_bands(source, survey), survey, known)
        flux = source.of_role("flux")
        by_band.update({band: [part] for band, part in zip(bands, flux, strict=True)})
        warnings += problems
        band_of_label = dict(zip((part.label for part in flux), bands, strict=True))
        for part in source.content.parts:
            if part.role not in ("flux", "ignored"):
                names = (band_of_label.get(part.label, ""), part.label, part.filter_name, source.file.band)
                beside.append((band_called(names, survey), part))
    if not by_band:
        raise UnreadableCutoutError("no image among the file's arrays, only noise maps or PSFs")
    for band, part in beside:
        by_band.get(next(iter(by_band)) if not band and len(by_band) == 1 else band, []).append(part)
    return by_band, warnings


def _told_apart(names: list[str], survey: Survey, known: Known) -> tuple[list[str], list[str]]:
    """Names that are all there and all different, and what to say if they were not."""
    if len(names) == 1 and not names[0] and not known.bands:
        band = survey.reference_band
        return [band], [f"band not named in the file: taken as {band}, the reference band of {survey.name}"]
    if "" not in names and len(set(names)) == len(names):
        return names, []
    by_catalogue = [band_called((band,), survey) for band in known.bands]
    if len(set(by_catalogue)) == len(names):
        return by_catalogue, []
    count = Counter(names)
    told = [
        name if name and count[name] == 1 else f"{name or 'plane'}-{n}" for n, name in enumerate(names, 1)
    ]
    return told, [
        f"bands not told apart: {len(names)} planes of the file have the names {', '.join(names) or 'none'}; "
        f"kept as {', '.join(told)}: name them in a column `bands` of the catalogue, such as g+r+i"
    ]


def _taken_for(bands: Sequence[str], survey: Survey) -> dict[str, str]:
    """Filters among an object's bands that stand for a band which the object does not have itself."""
    taken: dict[str, str] = {}
    for named, stands_for in survey.stand_ins:
        found = next((band for band in bands if band.upper() == band_called((named,), survey).upper()), None)
        if found is not None and found not in taken and stands_for not in (*bands, *taken.values()):
            taken[found] = stands_for
    return taken


def _in_order(planes: Mapping[str, Plane], survey: Survey) -> dict[str, Plane]:
    """The survey's bands in its order, then the others as they came."""
    known = [band.name for band in survey.bands if band.name in planes]
    return {band: planes[band] for band in dict.fromkeys([*known, *planes])}


def _fallbacks(band: str, content: Content, survey: Survey, known: Known) -> tuple[float, float]:
    """Pixel scale and zero point for a band that states none: the catalogue's, then the survey's."""
    of_survey = survey.band(band) if content.kind == "flux" else None
    scale = known.pixel_scale_arcsec
    if math.isnan(scale) and of_survey is not None:
        scale = of_survey.pixel_scale_arcsec
    zero_point = of_survey.zero_point_mag if of_survey is not None else None
    return scale, UNKNOWN if zero_point is None else zero_point


def _plane(band: str, parts: Sequence[Part], fallbacks: tuple[float, float]) -> tuple[Plane, list[str]]:
    flux_part = parts[0]
    _check_shape(flux_part.values.shape)
    flux = _measured(flux_part.values)
    rms, problems = _rms(band, parts, flux.shape)
    if rms is not None and (bad := _unmeasured(flux, rms)).any():
        flux[bad] = rms[bad] = np.nan
    scale, zero_point = flux_part.pixel_scale_arcsec, flux_part.zero_point_mag
    stated = flux_part.impossible_scale_arcsec
    if math.isnan(scale):
        scale = fallbacks[0]
        if not math.isnan(stated):
            problems = [
                *problems,
                f"{band}: the header states {stated:.3g} arcsec per pixel; {scale:g} is taken",
            ]
    return Plane(
        flux=flux,
        pixel_scale_arcsec=float(f"{scale:.{_SCALE_DIGITS}g}"),
        zero_point_mag=fallbacks[1] if math.isnan(zero_point) else zero_point,
        rms=rms,
        psf=next((_measured(p.values) for p in parts if p.role == "psf" and p.values.ndim == 2), None),
    ), problems


def _unmeasured(flux: Plane2D, rms: Plane2D) -> NDArray[np.bool_]:
    """Where the noise map says that nothing was measured: a huge value, or zero where flux is zero too."""
    bad: NDArray[np.bool_] = rms >= BAD_PIXEL_RMS
    return bad | ((rms == 0) & (flux == 0)) if rms.min() == 0 else bad


def _rms(band: str, parts: Sequence[Part], shape: tuple[int, ...]) -> tuple[Plane2D | None, list[str]]:
    """Standard deviation per pixel, out of a map of it, of the variance or of the inverse variance."""
    for part in parts:
        if part.role not in ("rms", "variance", "weight"):
            continue
        if part.values.shape != shape:
            return None, [
                f"noise map of {band} left out: its shape is {part.values.shape}, the flux's {shape}"
            ]
        values = _measured(part.values)
        with np.errstate(divide="ignore", invalid="ignore"):
            if part.role == "variance":
                np.sqrt(values, out=values)
            elif part.role == "weight":
                np.reciprocal(np.sqrt(values, out=values), out=values)  # infinite at weight 0: a bad pixel
        return values, []
    return None, []


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < _SMALLEST_SIDE_PX:
        raise UnreadableCutoutError(f"an image of shape {shape}; expected (y, x), at least 3 px a side")
    if max(shape) > LARGEST_SIDE_PX:
        raise UnreadableCutoutError(
            f"an image of {shape[1]}x{shape[0]} px is a mosaic: give --catalogue with positions to cut out"
        )


def _measured(values: NDArray[np.generic]) -> Plane2D:
    """A copy in float32; what that cannot hold, and infinity, is no measurement."""
    with np.errstate(over="ignore", invalid="ignore"):
        plane = np.array(values, dtype=np.float32, order="C")
    if not math.isfinite(plane.min()) or not math.isfinite(plane.max()):
        plane[~np.isfinite(plane)] = np.nan
    return plane
