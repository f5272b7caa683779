"""Known lenses: the shipped snapshot of lenscat, and catalogues that somebody gives."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from astropy.table import Table

from data.errors import CatalogueError
from data.known_lenses import LENSCAT, SCHEMA, edition_of, known_lenses_in, read_known_lenses
from tests.fixtures.positions import known_lenses, write_csv

HOSTILE = '<img src=x onerror="alert(1)"> | \'; DROP TABLE x; --'


def test_the_snapshot_is_whole_and_says_which_release_it_is():
    lenses = known_lenses_in(LENSCAT)
    assert len(lenses) == 32_838
    assert str(lenses.edition) == "lenscat 1.1.3"
    assert edition_of(LENSCAT) == lenses.edition
    assert lenses.table.schema.equals(SCHEMA, check_metadata=False)
    assert set(lenses.table["grading"].to_pylist()) == {"confident", "probable"}
    assert set(lenses.table["type"].to_pylist()) == {"galaxy", "group", "cluster"}
    assert np.all((lenses.ra_deg >= 0) & (lenses.ra_deg < 360) & (np.abs(lenses.dec_deg) <= 90))
    assert lenses.table["name"].null_count == lenses.table["reference"].null_count == 0


def test_the_cosmic_horseshoe_is_where_it_is():
    lenses = known_lenses_in(LENSCAT)
    [row] = lenses.table.filter(pc.match_substring(lenses.table["name"], "J114833.14+193003.2")).to_pylist()
    assert (row["ra_deg"], row["dec_deg"]) == (
        pytest.approx(177.13808, abs=1e-3),
        pytest.approx(19.50089, abs=1e-3),
    )
    assert row["z_lens"] == pytest.approx(0.444, abs=0.01)
    assert "Diehl et al. (2009)" in row["reference"]


def test_its_source_version_and_licence_are_beside_it():
    told = LENSCAT.with_suffix(".md").read_text(encoding="utf-8")
    edition = edition_of(LENSCAT)
    for words in (str(edition), edition.sha256, "32,838", "MIT License", "Copyright (c) 2024 lenscat"):
        assert words in told


def test_the_columns_of_lenscat_itself_are_understood(tmp_path: Path):
    path = write_csv(
        tmp_path / "catalog.csv",
        """
        name,RA [deg],DEC [deg],zlens,type,grading,ref
        A | B | A,10.5,-20.25,0.3? | 0.252 | nan,cluster,probable,one | two | one
        C,359.9,89.0,not measured,galaxy,confident,-
        """,
    )
    lenses = read_known_lenses(path)
    assert lenses.table.to_pylist() == [
        {
            "name": "A | B",
            "ra_deg": 10.5,
            "dec_deg": -20.25,
            "z_lens": 0.252,
            "grading": "probable",
            "type": "cluster",
            "reference": "one | two",
        },
        {
            "name": "C",
            "ra_deg": 359.9,
            "dec_deg": 89.0,
            "z_lens": None,
            "grading": "confident",
            "type": "galaxy",
            "reference": "-",
        },
    ]
    assert lenses.edition.title == "catalog.csv"
    assert lenses.edition.version == lenses.edition.sha256[:8]


def test_positions_alone_are_enough_and_give_a_name(tmp_path: Path):
    Table({"RAJ2000": [266.3231377, np.nan], "DEJ2000": [65.93682015, 1.0]}).write(tmp_path / "x.fits")
    [row] = read_known_lenses(tmp_path / "x.fits").table.to_pylist()
    assert row["name"] == "J174517.55+655612.5"
    assert {row[name] for name in ("z_lens", "grading", "type", "reference")} == {None}


@pytest.mark.parametrize(
    "text", ["name,ra_deg,dec_deg\nA,x,y\n", "name,magnitude\nA,20\n", "ra,dec\n500,10\n"]
)
def test_a_catalogue_without_a_position_is_refused_in_a_line(tmp_path: Path, text: str):
    with pytest.raises(CatalogueError, match="no usable position; expected RA and Dec in degrees"):
        read_known_lenses(write_csv(tmp_path / "x.csv", text))


def test_what_is_saved_is_read_again_with_its_edition(tmp_path: Path):
    lenses = known_lenses([{"name": HOSTILE, "ra_deg": 1.0, "dec_deg": 2.0, "reference": "あ\n\0"}])
    lenses.save(tmp_path / "known.parquet")
    again = known_lenses_in(tmp_path / "known.parquet")
    assert again.table.equals(lenses.table)
    assert again.edition == lenses.edition


@pytest.mark.parametrize("content", [b"", b"PAR1 no", None])
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes | None):
    path = tmp_path / "known.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"is damaged .* lensvet crossmatch makes it anew"):
        known_lenses_in(path)
