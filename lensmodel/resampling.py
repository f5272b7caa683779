"""Resampling an image axis as a matrix: (output pixel, input pixel) weights that sum to one in each row."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear_weights(at: ArrayLike, length: int) -> NDArray[np.float64]:
    """Linear interpolation at fractional indices of an axis; beyond its ends the end value holds.

    >>> linear_weights([0.25, -3.0], 2)
    array([[0.75, 0.25],
           [1.  , 0.  ]])
    """
    inside = np.clip(np.asarray(at, float), 0, length - 1)
    weights: NDArray[np.float64] = np.clip(1 - np.abs(inside[:, None] - np.arange(length)), 0, None)
    return weights


def area_weights(number: int, ratio: float, length: int, *, shift_px: float = 0.0) -> NDArray[np.float64]:
    """Means over `number` cells of `ratio` pixels, centred on `length` pixels or `shift_px` after.

    >>> area_weights(1, 2.0, 3)
    array([[0.25, 0.5 , 0.25]])
    """
    edges = (np.arange(number + 1) - number / 2) * ratio + length / 2 + shift_px
    pixels = np.arange(length)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    overlap = np.clip(high - low, 0, None)
    weights: NDArray[np.float64] = overlap / overlap.sum(axis=1, keepdims=True)
    return weights


def centred(number: int, ratio: float, length: int) -> NDArray[np.float64]:
    """Indices, on an axis of `length` pixels, of `number` cells of `ratio` pixels about its centre.

    >>> centred(2, 3.0, 7)
    array([1.5, 4.5])
    """
    return (np.arange(number, dtype=np.float64) - (number - 1) / 2) * ratio + (length - 1) / 2
