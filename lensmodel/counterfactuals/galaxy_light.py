"""The smooth light of galaxies, fitted where nothing else is seen: what would be there without the arcs.

Each galaxy is a B-spline of radius times even multipoles, so it looks the same turned by half a circle, after Bolton et
al. 2006, ApJ 638, 703, Sect. 3.2. Several galaxies and the background are one linear fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import BSpline

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]
Centre = tuple[float, float]

_DEGREE = 3
_KNOTS_PER_FOLD = 2.5  # per factor e in radius, outside the core
# How large a multipole may be, and how rough each spline, in units of the galaxy's profile, where no pixel tells.
_MULTIPOLES = {0: np.inf, 2: 0.4, 4: 0.15}
_ROUGHNESS = {0: 0.25, 2: 0.1, 4: 0.05}
_MODEL_ERROR = 0.04  # of the flux: galaxies are not quite such
_CLIP_SIGMA = 4.0
_ROUNDS = 6
_CENTRE_WITHIN_PX = 2.5


def scatter_of(flux: Image) -> float:
    """Standard deviation of the sky from the median absolute deviation, 0 if there is none."""
    measured = flux[np.isfinite(flux)]
    return float(1.4826 * np.median(np.abs(measured - np.median(measured)))) if measured.size else 0.0


def galaxy_light(
    flux: Image, hidden: Mask, centres: Sequence[Centre], *, reach_px: float, fwhm_px: float
) -> Image:
    """A model (y, x) of the background and of galaxies at these centres.

    flux, hidden : (y, x); hidden pixels and those that are not finite take no part, nor do companions, which rise
    above the model. centres : (x, y) in pixels, corrected by up to two pixels. reach_px : how far from a centre its
    light is followed. fwhm_px : of the PSF; nothing is finer.
    """
    seen = ~hidden & np.isfinite(flux)
    sky = float(np.median(flux[seen])) if seen.any() else 0.0
    noise = scatter_of(np.where(seen, flux, np.nan)) or 1.0
    values = np.where(seen, flux, sky)
    found = [_peak_near(flux - sky, seen, centre) for centre in centres]
    galaxies = [_galaxy(values - sky, seen, centre, reach_px, fwhm_px, noise) for centre in found]
    near = np.any([galaxy.is_near for galaxy in galaxies], axis=0) if galaxies else seen
    design = np.concatenate([np.ones((*flux.shape, 1)), *(galaxy.terms for galaxy in galaxies)], axis=-1)
    penalty = _block_diagonal([np.zeros((1, 1)), *(galaxy.penalty for galaxy in galaxies)])
    inside = seen & near
    rows, measured = design[inside], flux[inside]
    expected = ndimage.gaussian_filter(values, 1)[inside]
    used = np.ones(len(rows), bool)
    for _ in range(_ROUNDS):
        weight = used / np.hypot(noise, _MODEL_ERROR * (expected - sky).clip(0))
        weighted = rows * weight[:, None]
        terms = np.linalg.lstsq(
            weighted.T @ weighted + penalty, weighted.T @ (measured * weight), rcond=None
        )[0]
        expected = rows @ terms
        scatter = np.hypot(noise, _MODEL_ERROR * (expected - sky).clip(0))
        stands_out = np.zeros(flux.shape, bool)
        stands_out[inside] = np.abs(measured - expected) > _CLIP_SIGMA * scatter
        used = ~ndimage.binary_dilation(_with_company(stands_out), iterations=2)[inside]
    return np.asarray(design @ terms)


@dataclass(frozen=True)
class _Galaxy:
    """Columns (y, x, term) of the linear fit, the penalty (term, term), and the pixels (y, x) within reach."""

    terms: Image
    penalty: Image
    is_near: Mask


def _with_company(pixels: Mask) -> Mask:
    """Those that have neighbours like them: a companion, not a fluctuation."""
    number = ndimage.convolve(pixels.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant")
    return np.asarray(pixels & (number >= 3))


def _peak_near(level: Image, seen: Mask, centre: Centre) -> Centre:
    """The centroid of the light near a centre: bands of one object may be shifted by a pixel."""
    x, y = centre
    rows, columns = np.indices(level.shape)
    light = np.nan_to_num(level).clip(0) * seen
    for _ in range(8):
        weight = light * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / _CENTRE_WITHIN_PX**2)
        if weight.sum() <= 0:
            return centre
        x, y = float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())
    return (x, y) if np.hypot(x - centre[0], y - centre[1]) <= _CENTRE_WITHIN_PX else centre


def _galaxy(
    level: Image, seen: Mask, centre: Centre, reach_px: float, fwhm_px: float, noise: float
) -> _Galaxy:
    rows, columns = np.indices(level.shape)
    dx, dy = columns - centre[0], rows - centre[1]
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    core = max(1.0, fwhm_px / 2)
    outer = np.arcsinh(reach_px / core)
    number = max(5, round(_KNOTS_PER_FOLD * outer))
    knots = np.concatenate([np.zeros(_DEGREE), np.linspace(0, outer, number), np.full(_DEGREE, outer)])
    depth = np.arcsinh(radius / core).clip(0, outer)
    # The last spline is left out: the light ends at reach_px.
    splines = BSpline.design_matrix(depth.ravel(), knots, _DEGREE).toarray()[:, :-1].reshape(*level.shape, -1)
    middles = core * np.sinh([knots[i + 1 : i + 1 + _DEGREE].mean() for i in range(splines.shape[-1])])
    profile = _profile(level, seen, radius, middles, noise)
    terms, penalties = [], []
    for multipole, size in _MULTIPOLES.items():
        damped = (radius**2 / (radius**2 + core**2)) ** (multipole / 2)
        relative = np.diff(np.diag(1 / profile), 2, axis=0) / _ROUGHNESS[multipole]
        penalty = relative.T @ relative + np.diag((1 / (size * profile)) ** 2)
        for turn in (np.cos, np.sin) if multipole else (np.cos,):
            terms.append(splines * (damped * turn(multipole * angle))[..., None])
            penalties.append(penalty)
    return _Galaxy(np.concatenate(terms, axis=-1), _block_diagonal(penalties), radius <= reach_px)


def _profile(level: Image, seen: Mask, radius: Image, at_px: Image, noise: float) -> Image:
    """About the surface brightness at these radii, falling outwards and at least a third of the noise."""
    profile = np.full(len(at_px), np.nan)
    edges = np.concatenate([[-1], (at_px[1:] + at_px[:-1]) / 2, [np.inf]])
    for index, (low, high) in enumerate(pairwise(edges)):
        ring = seen & (radius > low) & (radius <= max(high, low + 1.5))
        if ring.any():
            profile[index] = np.median(level[ring])
    known = np.isfinite(profile)
    if not known.any():
        return np.full(len(at_px), noise)
    profile = np.interp(at_px, at_px[known], profile[known])
    return np.asarray(np.minimum.accumulate(profile).clip(noise / 3))


def _block_diagonal(blocks: Sequence[Image]) -> Image:
    size = sum(len(block) for block in blocks)
    whole, first = np.zeros((size, size)), 0
    for block in blocks:
        whole[first : first + len(block), first : first + len(block)] = block
        first += len(block)
    return whole
