"""Pixels under the strokes of a brush, filled with what could be there instead, and light added to all."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Plane
from data.region_shapes import offsets_arcsec
from data.simulations.injection import lensed_light
from lensmodel.counterfactuals.erasing import sky_like
from lensmodel.counterfactuals.galaxy_light import Mask
from lensmodel.explain.changes import Change, Position, Stroke

_MEDIAN_WITHIN_ARCSEC = 1.0
_MEDIAN_OF = 150  # visible pixels at most: enough for a median, quick for a wide stroke
_HALF_DIAGONAL = 0.71  # pixels: a brush as wide as that hides a pixel wherever it is set


class Backdrop:
    """The sky of one object by band, without what is seen on it; a band is worked out when it is first asked for."""

    def __init__(self, planes: Mapping[str, Plane]) -> None:
        self._planes = planes
        self._kept: dict[str, tuple[float, NDArray[np.float32]]] = {}

    def level(self, band: str) -> float:
        """Of the sky, in the band's unit."""
        return self._of(band)[0]

    def noise(self, band: str) -> NDArray[np.float32]:
        """(y, x) sky with its noise, the same each time."""
        return self._of(band)[1]

    def _of(self, band: str) -> tuple[float, NDArray[np.float32]]:
        if band not in self._kept:
            self._kept[band] = sky_like(self._planes[band].flux, np.random.default_rng(0))
        return self._kept[band]


@lru_cache(maxsize=4)  # bands often share their pixels
def hidden_pixels(strokes: tuple[Stroke, ...], shape: tuple[int, int], pixel_scale_arcsec: float) -> Mask:
    """The pixels (y, x) whose centre a stroke covers, not to be written to; the narrowest brush covers one."""
    mask = np.zeros(shape, bool)
    x, y = (axis.ravel() for axis in offsets_arcsec(shape, pixel_scale_arcsec))
    for stroke in strokes:
        radius = max(stroke.radius_arcsec, _HALF_DIAGONAL * pixel_scale_arcsec)
        first, *_ = stroke.points_arcsec
        for start, end in pairwise((first, *stroke.points_arcsec)):
            rows, columns = (
                slice(*np.searchsorted(axis, (min(ends) - radius, max(ends) + radius)))
                for axis, ends in ((y, (start[1], end[1])), (x, (start[0], end[0])))
            )
            mask[rows, columns] |= _distance(x[columns], y[rows, None], start, end) <= radius
    mask.flags.writeable = False
    return mask


def changed(planes: Mapping[str, Plane], change: Change, backdrop: Backdrop) -> dict[str, Plane]:
    """The planes with the strokes' pixels filled and the lens injected; what was not measured stays so.

    backdrop : of the same planes.
    """
    bands = planes if change.bands is None else [band for band in change.bands if band in planes]
    filled = {}
    for band in bands if change.strokes else ():
        plane = planes[band]
        is_measured = np.isfinite(plane.flux)
        taken = hidden_pixels(change.strokes, _shape(plane), plane.pixel_scale_arcsec) & is_measured
        flux = plane.flux.copy()
        flux[taken] = _filling(plane, taken, change.fill, backdrop, band)
        filled[band] = replace(plane, flux=flux)
    altered = {**planes, **filled}
    light = lensed_light(planes, change.lens) if change.lens else {}
    for band, added in light.items():
        altered[band] = replace(altered[band], flux=altered[band].flux + added)
    return altered


def _filling(
    plane: Plane, taken: Mask, fill: str, backdrop: Backdrop, band: str
) -> NDArray[np.floating[Any]] | float:
    """What the taken pixels become: (pixel,) or one value."""
    if fill == "noise":
        return backdrop.noise(band)[taken]
    if fill == "sky":
        return backdrop.level(band)
    medians = _local_median(
        np.where(taken, np.nan, plane.flux), taken, _MEDIAN_WITHIN_ARCSEC / plane.pixel_scale_arcsec
    )
    return np.where(np.isfinite(medians), medians, backdrop.level(band))


def _local_median(
    flux: NDArray[np.floating[Any]], taken: Mask, radius_px: float
) -> NDArray[np.floating[Any]]:
    """(pixel,) median of the finite pixels about each taken one, NaN where there are none."""
    reach = max(1, int(radius_px))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = np.flatnonzero(np.hypot(dx, dy) <= max(radius_px, 1.5))
    near = near[:: max(1, -(-len(near) // _MEDIAN_OF))]
    rows, columns = np.nonzero(taken)
    around = np.pad(flux, reach, constant_values=np.nan)[
        rows[:, None] + reach + dy.ravel()[near], columns[:, None] + reach + dx.ravel()[near]
    ]
    around.sort(axis=1)  # NaN comes last
    known = np.isfinite(around).sum(axis=1)
    return np.asarray(around[np.arange(len(around)), (known - 1).clip(0) // 2])


def _distance(
    x: NDArray[np.float64], y: NDArray[np.float64], start: Position, end: Position
) -> NDArray[np.float64]:
    """Of positions from the line between two points."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length_squared = dx * dx + dy * dy
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / length_squared if length_squared else 0.0 * (x + y)
    along = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)


def _shape(plane: Plane) -> tuple[int, int]:
    return plane.flux.shape[0], plane.flux.shape[1]
