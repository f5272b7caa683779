"""Explanation maps as small pictures, for pages that must open anywhere."""

import numpy as np
from bokeh.palettes import Inferno256
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from dashboard.plots.thumbnails import as_uri

_COLOURS = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in Inferno256], np.uint8)
_NOTHING_SAID = (96, 96, 96)
_OUTLINE = (120, 220, 255)


def map_picture(values: NDArray[np.floating], arcs: NDArray[np.bool_], *, side_px: int = 112) -> str:
    """A data URI of what speaks for a lens (y up), from 0 to the map's highest, with the arcs outlined.

    values, arcs : (y, x) on the same pixels. Grey is where the map says nothing.
    """
    known = np.isfinite(values)
    speaking = np.clip(np.where(known, values, 0.0), 0, None)
    pixels = _COLOURS[np.rint(255 * speaking / (speaking.max() or 1.0)).astype(int)]
    pixels[~known] = _NOTHING_SAID
    picture = Image.fromarray(pixels).resize((side_px, side_px), Image.Resampling.NEAREST)
    outlined = np.asarray(Image.fromarray(arcs).resize((side_px, side_px), Image.Resampling.NEAREST))
    drawn = np.array(picture)
    drawn[outlined & ~ndimage.binary_erosion(outlined)] = _OUTLINE
    return as_uri(drawn)
