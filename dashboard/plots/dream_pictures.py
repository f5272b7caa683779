"""What a network imagines as colour pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dashboard.plots.thumbnails import as_uri

_DARKEST, _BRIGHTEST = 5.0, 99.7  # percentiles


def dream_pictures(
    images: Sequence[NDArray[np.float32]], bands: Sequence[str], composite: Sequence[str], *, side_px: int
) -> list[str]:
    """Data URIs of normalised images (band, y, x), all on one scale, so that they can be compared.

    composite : bands for red, green and blue; grey, the first band, if one of them is not there.
    """
    chosen = [bands.index(band) for band in composite] if set(composite) <= set(bands) else [0, 0, 0]
    coloured = [np.stack([image[band] for band in chosen], axis=-1) for image in images]
    everything = np.concatenate([one.reshape(-1, 3) for one in coloured])
    low, high = np.percentile(everything, [_DARKEST, _BRIGHTEST], axis=0)
    scaled = [(one - low) / np.maximum(high - low, 1e-6) for one in coloured]
    return [as_uri(_enlarged(one, side_px), "png") for one in scaled]


def _enlarged(picture: NDArray[np.floating], side_px: int) -> NDArray[np.uint8]:
    pixels = (255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((side_px, side_px), Image.Resampling.NEAREST))
