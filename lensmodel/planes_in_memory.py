"""Planes of some objects of one layout in memory, where a network looks for those of a group in the store."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Plane


class PlanesInMemory:
    """A `lensmodel.preprocessing.PlaneSource`; an object's row is its place in the sequence. Groups have no meaning."""

    def __init__(self, objects: Sequence[Mapping[str, Plane]]) -> None:
        self._objects = objects
        self._first = objects[0]

    def bands(self, group: str) -> tuple[str, ...]:
        return tuple(self._first)

    def pixel_scale_arcsec(self, group: str, band: str) -> float:
        return self._first[band].pixel_scale_arcsec

    def shape(self, group: str, band: str) -> tuple[int, int]:
        height, width = self._first[band].flux.shape
        return height, width

    def read_batch(self, group: str, rows: NDArray[np.int64], band: str) -> NDArray[np.float32]:
        return np.stack([self._objects[row][band].flux for row in rows.tolist()])
