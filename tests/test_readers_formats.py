"""HDF5, NPZ, NPY and pictures; what no reader knows; and what would run code."""

import contextlib
import doctest
import importlib
import pkgutil

import h5py
import numpy as np
import pytest

import data.readers
from data.errors import UnreadableCutoutError
from data.readers import READERS, read_file
from tests.fixtures.euclid_files import write_euclid
from tests.fixtures.odd_files import picture, truncate, write_bombs, write_colours, write_fits, write_hdf5


def only(path):
    """The content of a file that holds one object."""
    (content,) = read_file(path)
    return content


def write_each(folder):
    """A file for each row of READERS."""
    np.savez(folder / "c.npz", g=picture())
    return {
        "FITS": write_fits(folder / "a.fits", picture()),
        "HDF5": write_hdf5(folder / "b.h5", image_data=picture()),
        "NPZ and NPY": folder / "c.npz",
        "PNG and JPEG": write_colours(folder / "d.png", np.zeros((8, 8, 3), np.uint8)),
    }


def test_every_reader_knows_its_files_by_content_and_no_other(tmp_path):
    files = write_each(tmp_path)
    assert files.keys() == READERS.keys()
    for written_as, path in files.items():
        head = path.read_bytes()[:16]
        assert [name for name, reader in READERS.items() if reader.recognises(head)] == [written_as]


def test_a_wrong_suffix_does_not_matter(tmp_path):
    for number, path in enumerate(write_each(tmp_path).values()):
        assert only(path.rename(tmp_path / f"{number}.dat")).parts


def test_the_examples_in_the_docstrings_run():
    names = [info.name for info in pkgutil.iter_modules(data.readers.__path__, "data.readers.")]
    for name in (*names, "data.source_catalogue"):
        assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_lenstronomys_keys_are_read(tmp_path):
    transform = np.array([[0.0489, 0.0102], [0.0102, -0.0489]])
    path = write_hdf5(
        tmp_path / "a.h5",
        image_data=picture(),
        noise_map=np.abs(picture()),
        exposure_time=np.ones((40, 40)),
        transform_pix2angle=transform,
        background_rms=0.02,
    )
    content = only(path)
    assert [(part.label, part.role) for part in content.parts if part.role != "ignored"] == [
        ("", "flux"),
        ("", "rms"),
    ]
    image = next(part for part in content.parts if part.role == "flux")
    assert image.pixel_scale_arcsec == pytest.approx(0.04995, abs=1e-5)
    np.testing.assert_allclose(np.reshape(image.sky().cd_deg, (2, 2)) * 3600, transform)
    assert content.columns["background_rms"] == 0.02


def test_a_simulations_left_handed_frame_is_not_taken_for_the_sky(tmp_path):
    path = write_hdf5(tmp_path / "a.h5", image_data=picture(), transform_pix2angle=np.diag([0.05, 0.05]))
    (part,) = only(path).parts
    assert part.sky() is None
    assert part.pixel_scale_arcsec == pytest.approx(0.05)


def test_a_link_out_of_an_hdf5_file_is_not_followed(tmp_path):
    write_hdf5(tmp_path / "secret.h5", image_data=picture())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image_data"] = h5py.ExternalLink("secret.h5", "image_data")
    with pytest.raises(UnreadableCutoutError, match="no image"):
        only(tmp_path / "a.h5")


def test_bands_of_an_npz_cube_go_by_the_names_in_the_file(tmp_path):
    planes = [picture(seed=n) for n in range(3)]
    np.savez(tmp_path / "first.npz", images=np.stack(planes), filters=np.array(["g", "r", "z"]))
    np.savez(
        tmp_path / "last.npz",
        cutout=np.stack(planes, axis=-1),
        meta_bands_requested="grz",
        meta_ra=12.5,
        meta_dec=-3.0,
    )
    np.savez(tmp_path / "keys.npz", g=planes[0], r=planes[1], z=planes[2])
    for name in ("first", "last", "keys"):
        content = only(tmp_path / f"{name}.npz")
        assert [part.label for part in content.parts] == ["g", "r", "z"]
        np.testing.assert_array_equal(content.parts[2].values, planes[2])
    assert (only(tmp_path / "last.npz").ra_deg, only(tmp_path / "last.npz").dec_deg) == (12.5, -3.0)


