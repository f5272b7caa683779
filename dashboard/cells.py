"""Cutouts as the cells of a mosaic show them: block averages, with the statistics of the pixels they came from. Pure.

A cell has fewer pixels than most cutouts. Blocks of a whole number of pixels keep the surface brightness and lose no
light; with the statistics of the full pixels a cell has the limits, and so the colours, of the full picture.
"""

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Plane

Flux = NDArray[np.float32]

SAMPLE = 16_384  # pixels looked at for a median, as in `stage/pixels.js`
_WHITE_SHARE = 0.998


def factor_for(shape: tuple[int, int], side_px: int) -> int:
    """The largest block that leaves the longer side at least `side_px` pixels, and the centre where it is.

    >>> factor_for((100, 100), 35), factor_for((101, 101), 35), factor_for((64, 64), 100)
    (2, 1, 1)
    """
    for factor in range(max(shape) // max(side_px, 1), 1, -1):
        # What does not fill a block is cut off evenly: an odd rest would move the centre by half a pixel.
        if all(length >= factor and length % factor % 2 == 0 for length in shape):
            return factor
    return 1


def averaged(plane: Plane, factor: int, *, kind: str) -> Plane:
    """The plane in blocks of `factor` by `factor` pixels; unmeasured pixels give nothing to their block's mean.

    kind : "flux" is per pixel and grows with the pixel; the values of "colour" images are no flux.
    """
    if factor == 1:
        return plane
    height, width = (length // factor for length in plane.flux.shape)
    top, left = (length % factor // 2 for length in plane.flux.shape)
    inner = plane.flux[top : top + height * factor, left : left + width * factor]
    blocks = inner.reshape(height, factor, width, factor)
    means = blocks.mean(axis=(1, 3))
    if np.isnan(means).any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # blocks without a measured pixel stay NaN
            means = np.nanmean(blocks, axis=(1, 3))
    gain = factor**2 if kind == "flux" else 1
    return replace(
        plane,
        flux=(means * gain).astype(np.float32),
        pixel_scale_arcsec=plane.pixel_scale_arcsec * factor,
        rms=None,
        psf=None,
    )


def statistics_of(flux: Flux, *, gain: float = 1.0) -> dict[str, float] | None:
    """Median, scatter (1.4826 MAD) and extremes, as `statistics` of `stage/pixels.js` has them; None without data.

    gain : what a pixel of the cell counts, in those of the plane.
    """
    pixels = flux.ravel()
    finite = pixels[np.isfinite(pixels)]
    sample = pixels[:: max(1, pixels.size // SAMPLE)]
    sample = np.sort(sample[np.isfinite(sample)])
    if not sample.size:
        return None
    middle = sample.size >> 1
    median, maximum = float(sample[middle]), float(finite.max())
    deviation = float(np.partition(np.abs(sample - sample[middle]), middle)[middle])
    sigma = 1.4826 * deviation or (maximum - float(sample[0])) / 100 or 1.0
    bright = float(sample[int(_WHITE_SHARE * (sample.size - 1))])
    return {
        "median": gain * median,
        "sigma": gain * sigma,
        "maximum": gain * maximum,
        "bright": gain * bright,
    }
