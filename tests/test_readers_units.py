"""Which files are one object, which are its noise and PSF, and which are left alone."""

from pathlib import Path

import pytest

from data.errors import CampaignError
from data.readers.naming import split_stem
from data.readers.units import find_units, list_files


def units_of(folder, *names):
    """{stem: (names of files, names of companions)} and the names of files that belong nowhere."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    units, alone = find_units(list_files([folder]))
    found = {
        unit.stem: ([file.path.name for file in unit.files], [file.path.name for file in unit.companions])
        for unit in units
    }
    assert len(found) == len(units)
    return found, [Path(rejected.file).name for rejected in alone]


@pytest.mark.parametrize(
    ("stem", "rest", "band", "role"),
    [
        ("imageSDSS_R-100002", "100002", "SDSS_R", "flux"),
        ("des_46_g", "des_46", "g", "flux"),
        ("obj-NIR-Y", "obj", "NIR-Y", "flux"),
        ("obj_vis", "obj", "vis", "flux"),
        ("g_obj", "obj", "g", "flux"),
        ("psf_DCLS0353-1706_F140W", "DCLS0353-1706", "F140W", "psf"),
        ("SDSSJ1250+0523_F814W_noise_map", "SDSSJ1250+0523", "F814W", "rms"),
        ("102018665_NEG570040238507752998", "102018665_NEG570040238507752998", "", "flux"),
        ("DES_000000_44.440647_-28.792948", "DES_000000_44.440647_-28.792948", "", "flux"),
        ("102020057_NEG582019329494705421_f0", "102020057_NEG582019329494705421_f0", "", "flux"),
        ("J_0012", "J_0012", "", "flux"),
        ("VIS", "", "VIS", "flux"),
    ],
)
def test_a_stem_is_taken_apart(stem, rest, band, role):
    assert split_stem(stem) == (rest, band, role)


def test_folders_per_band_as_in_the_lens_finding_challenge_make_one_object(tmp_path):
    names = [f"Band{n}/imageSDSS_{band}-1{k}.fits" for n, band in enumerate("RIGU", 1) for k in range(2)]
    found, alone = units_of(tmp_path, *names)
    assert sorted(found) == ["10", "11"]
    assert found["10"][0] == [f"imageSDSS_{band}-10.fits" for band in "RIGU"]
    assert not alone


def test_folders_named_after_bands_and_numbered_folders_make_one_object(tmp_path):
    assert list(units_of(tmp_path / "a", "VIS/x.fits", "NIR_Y/x.fits")[0]) == ["x"]
    assert list(units_of(tmp_path / "b", "Band1/x.fits", "Band2/x.fits")[0]) == ["x"]


def test_a_folder_per_object_gives_the_object_its_name(tmp_path):
    found, _ = units_of(tmp_path, "lens7/g.fits", "lens7/r.fits", "lens7/psf.fits", "lens8/VIS.fits")
    assert found == {"lens7": (["g.fits", "r.fits"], ["psf.fits"]), "lens8": (["VIS.fits"], [])}


def test_suffixes_make_one_object_and_a_band_alone_keeps_its_stem(tmp_path):
    found, _ = units_of(tmp_path, "a_g.fits", "a_r.fits", "b_g.fits", "c.fits")
    assert found == {
        "a": (["a_g.fits", "a_r.fits"], []),
        "b_g": (["b_g.fits"], []),
        "c": (["c.fits"], []),
    }


def test_a_preview_does_not_join_the_bands_and_comes_after_them(tmp_path):
    for name in ("a.png", "a_g.fits", "a_r.fits"):
        (tmp_path / name).touch()
    units, _ = find_units(list_files([tmp_path]))
    files = [[file.path.name for file in unit.files] for unit in units]
    assert files == [["a_g.fits", "a_r.fits"], ["a.png"]]


def test_noise_and_psf_join_their_band_and_masks_none(tmp_path):
    found, alone = units_of(
        tmp_path, "a_g.fits", "a_r.fits", "a_g_rms.fits", "a_r_psf.fits", "a_mask.fits", "b_psf.fits"
    )
    assert found == {"a": (["a_g.fits", "a_r.fits"], ["a_g_rms.fits", "a_r_psf.fits"])}
    assert alone == ["b_psf.fits"]


def test_a_psf_joins_the_only_image_whose_name_goes_on(tmp_path):
    found, alone = units_of(
        tmp_path, "Horseshoe_F475W_lenssub.fits", "Horseshoe_F475W_psf.fits", "other.fits"
    )
    assert found["Horseshoe_F475W_lenssub"][1] == ["Horseshoe_F475W_psf.fits"]
    assert not alone


def test_hidden_files_stores_and_what_is_left_out_are_not_listed(tmp_path):
    for name in ("a.fits", ".hidden.fits", ".folder/b.fits", "cutouts.zarr/c", "campaign/d.fits", "list.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = list_files(
        [tmp_path, tmp_path / "a.fits"], leave_out=[tmp_path / "campaign", tmp_path / "list.csv"]
    )
    assert [path.name for path in listed] == ["a.fits"]


def test_a_link_that_leads_back_up_does_not_list_for_ever(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.fits").touch()
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    assert [path.name for path in list_files([tmp_path])] == ["a.fits"]


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CampaignError, match="does not exist"):
        list_files([tmp_path / "nowhere"])
