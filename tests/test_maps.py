"""Maps on disk, and the position read off one."""

import dataclasses
import multiprocessing

import numpy as np
import pytest
import zarr

from data.errors import StoreError
from data.maps import MapStore, position_of
from data.objects import StoredObject


def an_object(row, group="100x100-a"):
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(StoredObject))
    return StoredObject(**nothing | {"object_id": f"object {row}", "cutout_group": group, "cutout_row": row})


def a_map(seed, shape=(20, 30)):
    map_ = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    map_[:3] = np.nan
    return map_


def test_a_map_is_read_as_it_was_written(tmp_path):
    store = MapStore(tmp_path / "m" / "occlusion.zarr", signed=True, unit="change of p")
    for row in (7, 300, 2):
        store.write(an_object(row), a_map(row))
    for row in (2, 7, 300):
        np.testing.assert_array_equal(MapStore(store.path).read(an_object(row)), a_map(row))


def test_what_was_not_computed_is_none(tmp_path):
    store = MapStore(tmp_path / "m.zarr")
    assert store.read(an_object(0)) is None
    store.write(an_object(3), a_map(3))
    assert store.read(an_object(2)) is None
    assert store.read(an_object(10_000)) is None
    assert store.read(an_object(3, group="other")) is None


def test_a_folder_that_is_only_begun_reads_as_nothing(tmp_path):
    (tmp_path / "m.zarr" / "100x100-a").mkdir(parents=True)
    assert MapStore(tmp_path / "m.zarr").read(an_object(0)) is None


def test_groups_have_maps_of_their_own_shape(tmp_path):
    store = MapStore(tmp_path / "m.zarr")
    store.write(an_object(0), a_map(0))
    store.write(an_object(0, group="5x5-b"), np.ones((5, 5)))
    assert store.read(an_object(0, group="5x5-b")).shape == (5, 5)
    with pytest.raises(StoreError, match=r"map of 'object 1' is \(5, 5\); its group has \(20, 30\)"):
        store.write(an_object(1), np.ones((5, 5)))


def test_sign_and_unit_stand_in_the_file(tmp_path):
    MapStore(tmp_path / "m.zarr", signed=True, unit="logit").write(an_object(0), a_map(0))
    assert dict(zarr.open_group(tmp_path / "m.zarr", mode="r").attrs) == {"signed": True, "unit": "logit"}


def _write_some(path, first):
    for row in range(first, 1200, 100):
        MapStore(path).write(an_object(row), a_map(row, (4, 4)))


def test_two_processes_that_write_at_once_lose_no_map(tmp_path):
    path = tmp_path / "m.zarr"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_some, args=(path, first)) for first in (0, 50)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    for row in range(0, 1200, 50):
        np.testing.assert_array_equal(MapStore(path).read(an_object(row)), a_map(row, (4, 4)))


def a_blob(x_arcsec, y_arcsec, *, sigma_arcsec=0.4, shape=(100, 120), scale=0.1):
    y, x = ((np.arange(n) - (n - 1) / 2) * scale for n in shape)
    return np.exp(-((x - x_arcsec) ** 2 + (y[:, None] - y_arcsec) ** 2) / 2 / sigma_arcsec**2)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_position_is_read_off_the_strongest_region(sign):
    map_ = sign * a_blob(2.03, -1.21) + 0.9 * a_blob(-3, 1, sigma_arcsec=1.0)
    x, y, sigma = position_of(map_, 0.1)
    assert (x, y) == pytest.approx((2.03, -1.21), abs=0.02)
    assert 0.1 < sigma < 0.4


def test_a_map_whose_background_is_far_below_zero_points_to_what_stands_out():
    assert position_of(15 * a_blob(2, 1) - 12, 0.1)[:2] == pytest.approx((2, 1), abs=0.02)


def test_where_a_map_says_nothing_it_points_nowhere():
    map_ = a_blob(1.0, 1.0)
    map_[:30] = np.nan
    assert position_of(map_, 0.1) == pytest.approx(position_of(a_blob(1.0, 1.0), 0.1))
    assert position_of(np.full((5, 5), np.nan), 0.1) is None
    assert position_of(np.zeros((5, 5)), 0.1) is None
    assert position_of(np.full((5, 5), 3.0), 0.1) is None


def test_one_pixel_is_as_uncertain_as_it_is_wide():
    map_ = np.zeros((5, 5))
    map_[1, 4] = 1
    assert position_of(map_, 0.3) == pytest.approx((0.6, -0.3, 0.3 / np.sqrt(12)))


@pytest.mark.parametrize("shift", [(3, 0), (0, -4), (2, 5)])
def test_the_position_moves_with_the_map(shift):
    map_ = a_blob(0, 0)
    moved = np.roll(map_, shift, axis=(0, 1))
    (x, y, _), (x0, y0, _) = position_of(moved, 0.1), position_of(map_, 0.1)
    assert (x - x0, y - y0) == pytest.approx((0.1 * shift[1], 0.1 * shift[0]))
