"""What maps of many objects have in common: stacked about the lens in Einstein radii, and colours under them. Pure.

A map's strength is its value over its own peak, so that no object outweighs the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Plane
from data.shares import Interval
from lensmodel.evaluation.metrics import MAD_OF_ONE_SIGMA, Numbers
from lensmodel.resampling import linear_weights

REACH_THETA_E = 3.0
STEP_THETA_E = 0.1
MATTERS = 0.5  # of the peak: what is stronger is where the network looked
STANDS_OUT_SNR = 3.0  # per pixel, in the two bands together
_RESAMPLES = 200
_Z = 1.959963984540054

Map = NDArray[np.floating]


@dataclass(frozen=True)
class Profile:
    """Mean strength (annulus,) at a radius in theta_E, with its 95 % interval from the scatter between objects.

    strongest, strongest_interval : radius of the strongest annulus, from bootstrap resamples of the objects.
    half : radius within which half of the strength above its lowest annulus lies.
    """

    radius: Numbers
    strength: Numbers
    low: Numbers
    high: Numbers
    strongest: float
    strongest_interval: Interval
    half: float


@dataclass(frozen=True)
class PixelColours:
    """Colour in mag of the light where a map is strong and of the light where it is not; NaN without such light."""

    mattered: float
    others: float


def offsets_theta_E() -> Numbers:  # noqa: N802  # the field's symbol
    """The axis of a stack: places in theta_E from the lens."""
    number = round(REACH_THETA_E / STEP_THETA_E)
    return np.asarray(np.arange(-number, number + 1) * STEP_THETA_E, np.float64)


def about_lens(
    map_: Map, pixel_scale_arcsec: float, *, x_arcsec: float, y_arcsec: float, theta_E_arcsec: float
) -> Numbers:
    """A map (y, x) on the grid of `offsets_theta_E` about the lens, over its peak there; NaN where it says nothing.

    x_arcsec, y_arcsec : the lens from the middle of the map.
    """
    places = [
        (centre + offsets_theta_E() * theta_E_arcsec) / pixel_scale_arcsec + (length - 1) / 2
        for centre, length in zip((y_arcsec, x_arcsec), map_.shape, strict=True)
    ]
    values = _sampled(map_, *places)
    if not np.isfinite(values).any():
        return values
    peak = float(np.nanmax(np.abs(values)))
    strength: Numbers = values / peak if peak else values
    return strength


def stacked(grids: Sequence[Numbers]) -> Numbers:
    """The mean of several grids (y, x), of those that say something at each place."""
    cube = np.stack(grids)
    known = np.isfinite(cube)
    number = known.sum(axis=0)
    total = np.where(known, cube, 0.0).sum(axis=0)
    mean: Numbers = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean


def profile_of(grids: Sequence[Numbers], *, seed: int = 1) -> Profile:
    """Strength against distance from the lens, of several grids (y, x)."""
    axis = offsets_theta_E()
    ring = np.rint(np.hypot(axis[:, None], axis) / STEP_THETA_E).astype(int)
    rings = round(REACH_THETA_E / STEP_THETA_E) + 1
    each = np.stack([_ring_means(grid, ring, rings) for grid in grids])
    radius = np.asarray(np.arange(rings) * STEP_THETA_E, np.float64)
    mean, spread = _mean(each), _spread(each)
    drawn = np.random.default_rng(seed).integers(0, len(each), (_RESAMPLES, len(each)))
    strongest = [radius[_argmax(_mean(each[rows]))] for rows in drawn]
    low, high = np.percentile(strongest, [2.5, 97.5])
    return Profile(
        radius=radius,
        strength=mean,
        low=mean - _Z * spread,
        high=mean + _Z * spread,
        strongest=float(radius[_argmax(mean)]),
        strongest_interval=(float(low), float(high)),
        half=_half_radius(radius, mean),
    )


def pixel_colours(map_: Map, pixel_scale_arcsec: float, blue: Plane, red: Plane) -> PixelColours:
    """Colours, blue minus red, of light under the strong and under the weak part of a map (y, x).

    Light is what stands out of the sky's noise in both bands together. The bands may have pixels of different sizes.
    """
    snr = sum(
        _onto(_above_sky(band), band.pixel_scale_arcsec, map_.shape, pixel_scale_arcsec)
        for band in (blue, red)
    )
    known = np.isfinite(map_) & np.isfinite(snr)
    peak = map_[known].max() if known.any() else 0.0
    is_light = known & (np.nan_to_num(snr) / np.sqrt(2) > STANDS_OUT_SNR)
    strong = np.where(known, map_, 0.0) >= MATTERS * peak if peak > 0 else np.zeros(map_.shape, bool)
    mattered, others = (
        _colour(is_light & chosen, pixel_scale_arcsec, blue, red) for chosen in (strong, ~strong)
    )
    return PixelColours(mattered, others)


def _sampled(values: Map, rows: Numbers, columns: Numbers) -> Numbers:
    """Linear between pixels, at fractional indices; NaN off the image, and where it is mostly NaN."""
    weights = []
    for at, length in zip((rows, columns), values.shape, strict=True):
        weight = linear_weights(at, length)
        weight[(at < -0.5) | (at > length - 0.5)] = 0.0
        weights.append(weight)
    known = np.isfinite(values)
    share = weights[0] @ known @ weights[1].T
    total = weights[0] @ np.where(known, values, 0.0) @ weights[1].T
    sampled: Numbers = np.divide(total, share, out=np.full(total.shape, np.nan), where=share >= 0.5)
    return sampled


def _ring_means(grid: Numbers, ring: NDArray[np.int64], rings: int) -> Numbers:
    known = np.isfinite(grid) & (ring < rings)
    number = np.bincount(ring[known], minlength=rings)
    total = np.bincount(ring[known], grid[known], minlength=rings)
    means: Numbers = np.divide(total, number, out=np.full(rings, np.nan), where=number > 0)
    return means


def _mean(each: Numbers) -> Numbers:
    return stacked(list(each))


def _spread(each: Numbers) -> Numbers:
    """Standard error of the mean over the first axis; 0 for a single object."""
    known = np.isfinite(each)
    number = known.sum(axis=0)
    squares = np.where(known, each - _mean(each), 0.0) ** 2
    error: Numbers = np.sqrt(squares.sum(axis=0) / np.maximum(number - 1, 1) / np.maximum(number, 1))
    return error


def _argmax(strength: Numbers) -> int:
    return int(np.argmax(np.where(np.isfinite(strength), strength, -np.inf)))


def _half_radius(radius: Numbers, strength: Numbers) -> float:
    known = np.isfinite(strength)
    if not known.any():
        return float("nan")
    inner, outer = np.maximum(radius - STEP_THETA_E / 2, 0), radius + STEP_THETA_E / 2
    above = np.where(known, strength - strength[known].min(), 0.0) * (outer**2 - inner**2)
    total = np.cumsum(above)
    if not total[-1] > 0:
        return float("nan")
    return float(np.interp(total[-1] / 2, np.concatenate([[0.0], total]), np.concatenate([[0.0], outer])))


def _above_sky(plane: Plane) -> Numbers:
    """Flux above the sky in units of its noise, from the median and the scatter of the pixels below it."""
    flux = plane.flux.astype(float)
    known = np.isfinite(flux)
    if not known.any():
        return np.full(flux.shape, np.nan)
    sky = float(np.median(flux[known]))
    below = sky - flux[known & (flux <= sky)]
    noise = MAD_OF_ONE_SIGMA * float(np.median(below))
    return (flux - sky) / noise if noise > 0 else np.zeros(flux.shape)


def _onto(values: Map, scale_arcsec: float, shape: tuple[int, ...], to_scale_arcsec: float) -> Numbers:
    """An image about its middle on the pixels of another about the same middle."""
    places = [
        (np.arange(length) - (length - 1) / 2) * to_scale_arcsec / scale_arcsec + (number - 1) / 2
        for length, number in zip(shape, values.shape, strict=True)
    ]
    return _sampled(values, *places)


def _colour(chosen: NDArray[np.bool_], scale_arcsec: float, blue: Plane, red: Plane) -> float:
    magnitudes = []
    for plane in (blue, red):
        inside = _onto(chosen.astype(float), scale_arcsec, plane.flux.shape, plane.pixel_scale_arcsec) >= 0.5
        known = np.isfinite(plane.flux)
        sky = float(np.median(plane.flux[known])) if known.any() else 0.0
        light = float((plane.flux[inside & known] - sky).sum())
        magnitudes.append(plane.zero_point_mag - 2.5 * np.log10(light) if light > 0 else float("nan"))
    return float(magnitudes[0] - magnitudes[1])
