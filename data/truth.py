"""Masks of the lensed light of simulated objects, packed like their cutouts.

truth.zarr/<cutout group>     (object, y, x) uint8 on the reference band's pixels, the same rows as the cutouts:
                              1 where lensed light stands out, 0 where not, 255 where nobody knows
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from data.errors import StoreError
from data.objects import StoredObject

Mask = NDArray[np.bool_]

_UNKNOWN = 255
_CHUNK = 128
# Masks are mostly empty: 10 kB of pixels take some 100 bytes.
_COMPRESSION = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")


class TruthMasks:
    """The masks of one campaign; one process writes (who writes cutouts holds the lock)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, stored: StoredObject) -> Mask | None:
        """Where lensed light stands out (y, x); None if the object has no truth."""
        array = self._array(stored.cutout_group)
        if array is None or stored.cutout_row >= array.shape[0]:
            return None
        values = np.asarray(array[stored.cutout_row])
        return None if (values == _UNKNOWN).any() else values.astype(bool)

    def read_batch(self, group: str, rows: NDArray[np.int64]) -> Mask:
        """Several objects of a group: (object, y, x).

        Raises
        ------
        StoreError
            If some of them have no mask.
        """
        array = self._array(group)
        if array is None or int(rows.max()) >= array.shape[0]:
            raise StoreError(
                f"{self.path} has no masks for all of these rows of {group}: simulate them again"
            )
        first = int(rows.min())
        values = np.asarray(array[first : int(rows.max()) + 1])[rows - first]
        if (values == _UNKNOWN).any():
            raise StoreError(
                f"{self.path} has no masks for some of these rows of {group}: they were ingested"
            )
        return values.astype(bool)

    def write(self, stored: Sequence[StoredObject], masks: Sequence[Mask]) -> None:
        """Keep a mask (y, x) for each object, in the same order."""
        for group in dict.fromkeys(one.cutout_group for one in stored):
            chosen = [i for i, one in enumerate(stored) if one.cutout_group == group]
            array = self._array(group) or self._create(group, masks[chosen[0]].shape)
            rows = [stored[i].cutout_row for i in chosen]
            if max(rows) >= array.shape[0]:
                array.resize((max(rows) + 1, *array.shape[1:]))
            array.oindex[np.array(rows)] = np.stack([masks[i] for i in chosen]).astype(np.uint8)

    def _array(self, group: str) -> "zarr.Array[Any] | None":
        try:
            return zarr.open_array(self.path / group, mode="r+")
        except FileNotFoundError:
            return None

    def _create(self, group: str, shape: tuple[int, ...]) -> "zarr.Array[Any]":
        return zarr.open_group(self.path, mode="a").create_array(
            group,
            shape=(0, *shape),
            chunks=(_CHUNK, *shape),
            dtype="uint8",
            fill_value=_UNKNOWN,
            compressors=_COMPRESSION,
            dimension_names=("object", "y", "x"),
        )
