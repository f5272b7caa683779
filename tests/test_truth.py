"""Masks of lensed light: packed beside the cutouts, unknown for what was never simulated."""

import numpy as np
import pytest

from data.errors import StoreError
from data.objects import StoredObject
from data.truth import TruthMasks


def stored(row: int, group: str = "8x8-a") -> StoredObject:
    return StoredObject(str(row), 0, 0, "flux", ("VIS",), (24.6,), None, "", group, row, (), (), {})


def mask(*pixels: tuple[int, int]) -> np.ndarray:
    values = np.zeros((8, 8), bool)
    for y, x in pixels:
        values[y, x] = True
    return values


def test_masks_come_back_for_their_objects(tmp_path):
    masks = TruthMasks(tmp_path / "truth.zarr")
    masks.write([stored(0), stored(1)], [mask((1, 2)), mask()])
    masks.write([stored(2)], [mask((7, 7))])
    again = TruthMasks(tmp_path / "truth.zarr")
    for row, expected in enumerate((mask((1, 2)), mask(), mask((7, 7)))):
        assert np.array_equal(again.read(stored(row)), expected)
    batch = again.read_batch("8x8-a", np.array([2, 0]))
    assert np.array_equal(batch, [mask((7, 7)), mask((1, 2))])


def test_an_object_that_was_not_simulated_has_no_mask(tmp_path):
    masks = TruthMasks(tmp_path / "truth.zarr")
    assert masks.read(stored(0)) is None
    masks.write([stored(1)], [mask()])
    assert masks.read(stored(0)) is None
    assert masks.read(stored(5)) is None
    assert masks.read(stored(1, "9x9-b")) is None
    with pytest.raises(StoreError, match="no masks for some"):
        masks.read_batch("8x8-a", np.array([0, 1]))
    with pytest.raises(StoreError, match="no masks for all"):
        masks.read_batch("8x8-a", np.array([1, 2]))