def test_a_cube_with_another_number_of_planes_than_names_is_not_guessed(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 20, 20)), filters=np.array(["g", "r", "z"]))
    (part,) = only(tmp_path / "a.npz").parts
    assert (part.label, part.values.shape) == ("", (4, 20, 20))


def test_variance_weights_and_psfs_keep_their_roles(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        images=np.zeros((2, 9, 9)),
        variance=np.ones((2, 9, 9)),
        psfs=np.ones((2, 5, 5)),
        mask=np.ones((2, 9, 9), int),
        filters=np.array(["g", "r"]),
    )
    roles = {(part.label, part.role) for part in only(tmp_path / "a.npz").parts}
    assert roles == {(band, role) for band in "gr" for role in ("flux", "variance", "psf", "ignored")}


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_keeps_its_colours_and_stands_upright(tmp_path, suffix):
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:16, :, 0] = 250  # red on top
    rgb[48:, :32, 2] = 200  # blue at the bottom left
    content = only(write_colours(tmp_path / f"a.{suffix}", rgb))
    red, green, blue = (part.values for part in content.parts)
    assert [part.label for part in content.parts] == ["R", "G", "B"]
    assert content.kind == "colour"
    assert red[-8:].mean() > 240
    assert red[:40].mean() < 5
    assert blue[:8, :28].mean() > 190
    assert blue[:8, 36:].mean() < 10
    assert green.mean() < 12


def test_grey_pictures_have_three_equal_planes_and_transparent_pixels_are_nan(tmp_path):
    grey = only(write_colours(tmp_path / "a.png", np.full((8, 8), 70, np.uint8)))
    assert {float(part.values.mean()) for part in grey.parts} == {70.0}
    rgba = np.full((8, 8, 4), 90, np.uint8)
    rgba[0, 0, 3] = 0
    red = only(write_colours(tmp_path / "b.png", rgba)).parts[0].values
    assert np.isnan(red[-1, 0])
    assert np.isnan(red).sum() == 1


def test_no_pickle_is_ever_run(tmp_path):
    marker = tmp_path / "it-ran"
    bombs = write_bombs(tmp_path, marker)
    assert len(bombs) == 4
    for path in bombs:
        with pytest.raises(UnreadableCutoutError, match="pickle"):
            only(path)
    assert not marker.exists()


def test_the_pickles_of_the_test_above_would_run_if_they_were_loaded(tmp_path):
    marker = tmp_path / "it-ran"
    write_bombs(tmp_path, marker)
    np.load(tmp_path / "bomb-npy.npy", allow_pickle=True)
    assert marker.exists()


def test_damaged_files_of_every_format_give_a_reason(tmp_path):
    for path in (*write_each(tmp_path).values(), write_euclid(tmp_path / "e.fits")):
        with pytest.raises(UnreadableCutoutError):
            list(read_file(truncate(path, 0.6)))


def test_bytes_that_are_noise_give_a_reason_and_never_another_error(tmp_path):
    rng = np.random.default_rng(5)
    for path in write_each(tmp_path).values():
        whole = path.read_bytes()
        for _ in range(40):
            content = bytearray(whole)
            at = rng.integers(0, len(content), 12)
            for place in at:
                content[place] = rng.integers(0, 256)
            path.write_bytes(bytes(content))
            with contextlib.suppress(UnreadableCutoutError):
                assert list(read_file(path))


def test_text_beside_images_is_left_alone_and_a_zero_byte_image_is_not(tmp_path):
    for name in ("README.md", "MANIFEST.csv", "map.txt", "LICENSE"):
        (tmp_path / name).write_text("nothing to see")
        assert list(read_file(tmp_path / name)) == []
    (tmp_path / "a.fits").touch()
    with pytest.raises(UnreadableCutoutError, match="0 bytes"):
        list(read_file(tmp_path / "a.fits"))
