"""Explanation maps on disk, and the position that is read off one.

    maps/<model_version>/<method>.zarr     per group of `cutouts.zarr` one (object, y, x) float32 array with
                                           the same rows, on the reference band's pixels; a chunk per object

NaN is where a map says nothing; a row of NaN is a map that nobody has computed.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage
from zarr.codecs import BloscCodec
from zarr.core.common import JSON

from data.errors import StoreError
from data.files import held_alone
from data.objects import StoredObject

Map = NDArray[np.float32]

_COMPRESSION = BloscCodec(cname="lz4", clevel=3, shuffle="shuffle")
_ROWS_AT_ONCE = 256


class MapStore:
    """The maps of one model version and method in one campaign; several processes may write.

    signed, unit : of the values, written with the first map; None takes what is there. Maps that
        were made with others are not given out: the method has changed since, and the next map written
        replaces them all.
    """

    def __init__(self, path: Path, *, signed: bool | None = None, unit: str | None = None) -> None:
        self.path = path
        given: dict[str, JSON] = {"signed": signed, "unit": unit}
        self._attributes = {name: value for name, value in given.items() if value is not None}

    def read(self, stored: StoredObject) -> Map | None:
        """The map of an object (y, x), None if it was not computed."""
        return self.read_many([stored])[0]

    def read_many(self, stored: Sequence[StoredObject]) -> list[Map | None]:
        """The maps of these objects, None for each that was not computed."""
        arrays = {group: self._array(group) for group in {one.cutout_group for one in stored}}
        return [_row_in(arrays[one.cutout_group], one) for one in stored]

    def write(self, stored: StoredObject, map_: NDArray[np.floating[Any]]) -> None:
        """Keep the map (y, x) of an object.

        Raises
        ------
        StoreError
            If it has another shape than the maps of its group.
        """
        row = stored.cutout_row
        # Two processes that lengthen an array at once would shorten it again for one another.
        with held_alone(self.path.with_name(f".{self.path.name}.lock"), doing="writing maps", in_turn=True):
            array = self._array(stored.cutout_group)
            if array is None and self.path.exists() and not self._is_ours():
                shutil.rmtree(self.path)
            if array is None:
                array = self._create(stored.cutout_group, map_.shape)
            if array.shape[1:] != map_.shape:
                raise StoreError(
                    f"map of {stored.object_id!r} is {map_.shape}; its group has {array.shape[1:]}"
                )
            if row >= array.shape[0]:
                array.resize(((row // _ROWS_AT_ONCE + 1) * _ROWS_AT_ONCE, *map_.shape))
            array[row] = map_.astype(np.float32)

    def _is_ours(self) -> bool:
        attributes = zarr.open_group(self.path, mode="r").attrs
        return all(attributes.get(name) == value for name, value in self._attributes.items())

    def _array(self, group: str) -> "zarr.Array[Any] | None":
        try:
            if not self._is_ours():
                return None
            return zarr.open_array(self.path / group, mode="r+")
        except FileNotFoundError:
            return None

    def _create(self, group: str, shape: tuple[int, ...]) -> "zarr.Array[Any]":
        root = zarr.open_group(self.path, mode="a")
        root = root.update_attributes(self._attributes)
        return root.create_array(
            group,
            shape=(0, *shape),
            chunks=(1, *shape),
            dtype="float32",
            fill_value=float("nan"),
            compressors=_COMPRESSION,
            dimension_names=("object", "y", "x"),
        )


def _row_in(array: "zarr.Array[Any] | None", stored: StoredObject) -> Map | None:
    if array is None or stored.cutout_row >= array.shape[0]:
        return None
    map_: Map = np.asarray(array[stored.cutout_row], dtype=np.float32)
    return None if np.isnan(map_).all() else map_


def position_of(
    map_: NDArray[np.floating[Any]], pixel_scale_arcsec: float
) -> tuple[float, float, float] | None:
    """Where a map points to: (x_arcsec, y_arcsec, sigma_arcsec) from its centre, None if it points nowhere.

    The place is the centroid of the strongest region: the pixels of at least half the peak that hang together
    with it, weighted by their strength. Strength is the distance from the map's median, since what most of an
    image says is about its background: a signed map points to what stands out, for or against.
    sigma_arcsec : standard deviation of the region per axis.
    """
    values = np.asarray(map_, np.float64)
    if not np.isfinite(values).any():
        return None
    strength = np.nan_to_num(np.abs(values - np.nanmedian(values)))
    peak = strength.max()
    if peak == 0:
        return None
    regions, _ = ndimage.label(strength >= peak / 2)
    strongest = regions == regions[np.unravel_index(strength.argmax(), strength.shape)]
    y, x = np.nonzero(strongest)
    weights = strength[strongest] / strength[strongest].sum()
    x_mean, y_mean = weights @ x, weights @ y
    variance = weights @ ((x - x_mean) ** 2 + (y - y_mean) ** 2) / 2
    x_centre, y_centre = (strength.shape[1] - 1) / 2, (strength.shape[0] - 1) / 2
    sigma_px = np.sqrt(variance + 1 / 12)  # a single pixel is as wide as a pixel
    scale = pixel_scale_arcsec
    return float((x_mean - x_centre) * scale), float((y_mean - y_centre) * scale), float(sigma_px * scale)
