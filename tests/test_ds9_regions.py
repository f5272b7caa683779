"""DS9 region files as they are read: shapes, frames, tags, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from data.errors import RegionError
from data.readers.ds9_regions import Region, read_regions
from data.region_shapes import offsets_arcsec
from data.sky import TangentPlane

SHAPE, SCALE = (60, 80), 0.1
LENS = "point(40,30) # text={one}\n"
NORTH_UP = TangentPlane(150.0, 60.0, (-SCALE / 3600, 0.0, 0.0, SCALE / 3600))
TURNED = TangentPlane(150.0, 60.0, (0.0, SCALE / 3600, SCALE / 3600, 0.0))
X, Y = offsets_arcsec(SHAPE, SCALE)


def regions_of(path: Path, text: str) -> list[Region]:
    file = path / "some.reg"
    file.write_text(text, encoding="utf-8")
    return read_regions([file])["one"]


def covered(region: Region, sky: TangentPlane | None = None) -> np.ndarray:
    return region.on(shape=SHAPE, pixel_scale_arcsec=SCALE, sky=sky).covers(X, Y)


def area_of(path: Path, shape: str) -> int:
    return int(covered(regions_of(path, f"image\n{LENS}{shape} # text={{one}}\n")[1]).sum())


@pytest.mark.parametrize(
    ("shape", "area_px"),
    [
        ("circle(40,30,10)", 100 * np.pi),
        ('circle(40,30,1.0")', 100 * np.pi),
        ("circle 40 30 10", 100 * np.pi),
        ("annulus(40,30,5,10)", 75 * np.pi),
        ("ellipse(40,30,20,5,33)", 100 * np.pi),
        ("ellipse(40,30,10,4,20,8,33)", 120 * np.pi),
        ("box(40,30,20,10,31)", 200),
        ("panda(40,30,350,80,1,5,10,1)", 75 * np.pi / 4),
        ("polygon(30,20,50,20,50,30,30,30)", 200),
    ],
)
def test_a_shape_covers_as_many_pixels_as_its_area_says(tmp_path, shape, area_px):
    assert area_of(tmp_path, shape) == pytest.approx(area_px, rel=0.06)


def test_image_pixels_count_from_one_in_the_lower_left(tmp_path):
    lens, arc = regions_of(tmp_path, f"image\n{LENS}circle(1,1,0.4) # text={{one}}\n")
    assert np.argwhere(covered(arc)).tolist() == [[0, 0]]
    drawn = lens.on(shape=SHAPE, pixel_scale_arcsec=SCALE, sky=None)
    assert drawn.points_arcsec[0] == pytest.approx([-0.05, -0.05])


@pytest.mark.parametrize("sky", [NORTH_UP, TURNED])
def test_a_region_on_the_sky_covers_the_same_sky_however_the_image_lies(tmp_path, sky):
    # A panda from west to north, 1 to 2 arcsec from a place 0.5 arcsec north of the centre.
    dec = 60.0 + 0.5 / 3600
    text = (
        f'icrs\npoint(150,{dec}) # text={{one}}\npanda(150,{dec},0,90,1,1",2",1) # text={{one}} tag={{arc}}\n'
    )
    lens, arc = regions_of(tmp_path, text)
    place = lens.on(shape=SHAPE, pixel_scale_arcsec=SCALE, sky=sky).points_arcsec[0]
    assert sky.sky_of(*place) == pytest.approx((150.0, dec), abs=1e-9)
    ra, dec_of = sky.sky_of(*np.broadcast_arrays(X, Y))
    north, west = 3600 * (dec_of - dec), -3600 * (ra - 150.0) * np.cos(np.radians(60.0))
    expected = (np.hypot(north, west) > 1) & (np.hypot(north, west) < 2) & (north > 0) & (west > 0)
    assert (covered(arc, sky) != expected).sum() < 0.04 * expected.sum()


def test_sexagesimal_positions_and_braces_and_quotes_are_read(tmp_path):
    text = "fk5\npoint 10:00:00 +60:00:00.0 # text='one' tag={Group 1} tag={lens}\n"
    text += 'circle(10:00:00,-0:30:00,3") # color=red text="one" tag={arc}\n'
    lens, arc = regions_of(tmp_path, text)
    assert lens.points == ((150.0, 60.0),)
    assert arc.points == ((150.0, -0.5),)
    assert arc.sizes == ((3.0, True),)


def test_an_id_with_a_hash_and_a_semicolon_is_one_id(tmp_path):
    file = tmp_path / "some.reg"
    file.write_text("global color=red\nimage; point(1,2) # text={a#1;b}\ntext(3,4) # text={a note}\n")
    assert list(read_regions([file])) == ["a#1;b"]


def test_a_folder_of_files_is_read_whole(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.reg").write_text(f"image\npoint(1,2) # text={{{name}}}\n")
    assert sorted(read_regions([tmp_path])) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no region"),
        (f"image\n{LENS}circle(1,2) # text={{one}}\n", "line 3: a circle does not have 2 numbers"),
        (f"image\n{LENS}circle(1,2,three) # text={{one}}\n", "line 3: 'three' is not a number"),
        (f"image\n{LENS}circle(1,nan,3) # text={{one}}\n", "line 3: 'nan' is not a finite number"),
        (f"image\n{LENS}circle(1,2,-3) # text={{one}}\n", "line 3: '-3' is not a size"),
        (f"image\n{LENS}circle(1,2,3)\n", "line 3: the circle names no object"),
        (f"image\n{LENS}polygon(1,2,3,4,5) # text={{one}}\n", "line 3: a polygon does not have 5 numbers"),
        (f"image\n{LENS}epanda(1,2,3) # text={{one}}\n", "line 3: the shape 'epanda' is not read"),
        (f"image\n{LENS}circle(1,2,3) # text={{one}} tag={{lens}}\n", "line 3: a circle is tagged lens"),
        (f"image\n{LENS}{LENS}", "one has 2 points tagged lens"),
        ("image\ncircle(1,2,3) # text={one}\n", "one has 0 points tagged lens"),
        ("circle(1,2,3) # text={one}\n", "line 1: no frame"),
        ("galactic\n", "line 1: the frame galactic is not read"),
        ("image\nnonsense\n", "line 2: 'nonsense' is no region"),
        ("fk5\npoint(10:00,2) # text={one}\n", "line 2: '10:00' is not a number"),
    ],
)
def test_a_bad_file_is_refused_with_the_line_and_what_is_wrong(tmp_path, text, message):
    with pytest.raises(RegionError, match=message):
        regions_of(tmp_path, text)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "some.reg"
    file.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RegionError, match="is not text"):
        read_regions([file])


def test_a_sky_region_needs_a_cutout_whose_sky_is_known(tmp_path):
    (lens,) = regions_of(tmp_path, "icrs\npoint(1,2) # text={one}\n")
    with pytest.raises(RegionError, match="has no WCS"):
        lens.on(shape=SHAPE, pixel_scale_arcsec=SCALE, sky=None)


@pytest.mark.parametrize("sky", [NORTH_UP, TURNED])
def test_offsets_and_sky_positions_undo_each_other(sky):
    x, y = np.array([-3.0, 0.0, 12.5]), np.array([4.0, 0.0, -7.0])
    again = sky.offsets_of(*sky.sky_of(x, y))
    assert np.allclose(again, (x, y), atol=1e-6)
