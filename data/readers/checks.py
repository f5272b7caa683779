"""What is wrong with a cutout's planes and shows in the pixels: empty, constant, shifted against each other.

A warning reads "what: details"; a report counts the whats.
"""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Plane
from data.surveys import Survey

_MOST_CELLS = 64  # a side of the grid on which bands are compared
_PEAK_CORRELATION = 0.25  # less may be noise, or bands that show different things
_PEAK_SIGMAS = 6.0  # of the correlation of two noises, which is one over the cells of a side
_UNKNOWN_PSF_ARCSEC = 1.0  # of a band that the survey does not have: from the ground
# Of the peak, reached without a shift: then it is too broad to tell. At 0.95 none of 400 real and simulated
# objects is a false alarm; of simulated Euclid bands moved by 0.8, 1.0, 2.7 arcsec, 80, 98, 99 % are found.
_UNSHIFTED_SHARE = 0.95


def plane_warnings(planes: Mapping[str, Plane]) -> Iterator[str]:
    """Bands without a finite pixel, or with one value only."""
    for band, plane in planes.items():
        low, high = plane.flux.min(), plane.flux.max()
        if math.isnan(low):
            if np.isnan(plane.flux).all():
                yield f"{band} is empty: no pixel has a finite value"
                continue
            low, high = np.nanmin(plane.flux), np.nanmax(plane.flux)
        if low == high:
            yield f"{band} is constant: every pixel is {low:g}"


def field_warnings(planes: Mapping[str, Plane], reference: str) -> Iterator[str]:
    """Bands that cover another field than the reference band, by more than a twentieth and a pixel."""
    expected = _field_arcsec(planes[reference])
    for band, plane in planes.items():
        field = _field_arcsec(plane)
        if abs(field - expected) > max(0.05 * expected, 2 * plane.pixel_scale_arcsec):
            yield f"{band} covers another field than {reference}: {field:.2f} against {expected:.2f} arcsec"


def shift_warnings(planes: Mapping[str, Plane], reference: str, survey: Survey) -> Iterator[str]:
    """Bands shifted against the reference band by more than the wider PSF of the two, and clearly so.

    The peak of the circular cross-correlation of both bands, averaged on one coarse grid, with bright pixels
    held back so that one star does not decide.
    """
    compared = {band: plane for band, plane in planes.items() if plane.pixel_scale_arcsec > 0}
    if reference not in compared or len(compared) < 2:
        return
    grid = _grid(list(compared.values()))
    spectra = {band: _spectrum(plane, grid) for band, plane in compared.items()}
    for band, plane in compared.items():
        tolerance_arcsec = max(_psf_fwhm_arcsec(survey, name) for name in (band, reference))
        shift = _shift_arcsec(spectra[reference], spectra[band], grid, tolerance_arcsec)
        if shift is not None:
            x, y = shift
            x_px, y_px = x / plane.pixel_scale_arcsec, y / plane.pixel_scale_arcsec
            yield (
                f"{band} is shifted against {reference}: about {x_px:+.0f} px in x and {y_px:+.0f} px in y "
                f"({x:+.1f} and {y:+.1f} arcsec)"
            )


class _Grid(NamedTuple):
    """The common field of an object's planes in cells: how many a side, and their height and width."""

    cells: int
    height_arcsec: float
    width_arcsec: float


def _grid(planes: Sequence[Plane]) -> _Grid:
    fields = [tuple(n * plane.pixel_scale_arcsec for n in plane.flux.shape) for plane in planes]
    field_y, field_x = (min(sizes) for sizes in zip(*fields, strict=True))
    cells = min(_whole_bins(min(plane.flux.shape)) for plane in planes)
    return _Grid(cells, field_y / cells, field_x / cells)


def _whole_bins(pixels: int) -> int:
    """How many cells of a whole number of pixels each, at most `_MOST_CELLS`."""
    return pixels // -(-pixels // _MOST_CELLS)


def _spectrum(plane: Plane, grid: _Grid) -> NDArray[np.complex64] | None:
    """Fourier transform of the plane on the grid, normalised; None for a plane without a signal."""
    flux = plane.flux
    if math.isnan(flux.min()):
        flux = (
            np.nan_to_num(flux, nan=float(np.nanmedian(flux)))
            if np.isfinite(flux).any()
            else np.zeros_like(flux)
        )
    scale = plane.pixel_scale_arcsec
    rows = _averaged(flux, grid.cells, grid.height_arcsec / scale)
    cells = _averaged(rows.T, grid.cells, grid.width_arcsec / scale).T
    middle = cells.size // 2
    cells -= np.partition(cells.ravel(), middle)[middle]
    size = np.abs(cells)
    noise = np.partition(size.ravel(), middle)[middle]
    if not 0 < noise < math.inf:
        return None
    cells /= 4 * noise + size
    cells -= cells.mean()
    spectrum: NDArray[np.complex64] = np.fft.rfft2(cells) / np.linalg.norm(cells)
    return spectrum


def _shift_arcsec(
    reference: NDArray[np.complex64] | None,
    other: NDArray[np.complex64] | None,
    grid: _Grid,
    tolerance_arcsec: float,
) -> tuple[float, float] | None:
    """(x, y) of a clear shift beyond the tolerance, else None."""
    if reference is None or other is None or reference is other:
        return None
    correlation = np.fft.irfft2(reference.conj() * other, s=(grid.cells, grid.cells))
    row, column = divmod(int(correlation.argmax()), grid.cells)
    half = grid.cells // 2
    y = ((row + half) % grid.cells - half) * grid.height_arcsec
    x = ((column + half) % grid.cells - half) * grid.width_arcsec
    if math.hypot(x, y) <= tolerance_arcsec + max(grid.height_arcsec, grid.width_arcsec) / 2:
        return None
    peak = correlation[row, column]
    unshifted = np.roll(correlation, (1, 1), (0, 1))[:3, :3].max()
    is_clear = (
        peak > max(_PEAK_CORRELATION, _PEAK_SIGMAS / grid.cells) and unshifted < _UNSHIFTED_SHARE * peak
    )
    return (x, y) if is_clear else None


def _averaged(flux: NDArray[np.float32], cells: int, pixels_per_cell: float) -> NDArray[np.float32]:
    """(cells, x) of (y, x): means of neighbouring rows about the middle."""
    whole = round(pixels_per_cell)
    if abs(pixels_per_cell - whole) * cells > 0.5:
        return _weights(len(flux), cells, pixels_per_cell) @ flux
    # Sums of slices, not a product of matrices: BLAS starts threads for it, which cost more than they save.
    first = (len(flux) - cells * whole) // 2
    rows = flux[first : first + cells * whole]
    return np.asarray(sum(rows[start::whole] for start in range(whole)), np.float32)


@functools.lru_cache(maxsize=64)
def _weights(pixels: int, cells: int, pixels_per_cell: float) -> NDArray[np.float32]:
    """(cells, pixels): the part of each pixel that lies in each cell."""
    edges = pixels / 2 + (np.arange(cells + 1) - cells / 2) * pixels_per_cell
    starts, ends = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    left = np.arange(pixels)
    return np.asarray(np.clip(np.minimum(ends, left + 1) - np.maximum(starts, left), 0, 1), np.float32)


def _field_arcsec(plane: Plane) -> float:
    return float(max(plane.flux.shape) * plane.pixel_scale_arcsec)


def _psf_fwhm_arcsec(survey: Survey, band: str) -> float:
    known = survey.band(band)
    return known.psf_fwhm_arcsec if known is not None else _UNKNOWN_PSF_ARCSEC
