"""Explanation maps as small pictures, for pages that must open anywhere."""

import numpy as np
from bokeh.palettes import Inferno256
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage

from dashboard.plots.thumbnails import as_uri

_COLOURS = np.array([ImageColor.getrgb(colour) for colour in Inferno256], np.uint8)
_NOTHING_SAID = (96, 96, 96)
_OUTLINE = (120, 220, 255)


def map_picture(
    values: NDArray[np.floating], arcs: NDArray[np.bool_] | None = None, *, side_px: int = 112
) -> str:
    """A data URI of what speaks for a lens (y up), from 0 to the map's highest, with the arcs outlined if known.

    values, arcs : (y, x) on the same pixels. Grey is where the map says nothing.
    """
    known = np.isfinite(values)
    speaking = np.clip(np.where(known, values, 0.0), 0, None)
    pixels = _COLOURS[np.rint(255 * speaking / (speaking.max() or 1.0)).astype(int)]
    pixels[~known] = _NOTHING_SAID
    drawn = np.array(Image.fromarray(pixels).resize((side_px, side_px), Image.Resampling.NEAREST))
    if arcs is not None:
        outlined = np.asarray(Image.fromarray(arcs).resize((side_px, side_px), Image.Resampling.NEAREST))
        drawn[outlined & ~ndimage.binary_erosion(outlined)] = _OUTLINE
    return as_uri(drawn)
