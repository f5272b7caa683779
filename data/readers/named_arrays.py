"""Arrays by name, as HDF5 and NPZ files hold them, turned into the content of one object.

Scalars are the position, the pixel scale, or columns; a key such as `filters` names the bands of a cube.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.naming import split_label
from data.readers.parts import UNKNOWN, Content, Part, along_bands, band_list
from data.readers.tables import DEC_NAMES, RA_NAMES, column_called, plain_value
from data.sky import TangentPlane

_BAND_KEYS = (
    "bands",
    "filters",
    "band_names",
    "filter_names",
    "channels",
    "bands_requested",
    "band",
    "filter",
)
_SCALE_KEYS = ("pixel_scale_arcsec", "pixel_scale", "pixscale")
_ANGLE_KEY = "transform_pix2angle"


def content_of(arrays: Mapping[str, NDArray[Any]]) -> Content:
    """The object that these arrays describe.

    Raises
    ------
    UnreadableCutoutError
        If none of them is an image.
    """
    parts = [part for name, array in arrays.items() for part in _parts(name, array, arrays)]
    if not parts:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UnreadableCutoutError(
            f"no image among the arrays ({shapes or 'none'}); expected (y, x), or (band, y, x) and bands"
        )
    position = [column_called(arrays, aliases) or "" for aliases in (RA_NAMES, DEC_NAMES)]
    ra_deg, dec_deg = (_number(arrays.get(name)) for name in position)
    scalars = {name: plain_value(array[()]) for name, array in arrays.items() if array.ndim == 0}
    columns = {name: value for name, value in scalars.items() if name not in position}
    return Content(tuple(parts), ra_deg=ra_deg, dec_deg=dec_deg, columns=columns)


def _parts(name: str, array: NDArray[Any], arrays: Mapping[str, NDArray[Any]]) -> list[Part]:
    if array.ndim < 2 or array.dtype.kind not in "iuf" or name == _ANGLE_KEY:
        return []
    label, role = split_label(name)
    transform = arrays.get(_ANGLE_KEY)
    part = Part(
        array,
        role,
        label,
        pixel_scale_arcsec=_pixel_scale_arcsec(arrays),
        sky=lambda: _orientation(transform),
    )
    bands = next((band_list(arrays[key].tolist()) for key in _BAND_KEYS if key in arrays), [])
    if array.ndim == 2 and len(bands) == 1 and not label:
        return [Part(array, role, bands[0], pixel_scale_arcsec=part.pixel_scale_arcsec, sky=part.sky)]
    return along_bands(part, bands) if array.ndim == 3 and len(bands) in array.shape else [part]


def _pixel_scale_arcsec(arrays: Mapping[str, NDArray[Any]]) -> float:
    transform = arrays.get(_ANGLE_KEY)
    if transform is not None and transform.shape == (2, 2):
        return math.sqrt(abs(float(np.linalg.det(transform))))
    return next((_number(arrays[key]) for key in _SCALE_KEYS if key in arrays), UNKNOWN)


def _orientation(transform: NDArray[Any] | None) -> TangentPlane | None:
    """Orientation from lenstronomy's pixel-to-angle matrix in arcsec; the position has to be a catalogue's.

    Simulations use the same key with x to the right: no sky has that parity, so it is not taken for one.
    """
    if transform is None or transform.shape != (2, 2) or not np.linalg.det(transform) < 0:
        return None
    cd11, cd12, cd21, cd22 = (float(entry) / 3600 for entry in transform.ravel())
    return TangentPlane(UNKNOWN, UNKNOWN, (cd11, cd12, cd21, cd22))


def _number(value: NDArray[Any] | None) -> float:
    try:
        return float(value) if value is not None and value.ndim == 0 else UNKNOWN
    except (TypeError, ValueError):
        return UNKNOWN
