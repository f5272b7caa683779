"""Catalogue files: every format gives the same table, and ids stay as they are written."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table

from data.errors import CatalogueError
from data.readers.tables import read_table, rows_skipped

IDS = ["00123", "a,b", "日本語 ω", '<b onclick="x">', "=1+1"]


def table():
    return Table(
        {
            "object_id": IDS,
            "ra": [1.5, 2.5, 3.5, 4.5, 5.5],
            "mag": MaskedColumn([20.0, 21.0, 22.0, 23.0, 24.0], mask=[False, True, False, False, False]),
            "n": np.array([1, 2, 3, 4, 2**40]),
        }
    )


def write(path, format_):
    written = table()
    if format_ == "parquet":
        columns = {
            name: [None if v is np.ma.masked else v for v in written[name]] for name in written.colnames
        }
        import pyarrow as pa

        pq.write_table(
            pa.table({k: [v.item() if hasattr(v, "item") else v for v in c] for k, c in columns.items()}),
            path,
        )
    elif format_ == "fits":
        written["object_id"] = [text.encode("utf-8") for text in IDS]
        written.write(path, format="fits")
    else:
        written.write(path, format=format_)
    return path


@pytest.mark.parametrize("format_", ["ascii.csv", "ascii.ecsv", "votable", "fits", "parquet"])
def test_every_format_is_recognised_by_content_and_gives_the_same_values(tmp_path, format_):
    read = read_table(write(tmp_path / "catalogue.dat", format_))
    assert read["object_id"].to_pylist() == IDS
    assert read["ra"].to_pylist() == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert read["n"].to_pylist()[-1] == 2**40
    assert read["mag"].to_pylist()[1] is None


def test_quotes_newlines_and_other_delimiters_are_csv_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        '# made by hand\nid;ra;note\n007;1.5;"a; ""quoted""\nsecond line"\n', encoding="utf-8-sig"
    )
    assert read_table(path).to_pylist() == [{"id": "007", "ra": 1.5, "note": 'a; "quoted"\nsecond line'}]


def test_latin_1_is_read_as_such(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,note\n1,Zürich\n".encode("latin-1"))
    assert read_table(path)["note"].to_pylist() == ["Zürich"]


def test_rows_that_do_not_fit_the_header_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,ra\n1,2.0\n2\n3,4.0,5.0\n4,6.0\n")
    read = read_table(path)
    assert read["id"].to_pylist() == ["1", "4"]
    assert rows_skipped(read) == 2


def test_two_columns_of_one_name_are_both_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,mag,mag\nx,1,2\n")
    assert read_table(path).to_pylist() == [{"id": "x", "mag": 1, "mag_2": 2}]


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02\x03" * 50, b"PAR1 but no parquet", b"<VOTABLE> no end"]
)
def test_what_is_no_catalogue_says_so(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match="catalogue"):
        read_table(path)


def test_a_catalogue_that_is_not_there_says_so(tmp_path):
    with pytest.raises(CatalogueError, match="cannot be opened"):
        read_table(tmp_path / "nowhere.csv")
