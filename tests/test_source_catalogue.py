"""Which row belongs to which file, and what a catalogue's position does to a WCS."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data.cutouts import Cutout, Plane
from data.source_catalogue import SourceCatalogue, described, position_name


def catalogue(**columns):
    return SourceCatalogue(pa.table(columns))


def object_for(known, *files, index=None):
    rows = known.rows_of([Path(file) for file in files], [Path(file).stem for file in files], index)
    return known.entry(rows) if rows else None


def cutout(**fields):
    planes = {"VIS": Plane(np.zeros((100, 100), np.float32), 0.1)}
    return Cutout("stem", planes, **fields)


def test_a_row_is_found_by_its_file_whatever_folder_the_files_lie_in():
    known = catalogue(file=["q1/a.fits", "q2/a.fits", "q1/b.fits"], object_name=["one", "two", "three"])
    assert object_for(known, "/data/here/q2/a.fits").object_id == "two"
    assert object_for(known, "/elsewhere/b.fits").object_id == "three"
    assert object_for(known, "/elsewhere/a.fits") is None  # two rows name such a file
    assert object_for(known, "/data/xq1/b.fits").object_id == "three"


def test_a_row_is_found_by_the_stem_if_no_file_is_named():
    known = catalogue(ID=["00123", "b"], mag=[20.5, 21.5])
    entry = object_for(known, "/x/00123.fits")
    assert (entry.object_id, entry.columns) == ("00123", {"mag": 20.5})
    assert object_for(known, "/x/123.fits") is None


def test_rows_of_a_stack_are_found_by_pattern_and_index():
    known = catalogue(file=[f"des/des_46_[gri].fits[{n}]" for n in range(3)], object_name=["x", "y", "z"])
    assert object_for(known, "/a/des/des_46_g.fits", "/a/des/des_46_r.fits", index=1).object_id == "y"
    assert object_for(known, "/a/des/des_46_g.fits") is None
    assert object_for(known, "/a/des/des_46_Y.fits", index=1) is None


def test_an_id_given_to_several_files_is_not_used_and_kept_as_a_column():
    known = catalogue(file=["a.fits", "b.h5"], object_id=["same", "same"], ra=[1.0, 1.0], dec=[2.0, 2.0])
    entry = object_for(known, "/x/a.fits")
    assert entry.shares_id
    named = described(cutout(), entry)
    assert named.object_id == "stem"
    assert named.columns["object_id"] == "same"
    assert "id shared" in named.warnings[0]


def test_one_id_for_all_files_of_an_object_is_used():
    known = catalogue(
        file=["a_g.fits", "a_r.fits"], object_id=["same", "same"], band=["g", "r"], z=[0.5, 0.5]
    )
    entry = object_for(known, "/x/a_g.fits", "/x/a_r.fits")
    assert (entry.object_id, entry.shares_id) == ("same", False)
    assert entry.columns["z"] == 0.5
    assert "band" not in entry.columns  # the rows do not agree on it


def test_bad_coordinates_are_counted_and_the_rows_still_count():
    known = catalogue(
        id=list("abcdefg"),
        ra=["nan", "400", "10.5", "text", "", "-0.5", "12"],
        dec=["1", "2", "-95", "3", "4", "5", "6"],
    )
    assert np.isfinite(known.ra_deg).tolist() == [False, False, False, False, False, True, True]
    assert known.ra_deg[5] == 359.5
    assert [count for text, count in known.warnings.items() if "usable position" in text] == [5]
    assert object_for(known, "/x/b.fits").object_id == "b"
    assert object_for(known, "/x/b.fits").columns["ra"] == "400"


def test_a_hundred_thousand_rows_with_bad_coordinates_take_seconds(tmp_path):
    rng = np.random.default_rng(8)
    bad = ["nan", "400", "", "abc", "1e99"]
    lines = ["object_id,RA,Dec,mag"]
    for number in range(100_000):
        ra = rng.choice(bad) if number % 10 == 0 else f"{rng.uniform(0, 360):.6f}"
        dec = "-95" if number % 25 == 1 else f"{rng.uniform(-90, 90):.6f}"
        lines.append(f"obj{number:06d},{ra},{dec},20.5")
    path = tmp_path / "large.csv"
    path.write_text("\n".join(lines))
    known = SourceCatalogue.open(path)
    assert len(known) == 100_000
    assert sum(known.warnings.values()) == 10_000 + 4_000
    assert object_for(known, "/x/obj099999.fits").columns == {"mag": 20.5}


def test_a_wcs_further_off_than_the_cutout_is_large_is_reported_and_not_believed():
    sky = {"ra_deg": 10.0, "dec_deg": 0.0, "centre_deg": (10.0, 0.0), "cd_deg": (-3e-5, 0.0, 0.0, 3e-5)}
    far = object_for(catalogue(id=["x"], ra=[10.0], dec=[11 / 3600]), "x.fits")
    near = object_for(catalogue(id=["x"], ra=[10.0], dec=[9 / 3600]), "x.fits")
    refused, believed = described(cutout(**sky), far), described(cutout(**sky), near)
    assert (refused.cd_deg, refused.centre_deg, refused.dec_deg) == (None, None, 11 / 3600)
    assert refused.warnings[0].startswith("WCS not believed: its centre is 11 arcsec")
    assert (believed.cd_deg, believed.centre_deg, believed.dec_deg) == (sky["cd_deg"], (10.0, 0.0), 9 / 3600)
    assert believed.warnings == ()


def test_a_position_that_a_catalogue_lacks_is_the_files():
    entry = object_for(catalogue(id=["x"], ra=["text"], dec=["0"]), "x.fits")
    named = described(cutout(ra_deg=10.0, dec_deg=1.0), entry)
    assert (named.object_id, named.ra_deg, named.dec_deg) == ("x", 10.0, 1.0)


def test_a_catalogue_without_any_known_column_matches_nothing():
    known = catalogue(foo=[1, 2], bar=[3, 4])
    assert object_for(known, "/x/1.fits") is None
    assert not known.has_positions


@pytest.mark.parametrize(
    ("ra_deg", "dec_deg", "name"),
    [
        (0.0, -0.5, "J000000.00-003000.0"),
        (359.99999, 89.9, "J235959.99+895400.0"),
        (266.3231377, 65.93682015, "J174517.55+655612.5"),
    ],
)
def test_a_position_gives_a_name(ra_deg, dec_deg, name):
    assert position_name(ra_deg, dec_deg) == name


def test_positions_name_rows_without_an_id_and_give_each_id_once():
    known = catalogue(id=["a", "", "a", "b"], ra=[1.0, 2.0, 3.0, math.nan], dec=[1.0, 2.0, 3.0, 4.0])
    positions = known.positions(range(4), without={"z"})
    assert positions.object_ids == ["a", "J000800.00+020000.0"]
    assert positions.ra_deg.tolist() == [1.0, 2.0]
