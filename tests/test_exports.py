"""Exports: Astropy reads back from every format what was written, with units, UCDs and provenance."""

import csv
import io
import math
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse as parse_votable
from astropy.table import Table

from data.campaign import Campaign
from data.catalogue import catalogue_rows, vote_rows
from data.catalogue_columns import CATALOGUE_COLUMNS, VOTE_COLUMNS
from data.errors import ExportError
from data.exports import FORMATS, PRESETS, export, write_catalogue
from data.label_store import LabelStore
from data.objects import ObjectTable
from data.scores import SCORE_SCHEMA, write_part
from tests.fixtures.campaigns import MODEL, add_objects
from tests.fixtures.votes import a_vote

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TABLES = [suffix for suffix, kind in FORMATS.items() if kind.takes_any_table]
EXACT = [suffix for suffix in TABLES if suffix not in (".csv", ".fits")]  # to the last space
LONG = "".join(random.Random(1).choices("ab <&'\"あ", k=9_998)).strip() + "."
TEXTS = [
    "plain",
    "弧 قوس дуга é 😀",
    "two\nlines",
    'quotes " and \' and ""',
    "<script>alert('x')</script> &amp;",
    "=1+1",
    "-5, +5; @x\there",
    "nan",
    "00123",
    "# no comment",
    "--",
    "{braces} $\\n %s",
    LONG,
]
FRAGILE = ["trailing  ", "\tboth\n", "carriage\r\nreturn\r", "bell \x07 and line\u2028separator", " \u3000 "]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A campaign whose ids, comments and own columns are as awkward as they come, and its label store."""
    from data.campaign import create_campaign

    campaign = create_campaign(
        tmp_path_factory.mktemp("made") / "campaign", survey="euclid", title="Ünï “campaign”"
    )
    ids = [*TEXTS, "no position", "ungraded"]
    for n, object_id in enumerate(ids):
        own = {
            "segment_id": 2663231466659368059 + n,
            "flag_vis": None if n == 1 else n,
            "is_point": n % 2 == 0,
            "maybe": None if n == 2 else n % 2 == 1,
            "mag": math.nan if n == 3 else 20 + n / 3,
            "grade": f"catalogue {n}",
            "größe": TEXTS[n % len(TEXTS)],
        }
        add_objects(campaign, [object_id], columns=own if n != 4 else {}, size_px=4)
    _without_position(campaign, "no position")
    store = LabelStore.open(campaign.database_url)
    for n, text in enumerate(TEXTS):
        vote = a_vote(
            object_id=text, comment=text, grade="ABCX"[n % 4], tags=["quad"] * (n % 2), elapsed_ms=n or None
        )
        store.add(vote)
    store.add(
        a_vote(
            object_id="no position",
            inspector=TEXTS[1],
            grade=None,
            marks=[{"kind": "lens", "x_px": 1, "y_px": 2}],
        )
    )
    _score(campaign, TEXTS[:3])
    yield campaign, store
    store.close()


def _without_position(campaign: Campaign, object_id: str) -> None:
    table = campaign.objects().table
    is_it = np.array(table["object_id"].to_pylist()) == object_id
    for name in ("ra_deg", "dec_deg"):
        values = np.where(is_it, np.nan, table[name])
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    ObjectTable(table).save(campaign.catalogue_path)


def _score(campaign: Campaign, ids: list[str]) -> None:
    rows = [
        {
            "object_id": i,
            "logit": 0.1 + n,
            "p_lens": 1 / 3,
            "x_arcsec": 0.1,
            "y_arcsec": -0.1,
            "ra_deg": 150.001,
            "dec_deg": 2.001,
        }
        for n, i in enumerate(ids)
    ]
    write_part(campaign.scores_path(MODEL), pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))


def _read(path: Path, **options: object) -> Table:
    if path.suffix == ".vot":
        return Table.read(path, use_names_over_ids=True, **options)
    return Table.read(path, **options)


def _values(column) -> list[object]:
    """Values of a column that Astropy read: None for what is missing."""
    return [
        None if _is_missing(value) else value.item() if isinstance(value, np.generic) else value
        for value in column
    ]


def _is_missing(value: object) -> bool:
    return (
        value is np.ma.masked
        or (isinstance(value, float | np.floating) and math.isnan(value))
        or value in ("", None)
    )


def _expected(column: pa.ChunkedArray) -> list[object]:
    return [None if _is_missing(value) else value for value in column.to_pylist()]


def _same(found: list[object], expected: list[object]) -> bool:
    """Equal, where a text that looks like a number may have become one, as CSV says no types."""
    return all(f == e or (e is not None and str(f) == str(e)) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize("votes", [False, True], ids=["objects", "votes"])
def test_astropy_reads_back_the_same_values(made, tmp_path, suffix, votes):
    campaign, store = made
    out = tmp_path / f"out{suffix}"
    export(campaign, store, out, votes=votes)
    written = vote_rows(store) if votes else catalogue_rows(campaign, store)
    found = _read(out)
    names = [
        name.encode("ascii", "backslashreplace").decode() if suffix == ".fits" else name
        for name in written.column_names
    ]
    assert found.colnames == names
    for name, original in zip(names, written.column_names, strict=True):
        assert _same(_values(found[name]), _expected(written[original])), name
        if (
            suffix not in (".csv", ".parquet")
            and written[original].null_count
            and written.schema.field(original).type != pa.string()
        ):
            assert found[name].mask.tolist() == written[original].is_null().to_pylist() or original == "mag"


@pytest.mark.parametrize("suffix", EXACT)
def test_spaces_line_ends_and_control_characters_survive(made, tmp_path, suffix):
    campaign, store = made
    table = catalogue_rows(campaign, store).slice(0, len(FRAGILE))
    table = table.set_column(table.column_names.index("comments"), "comments", pa.array(FRAGILE))
    write_catalogue(table, tmp_path / f"out{suffix}")
    assert _values(_read(tmp_path / f"out{suffix}")["comments"]) == FRAGILE


def test_fits_and_csv_files_hold_spaces_that_astropy_drops_by_default(made, tmp_path):
    campaign, store = made
    table = catalogue_rows(campaign, store).slice(0, len(FRAGILE))
    table = table.set_column(table.column_names.index("comments"), "comments", pa.array(FRAGILE))
    write_catalogue(table, tmp_path / "out.fits")
    write_catalogue(table, tmp_path / "out.csv")
    assert _values(_read(tmp_path / "out.fits", strip_spaces=False)["comments"]) == FRAGILE
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as opened:
        assert [row["comments"] for row in csv.DictReader(opened)] == FRAGILE


@pytest.mark.parametrize("suffix", list(FORMATS))
@pytest.mark.parametrize("votes", [False, True], ids=["objects", "votes"])
def test_an_empty_campaign_exports_a_table_with_all_columns(campaign, tmp_path, suffix, votes):
    if votes and not FORMATS[suffix].takes_any_table:
        pytest.skip("regions show objects only")
    out = tmp_path / f"out{suffix}"
    with LabelStore.open(campaign.database_url) as store:
        export(campaign, store, out, votes=votes)
    columns = VOTE_COLUMNS if votes else CATALOGUE_COLUMNS
    if suffix == ".reg":
        assert "left out: 0" in out.read_text()
        return
    # A CSV without rows has no types to guess.
    found = Table.read(out, format="ascii.csv") if suffix == ".csv" else Table.read(out)
    assert len(found) == 0
    assert found.colnames == [column.name for column in columns]
    if suffix != ".csv":
        assert [str(found[c.name].unit or "") for c in columns] == [c.unit for c in columns]


@pytest.mark.parametrize("suffix", [".vot", ".ecsv", ".parquet"])
def test_units_ucds_and_descriptions_are_read_back(made, tmp_path, suffix):
    campaign, store = made
    export(campaign, store, tmp_path / f"out{suffix}")
    found = Table.read(tmp_path / f"out{suffix}")
    for column in CATALOGUE_COLUMNS:
        assert str(found[column.name].unit or "") == column.unit
        assert found[column.name].meta["ucd"] == column.ucd
        assert found[column.name].description.lower() == column.description.lower()


def test_a_fits_header_has_units_ucds_and_descriptions(made, tmp_path):
    campaign, store = made
    export(campaign, store, tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as hdus:
        hdus.verify("exception")
        header = hdus[1].header
    for number, column in enumerate(CATALOGUE_COLUMNS, start=1):
        assert (header[f"TTYPE{number}"], header.get(f"TUNIT{number}", "")) == (column.name, column.unit)
        assert header[f"TUCD{number}"] == column.ucd
        assert header[f"TCOMM{number}"].lower() == column.description.lower()


def test_every_header_says_where_the_table_comes_from(made, tmp_path):
    campaign, store = made
    found = {}
    for suffix in FORMATS:
        export(campaign, store, tmp_path / f"out{suffix}", now=NOW)
    found[".fits"] = {name.lower(): value for name, value in fits.getheader(tmp_path / "out.fits", 1).items()}
    infos = parse_votable(tmp_path / "out.vot", verify="exception").resources[0].infos
    found[".vot"] = {info.name: info.value for info in infos}
    for suffix in (".ecsv", ".parquet"):
        found[suffix] = Table.read(tmp_path / f"out{suffix}").meta
    for suffix, header in found.items():
        assert header["origin"].startswith("LensVet "), suffix
        assert (header["date"], header["model"]) == ("2026-01-31T12:00:00", MODEL)
        assert [int(header[name]) for name in ("objects", "votes")] == [len(TEXTS) + 2, len(TEXTS)]
        assert int(header["inspect" if suffix == ".fits" else "inspectors"]) == 2
        assert header["modelsha" if suffix == ".fits" else "model_sha256"] == "0123abcd"
        assert header["rubric_b"].startswith("B probable")
        assert header["consens" if suffix == ".fits" else "consensus"].startswith("mean of A = 3")
    assert found[".ecsv"]["campaign"] == found[".vot"]["campaign"] == campaign.title
    assert found[".fits"]["campaign"] == "\\xdcn\\xef \\u201ccampaign\\u201d"
    assert f"# campaign: {campaign.title}" in (tmp_path / "out.reg").read_text(encoding="utf-8")


def test_the_digest_of_the_weights_is_given_in_full_where_it_is_known(made, tmp_path):
    campaign, store = made
    card = campaign.scores_path(MODEL) / "model.json"
    card.write_text('{"sha256": "' + "0123abcd" * 8 + '"}')
    export(campaign, store, tmp_path / "out.ecsv")
    card.unlink()
    assert Table.read(tmp_path / "out.ecsv").meta["model_sha256"] == "0123abcd" * 8


@pytest.mark.parametrize("suffix", TABLES)
def test_the_preset_q1_has_exactly_the_columns_of_the_euclid_q1_catalogue(made, tmp_path, suffix):
    campaign, store = made
    out = tmp_path / f"out{suffix}"
    export(campaign, store, out, preset="q1")
    found = Table.read(out)
    names = "object_id right_ascension declination expert_score grade expert_total_votes notes"
    assert found.colnames == names.split()
    if suffix == ".parquet":
        assert pq.read_schema(out).names == names.split()
    ours = catalogue_rows(campaign, store)
    for new, old in PRESETS["q1"].items():
        assert _same(_values(found[new]), _expected(ours[old]))


def test_regions_are_one_circle_per_object_with_a_position(made, tmp_path):
    campaign, store = made
    export(campaign, store, tmp_path / "out.reg")
    lines = (tmp_path / "out.reg").read_text(encoding="utf-8").split("\n")
    circles = [line for line in lines if line.startswith("circle(")]
    assert len(circles) == len(TEXTS) + 1
    assert "# objects without a sky position, left out: 1" in lines
    assert circles[0] == 'circle(150.0,2.0,3.0") # color=green text={plain A}'
    assert circles[2].endswith("text={two lines C}")
    assert any("text={(braces) $\\n %s" in line for line in circles)
    assert circles[-1].endswith("color=white text={ungraded not graded}")
    assert sum(line.startswith("point(150.001,2.001) # point=cross") for line in lines) == 3
    assert all(line.startswith(("#", "circle(", "point(", "icrs", "global")) for line in lines if line)


def test_a_spreadsheet_never_runs_what_an_inspector_typed(made, tmp_path):
    campaign, store = made
    export(campaign, store, tmp_path / "verbatim.csv")
    export(campaign, store, tmp_path / "safe.csv", spreadsheet=True)
    comments = {}
    for name in ("verbatim", "safe"):
        with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as opened:
            comments[name] = [row["comments"] for row in csv.DictReader(opened)]
    assert comments["verbatim"][: len(TEXTS)] == TEXTS
    changed = {v: s for v, s in zip(comments["verbatim"], comments["safe"], strict=True) if v != s}
    assert changed == {text: "'" + text for text in ("=1+1", "-5, +5; @x\there", "--")}


def test_only_named_objects_are_exported(made, tmp_path):
    campaign, store = made
    for votes in (False, True):
        export(campaign, store, tmp_path / "out.ecsv", votes=votes, object_ids={"plain", "=1+1", "unknown"})
        assert sorted(Table.read(tmp_path / "out.ecsv")["object_id"]) == ["=1+1", "plain"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("out.xlsx", {}, r"suffix '.xlsx'; expected one of .fits .vot"),
        ("out", {}, "suffix ''"),
        ("out.csv", {"preset": "q9"}, "preset 'q9' is not known; known are q1"),
        ("out.csv", {"preset": "q1", "votes": True}, "give one or the other"),
        ("out.fits", {"spreadsheet": True}, "choose .csv"),
        ("out.reg", {"votes": True}, "choose another format"),
        ("out.reg", {"preset": "q1"}, "choose another format"),
        ("out.csv", {"model_version": "no-1"}, "no-1 has no scores"),
        ("folder.csv", {}, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(made, tmp_path, name, options, message):
    campaign, store = made
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ExportError, match=message):
        export(campaign, store, tmp_path / name, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_a_suffix_in_capitals_is_the_same_format(made, tmp_path):
    export(*made, tmp_path / "OUT.FITS")
    assert len(Table.read(tmp_path / "OUT.FITS", format="fits")) == len(TEXTS) + 2


def test_fits_refuses_to_give_a_million_rows_the_width_of_one_long_text(made, tmp_path):
    campaign, store = made
    rows = catalogue_rows(campaign, store)
    many = rows.take(np.zeros(300_000, int)).slice(1)
    table = pa.concat_tables([rows.slice(TEXTS.index(LONG), 1), many])
    with pytest.raises(ExportError, match=r"FITS gives each row .* GiB; choose .vot"):
        write_catalogue(table, tmp_path / "out.fits")


def test_fits_refuses_more_columns_than_it_has_room_for(tmp_path):
    table = pa.table({f"c{n}": [n] for n in range(1000)})
    with pytest.raises(ExportError, match="FITS has room for 999"):
        write_catalogue(table, tmp_path / "out.fits")


@pytest.mark.parametrize("suffix", TABLES)
def test_rows_beyond_one_block_come_back_in_order(tmp_path, suffix):
    number = 5_001
    texts = [f"row {n} " + "é" * (n % 7) + "." for n in range(number)]
    table = pa.table({"text": texts, "real": np.arange(number) / 3, "whole": np.arange(number) * 10**12})
    write_catalogue(table, tmp_path / f"out{suffix}")
    found = Table.read(tmp_path / f"out{suffix}")
    assert _values(found["text"]) == texts
    assert np.array_equal(found["real"], np.arange(number) / 3)
    assert np.array_equal(found["whole"], np.arange(number) * 10**12)


def test_parquet_keeps_nulls_where_others_look_for_them(made, tmp_path):
    export(*made, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["mean_score"].null_count == 2
    assert table["segment_id"].type == pa.string()  # beyond 2^53 and with a gap: a float would change it
    assert table.schema.field("ra_deg").metadata[b"unit"] == b"deg"


def test_an_ecsv_is_a_csv_below_its_header(made, tmp_path):
    export(*made, tmp_path / "out.ecsv")
    text = (tmp_path / "out.ecsv").read_bytes().decode()
    head, _, body = text.partition('"object_id"')
    assert all(line.startswith("# ") for line in head.splitlines())
    rows = list(csv.DictReader(io.StringIO('"object_id"' + body, newline="")))
    assert [row["object_id"] for row in rows[: len(TEXTS)]] == TEXTS
