"""Light erased from a cutout: its pixels become what the galaxies and the sky would be without it.

Companions stay. What is put in is as noisy as the sky, with the noise of a patch where nothing is seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.linalg import spsolve

from data.cutouts import Plane
from data.region_shapes import offsets_arcsec
from lensmodel.counterfactuals.galaxy_light import Centre, Image, Mask, galaxy_light, scatter_of

_REACH_ARCSEC = 5.0  # at least so far is the light of a galaxy followed
_DEFAULT_FWHM_ARCSEC = 0.2
_WIDENED_FWHM = 0.5  # half the PSF: a wider mask would leave nothing of a small galaxy to fit
_SMOOTHING_PX = 2.0  # of the edge that is carried on into the mask, at least
_HALO_PX = 10.0  # what varies more slowly is no noise
_QUIET_SIGMA = 3.0
_PLACES_TRIED = 200
_QUARTILE = 0.6745  # sigmas of a Gaussian from its lower quartile to its mean
_TILES_PX = (16, 8, 4, 2, 1)
_TURNS_DEG = tuple(range(20, 341, 10))


def erased(
    planes: Mapping[str, Plane],
    mask: Mask,
    *,
    mask_scale_arcsec: float,
    arcs: Mask | None = None,
    galaxies_arcsec: Sequence[tuple[float, float]],
    fwhm_arcsec: Mapping[str, float],
    random: np.random.Generator,
) -> dict[str, Plane]:
    """The same planes without the light in the mask.

    mask : (y, x), pixels of `mask_scale_arcsec`, centred on the planes' centre; widened by each band's PSF.
    arcs : given if the mask is not theirs: they stay, and no galaxy is fitted to them.
    galaxies_arcsec : (x, y) of each galaxy whose light is modelled, from the cutout's centre.
    fwhm_arcsec : of the PSF by band.
    """
    without = {}
    for band, plane in planes.items():
        fwhm_px = fwhm_arcsec.get(band, _DEFAULT_FWHM_ARCSEC) / plane.pixel_scale_arcsec
        centres = [_pixel(plane, offset) for offset in galaxies_arcsec]
        taken = _widened(_on_grid(mask, mask_scale_arcsec, plane), _WIDENED_FWHM * fwhm_px)
        taken &= np.isfinite(plane.flux) & ~_cores(plane, centres, _WIDENED_FWHM * fwhm_px)
        unfitted = taken
        if arcs is not None:
            unfitted = _widened(_on_grid(arcs, mask_scale_arcsec, plane), _WIDENED_FWHM * fwhm_px)
            taken = taken & ~unfitted
        flux = _erased(plane, taken, unfitted, centres, fwhm_px, random)
        without[band] = replace(plane, flux=flux)
    return without


def control_mask(
    plane: Plane,
    mask: Mask,
    *,
    galaxies_arcsec: Sequence[tuple[float, float]],
    fwhm_arcsec: float,
    widest_arcsec: float,
) -> tuple[Mask, float]:
    """The mask turned about the first galaxy to where most of it falls on neither the mask nor a companion.

    mask : (y, x), on the plane's own pixels. fwhm_arcsec : of the plane's PSF; widest_arcsec : of any band's.

    Returns
    -------
    control : (y, x), what of it does so. turn_deg : counter-clockwise.
    """
    flux = plane.flux.astype(float)
    fwhm_px = fwhm_arcsec / plane.pixel_scale_arcsec
    hidden = _widened(mask, _WIDENED_FWHM * fwhm_px)
    centres = [_pixel(plane, offset) for offset in galaxies_arcsec]
    reach_px = _reach_px(plane, hidden, centres)
    left = flux - galaxy_light(flux, hidden, centres, reach_px=reach_px, fwhm_px=fwhm_px)
    seen = ~hidden & np.isfinite(flux)
    loud = seen & ~_is_quiet(np.where(seen, left, 0.0), seen)
    free = seen & ~_widened(loud, _WIDENED_FWHM * widest_arcsec / plane.pixel_scale_arcsec)
    turns = sorted(_TURNS_DEG, key=lambda turn: abs(turn - 180))
    turned = [_turned(mask, centres[0], turn) & free for turn in turns]
    best = int(np.argmax([control.sum() for control in turned]))
    return turned[best], float(turns[best])


def sky_like(flux: NDArray[np.float32], random: np.random.Generator) -> tuple[float, NDArray[np.float32]]:
    """The level of a plane's sky, and a plane (y, x) of that sky alone: tiles of noise from where nothing is seen.

    The level is that of the faint quarter of the pixels, of which fewer are a galaxy's. NaN, and a plane of it, if
    nothing was measured.
    """
    seen = np.isfinite(flux)
    if not seen.any():
        return float("nan"), np.full_like(flux, np.nan)
    left = np.where(seen, flux, 0.0).astype(float)
    rough = left - _smoothed(left, seen, _HALO_PX)
    quiet = seen & _is_quiet(rough, seen)
    noise = rough - float(np.median(rough[quiet])) if quiet.any() else np.zeros_like(left)
    level = float(np.quantile(flux[seen], 0.25)) + _QUARTILE * (
        scatter_of(rough[quiet]) if quiet.any() else 0.0
    )
    return level, (level + _tiled(noise, quiet, random)).astype(np.float32)


def _cores(plane: Plane, centres: Sequence[Centre], radius_px: float) -> Mask:
    """The innermost pixels of the galaxies, which are never erased."""
    rows, columns = np.indices(plane.flux.shape)
    inside = np.zeros(plane.flux.shape, bool)
    for x, y in centres:
        inside |= np.hypot(columns - x, rows - y) <= radius_px
    return inside


def _turned(mask: Mask, centre: Centre, turn_deg: float) -> Mask:
    rows, columns = np.indices(mask.shape)
    dx, dy = columns - centre[0], rows - centre[1]
    cosine, sine = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    from_x = np.rint(centre[0] + cosine * dx + sine * dy).astype(int)
    from_y = np.rint(centre[1] - sine * dx + cosine * dy).astype(int)
    known = (from_x >= 0) & (from_x < mask.shape[1]) & (from_y >= 0) & (from_y < mask.shape[0])
    clipped = from_y.clip(0, mask.shape[0] - 1), from_x.clip(0, mask.shape[1] - 1)
    return np.asarray(mask[clipped] & known)


def _on_grid(mask: Mask, scale_arcsec: float, plane: Plane) -> Mask:
    """A mask on the pixels of a plane, by the nearest pixel."""
    x, y = offsets_arcsec((plane.flux.shape[0], plane.flux.shape[1]), plane.pixel_scale_arcsec)
    rows = np.rint(y[:, 0] / scale_arcsec + (mask.shape[0] - 1) / 2).astype(int)
    columns = np.rint(x[0] / scale_arcsec + (mask.shape[1] - 1) / 2).astype(int)
    known = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & (columns >= 0) & (columns < mask.shape[1])
    near = mask[rows.clip(0, mask.shape[0] - 1)][:, columns.clip(0, mask.shape[1] - 1)]
    return np.asarray(near & known)


def _widened(mask: Mask, radius_px: float) -> Mask:
    """All pixels within a radius of the mask."""
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius_px)


def _erased(
    plane: Plane,
    taken: Mask,
    unfitted: Mask,
    centres: Sequence[Centre],
    fwhm_px: float,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    if not taken.any():
        return plane.flux
    flux = plane.flux.astype(float)
    reach_px = _reach_px(plane, taken | unfitted, centres)
    model = galaxy_light(flux, unfitted, centres, reach_px=reach_px, fwhm_px=fwhm_px)
    left = flux - model
    seen = ~taken & ~unfitted & np.isfinite(flux)
    filled = model + _bridged(left, seen, taken, max(_SMOOTHING_PX, fwhm_px / 2.355))
    left = np.where(np.isfinite(left), left, 0.0)
    rough = left - _smoothed(left, seen, _HALO_PX)
    filled += _noise_like(rough, seen & _is_quiet(rough, seen), taken, random)
    return np.where(taken, filled, flux).astype(np.float32)


def _pixel(plane: Plane, offset_arcsec: tuple[float, float]) -> Centre:
    height, width = plane.flux.shape
    x, y = offset_arcsec
    return x / plane.pixel_scale_arcsec + (width - 1) / 2, y / plane.pixel_scale_arcsec + (height - 1) / 2


def _reach_px(plane: Plane, unused: Mask, centres: Sequence[Centre]) -> float:
    """Half as far again as the farthest hidden pixel from its nearest galaxy."""
    rows, columns = np.nonzero(unused)
    nearest = np.min([np.hypot(columns - x, rows - y) for x, y in centres], axis=0) if centres else [0.0]
    return max(1.5 * float(np.max(nearest)), _REACH_ARCSEC / plane.pixel_scale_arcsec)


def _bridged(left: Image, seen: Mask, taken: Mask, smoothing_px: float) -> Image:
    """What the model leaves, carried on into the mask from its edge: the solution of Laplace's equation.

    No step shows at the edge, whatever the model misses.
    """
    known = _smoothed(left, seen, smoothing_px)
    number = np.full(taken.shape, -1)
    number[taken] = np.arange(taken.sum())
    rows, columns = np.nonzero(taken)
    here = number[taken]
    right = np.zeros(len(here))
    neighbours = np.zeros(len(here))
    entries: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for step_y, step_x in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        y, x = rows + step_y, columns + step_x
        inside = (y >= 0) & (y < taken.shape[0]) & (x >= 0) & (x < taken.shape[1])
        y, x = y.clip(0, taken.shape[0] - 1), x.clip(0, taken.shape[1] - 1)
        is_taken = inside & taken[y, x]
        is_edge = inside & ~taken[y, x]
        right[is_edge] += known[y[is_edge], x[is_edge]]
        neighbours += inside
        entries.append((here[is_taken], number[y[is_taken], x[is_taken]]))
    first = np.concatenate([here, *(pair[0] for pair in entries)])
    second = np.concatenate([here, *(pair[1] for pair in entries)])
    values = np.concatenate([neighbours, *(np.full(len(pair[0]), -1.0) for pair in entries)])
    bridged = np.zeros(taken.shape)
    if not taken.all():
        bridged[taken] = spsolve(csr_array((values, (first, second))).tocsc(), right)
    return bridged


def _smoothed(left: Image, seen: Mask, sigma_px: float) -> Image:
    """The Gaussian mean of what is seen, 0 where nothing is near."""
    weight = ndimage.gaussian_filter(seen.astype(float), sigma_px)
    total = ndimage.gaussian_filter(np.where(seen, left, 0.0), sigma_px)
    return np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), 0.0)


def _is_quiet(left: Image, seen: Mask) -> Mask:
    """Where only noise is left: no source rises above it, nor its wings. What is not seen says nothing."""
    smooth = _smoothed(left, seen, 1.5)
    is_source = np.abs(smooth - np.median(smooth[seen])) > _QUIET_SIGMA * (scatter_of(smooth[seen]) or 1.0)
    return ~np.asarray(ndimage.binary_dilation(is_source & seen, iterations=2), bool)


def _tiled(noise: Image, quiet: Mask, random: np.random.Generator) -> Image:
    """A plane of square tiles, each copied from a place that is quiet all over: the largest such tiles there are."""
    for side in _TILES_PX:
        tops, lefts = np.nonzero(_corners_of(quiet, side))
        if len(tops):
            break
    else:
        return np.zeros_like(noise)
    rows, columns = (-(-length // side) for length in noise.shape)
    chosen = random.integers(0, len(tops), (rows, columns))
    steps = np.arange(side)
    from_y = (tops[chosen][:, None, :, None] + steps[None, :, None, None]).repeat(side, 3)
    from_x = (lefts[chosen][:, None, :, None] + steps[None, None, None, :]).repeat(side, 1)
    tiled = noise[from_y, from_x].reshape(rows * side, columns * side)
    return np.asarray(tiled[: noise.shape[0], : noise.shape[1]])


def _corners_of(quiet: Mask, side: int) -> Mask:
    """The first pixels of all squares of that side that are quiet all over."""
    return np.asarray(ndimage.minimum_filter(quiet, side, mode="constant", origin=-(side // 2)))


def _noise_like(left: Image, quiet: Mask, taken: Mask, random: np.random.Generator) -> Image:
    """Noise copied from where it is quiet: a patch of the mask's own shape, so that it is correlated as it is there.

    If no place is quiet enough for all of the mask, the rest comes from the next best places, turned or not.
    """
    noise = np.zeros(taken.shape)
    todo = taken.copy()
    level = float(np.median(left[quiet])) if quiet.any() else 0.0
    while todo.any() and quiet.any():
        rows, columns = np.nonzero(todo)
        best: tuple[int, NDArray[np.int64], NDArray[np.int64], Mask] | None = None
        for _ in range(_PLACES_TRIED):
            y, x = (
                rows + random.integers(-len(left), len(left)),
                columns + random.integers(-left.shape[1], left.shape[1]),
            )
            inside = (y >= 0) & (y < left.shape[0]) & (x >= 0) & (x < left.shape[1])
            good = inside.copy()
            good[inside] = quiet[y[inside], x[inside]]
            if best is None or good.sum() > best[0]:
                best = int(good.sum()), y, x, good
            if best[0] == len(rows):
                break
        assert best is not None
        count, y, x, good = best
        if count == 0:
            chosen = random.integers(0, int(quiet.sum()), len(rows))
            noise[todo] = left[quiet][chosen] - level
            break
        noise[rows[good], columns[good]] = left[y[good], x[good]] - level
        todo[rows[good], columns[good]] = False
    return noise
