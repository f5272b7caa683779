"""The vetted catalogue: each object once, with what people and the model said of it."""

import datetime
import json
import math

import astropy.io.votable.ucd as ucd_words
import astropy.units as u
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.campaign import Campaign
from data.catalogue import catalogue_rows, vote_rows
from data.catalogue_columns import CATALOGUE_COLUMNS, VOTE_COLUMNS, free_name
from data.errors import ExportError
from data.inspection import settings_from
from data.inspection_store import InspectionStore
from data.label_store import LabelStore
from data.objects import ObjectTable, StoredObject
from data.scores import SCORE_SCHEMA, write_part
from tests.fixtures.campaigns import MODEL, add_objects, add_scores, filled_campaign
from tests.fixtures.votes import EVERYTHING, a_vote

IDS = ["one", "two", "three"]


@pytest.fixture
def filled(tmp_path) -> Campaign:
    return filled_campaign(tmp_path / "campaign", IDS)


@pytest.fixture
def store(tmp_path):
    with LabelStore.open(f"sqlite:///{tmp_path / 'labels.sqlite'}") as opened:
        yield opened


def _row(campaign, store, object_id="one", **options):
    return next(
        row for row in catalogue_rows(campaign, store, **options).to_pylist() if row["object_id"] == object_id
    )


def test_an_empty_campaign_has_a_catalogue_with_all_columns_and_no_rows(campaign, store):
    table = catalogue_rows(campaign, store)
    assert table.num_rows == 0
    assert table.column_names == [column.name for column in CATALOGUE_COLUMNS]
    assert table.schema.types == [column.kind for column in CATALOGUE_COLUMNS]
    assert vote_rows(store).num_rows == 0
    assert vote_rows(store).column_names == [column.name for column in VOTE_COLUMNS]


def test_every_object_is_there_once_in_catalogue_order(filled, store):
    store.add(a_vote(object_id="two"))
    store.add(a_vote(object_id="gone from the catalogue"))
    assert catalogue_rows(filled, store)["object_id"].to_pylist() == IDS


def test_named_objects_come_in_catalogue_order_and_unknown_ones_are_left_out(filled, store):
    table = catalogue_rows(filled, store, object_ids={"three", "one", "nobody"})
    assert table["object_id"].to_pylist() == ["one", "three"]
    assert catalogue_rows(filled, store, object_ids=[]).num_rows == 0


def test_grades_of_a_group_become_numbers(filled, store):
    for inspector, grade in (("Ana", "A"), ("Bo", "B"), ("Cy", "X"), ("Di", None)):
        store.add(
            a_vote(
                object_id="one",
                inspector=inspector,
                grade=grade,
                phase="blind" if grade == "A" else "revealed",
            )
        )
    row = _row(filled, store)
    assert row["mean_score"] == pytest.approx(5 / 3)
    assert row["score_error"] == pytest.approx(math.sqrt(7 / 3 / 3))
    assert (row["grade"], row["score_spread"], row["n_votes"]) == ("B", 3, 3)
    assert [row[f"n_{g}"] for g in ("a", "b", "c", "x", "blind", "skips")] == [1, 1, 0, 1, 1, 1]


def test_an_object_without_votes_and_scores_has_nulls_and_zeros(filled, store):
    row = _row(filled, store, "three")
    assert {row[name] for name in ("grade", "mean_score", "comments", "p_lens", "x_px", "model_version")} == {
        None
    }
    assert (row["n_votes"], row["n_false_positive"]) == (0, 0)


def test_remarks_are_gathered(filled, store):
    store.add(a_vote(**{**EVERYTHING, "object_id": "one"}))
    store.add(
        a_vote(object_id="one", inspector="Bo", contaminant="spiral", tags=["red_ring"], comment="two\nlines")
    )
    row = _row(filled, store)
    assert (row["contaminant"], row["tags"]) == ("spiral", "red_ring;quad")
    assert (row["flags"], row["n_wrong_reason"], row["n_false_positive"]) == ("wrong_reason", 1, 0)
    assert row["comments"] == EVERYTHING["comment"] + "\ntwo\nlines"
    assert [mark["kind"] for mark in json.loads(row["marks"])] == ["lens", "image"]


def test_an_undone_vote_leaves_no_trace_in_the_catalogue(filled, store):
    before = _row(filled, store)
    vote = a_vote(**{**EVERYTHING, "object_id": "one"})
    store.add(vote)
    store.add(a_vote(object_id="one", grade=None, supersedes=vote.vote_id))
    assert _row(filled, store) == before


def test_scores_of_the_newest_or_the_named_model_are_joined(filled, store):
    add_scores(filled, {"two": 1.0, "one": 0.0}, model="old-1")
    add_scores(filled, {"three": 2.0, "one": None, "unknown": 1.0}, model=MODEL)
    newest, named = _row(filled, store), _row(filled, store, model_version="old-1")
    assert (newest["logit"], newest["no_score_reason"], newest["model_version"]) == (None, "too small", MODEL)
    assert (named["p_lens"], named["model_version"]) == (0.5, "old-1")
    assert _row(filled, store, "two")["model_version"] is None
    with pytest.raises(ExportError, match=r"other-9 has no scores .* old-1, evidence-net"):
        catalogue_rows(filled, store, model_version="other-9")


def test_the_bands_that_a_model_judged_without_are_named(filled, store):
    rows = [{"object_id": "one", "logit": 1.0, "bands_missing": "Y,J,H"}, {"object_id": "two", "logit": 1.0}]
    part = write_part(filled.scores_path(MODEL), pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))
    assert (_row(filled, store)["bands_missing"], _row(filled, store, "two")["bands_missing"]) == (
        "Y,J,H",
        None,
    )
    pq.write_table(pq.read_table(part).drop_columns("bands_missing"), part)  # as it was before there was one
    assert (_row(filled, store)["bands_missing"], _row(filled, store)["logit"]) == (None, 1.0)


def test_the_last_score_of_an_object_counts(filled, store):
    add_scores(filled, {"one": 1.0})
    add_scores(filled, {"one": 2.0})
    assert _row(filled, store)["logit"] == 2.0


def test_the_predicted_position_is_given_in_pixels_from_zero(filled, store):
    add_objects(filled, ["larger"], size_px=31)
    positions = [
        {"object_id": name, "logit": 0.0, "x_arcsec": 0.1, "y_arcsec": -0.2, "ra_deg": 150.1, "dec_deg": 2.1}
        for name in ("one", "larger")
    ]
    write_part(filled.scores_path(MODEL), pa.Table.from_pylist(positions, schema=SCORE_SCHEMA))
    one, larger = _row(filled, store), _row(filled, store, "larger")
    assert (one["x_px"], one["y_px"]) == pytest.approx((8.5, 5.5))  # (16 - 1) / 2 + 1, - 2
    assert (larger["x_px"], larger["y_px"]) == pytest.approx((16, 13))
    assert (one["predicted_ra_deg"], one["predicted_dec_deg"], one["ra_deg"]) == (150.1, 2.1, 150.0)


def test_the_surveys_own_columns_follow_and_never_replace_ours(tmp_path, store):
    own = {
        "grade": "good",
        "RA_deg": 1.5,
        "mag": 20.5,
        "Comments": "theirs",
        "cat_grade": 3,
        "tab\tname": True,
        "": 7,
    }
    campaign = filled_campaign(tmp_path / "campaign", ["one"], columns=own)
    table = catalogue_rows(campaign, store)
    added = table.column_names[len(CATALOGUE_COLUMNS) :]
    assert added == ["cat_grade", "cat_RA_deg", "mag", "cat_Comments", "cat_cat_grade", "tab_name", "column"]
    assert [table[name][0].as_py() for name in added] == list(own.values())


def test_own_columns_of_any_type_become_numbers_or_text(tmp_path, store):
    own = {"list": [1, None], "day": datetime.date(2026, 1, 31), "bytes": b"\xff", "none": None}
    campaign = filled_campaign(tmp_path / "campaign", ["one"], columns=own)
    row = _row(campaign, store)
    assert (row["list"], row["day"], row["none"]) == ("[1, null]", "2026-01-31", None)
    assert isinstance(row["bytes"], str)


def test_votes_can_be_exported_after_the_images_are_gone(filled, store):
    store.add(a_vote(object_id="one"))
    filled.cutouts_path.rename(filled.path / "moved.zarr")
    assert _row(filled, store)["grade"] == "A"


def test_a_vote_is_one_row_with_everything_in_it(filled, store):
    first = a_vote(**{**EVERYTHING, "object_id": "one"})
    undo = a_vote(object_id="one", grade=None, supersedes=first.vote_id)
    other = a_vote(object_id="two", inspector="Bo", grade="B")
    for vote in (first, undo, other):
        store.add(vote)
    rows = vote_rows(store).to_pylist()
    assert [(row["kind"], row["is_current"]) for row in rows] == [
        ("grade", False),
        ("undo", False),
        ("grade", True),
    ]
    given = first.as_dict()
    assert rows[0]["tags"] == "quad;red_ring"
    assert json.loads(rows[0]["marks"]) == given["marks"]
    same = [name for name in given if name not in ("tags", "marks")]
    assert {name: rows[0][name] for name in same} == {name: given[name] for name in same}
    assert rows[2]["comment"] is None
    assert vote_rows(store, object_ids=["two"])["vote_id"].to_pylist() == [other.vote_id]


@pytest.mark.parametrize("column", [*CATALOGUE_COLUMNS, *VOTE_COLUMNS], ids=lambda column: column.name)
def test_units_and_ucds_are_words_of_the_standards(column):
    u.Unit(column.unit, format="vounit", parse_strict="raise")
    assert ucd_words.check_ucd(column.ucd, check_controlled_vocabulary=True)
    assert column.description[:1]


def test_a_free_name_differs_in_more_than_capitals():
    assert free_name("mag", ["MAG", "cat_mag", "cat_mag_2"]) == "cat_mag_3"


def test_a_hundred_thousand_objects_have_a_row_each(campaign, store):
    blank = StoredObject("", 1.0, 2.0, "flux", ("VIS",), (24.6,), None, "", "none", 0, (), (), {})
    table = ObjectTable.load(campaign.catalogue_path).with_rows([blank]).table
    ids = pa.array([f"object-{n}" for n in range(100_000)])
    rows = table.take([0] * len(ids)).set_column(0, "object_id", ids)
    ObjectTable(rows).save(campaign.catalogue_path)
    add_scores(campaign, {"object-99999": 1.0})
    assert catalogue_rows(campaign, store).num_rows == 100_000


def test_the_final_grade_of_a_discussion_is_the_grade_and_the_votes_stay_beside_it(filled, store):
    for inspector, grade in (("Ana", "A"), ("Bo", "A"), ("Cy", "X")):
        store.add(a_vote(object_id="one", inspector=inspector, grade=grade))
    inspections = InspectionStore(store.engine)
    items = [("one", None), ("two", "lens"), ("three", "nonlens")]
    session = inspections.open(settings_from({"title": "Best"}), items, by="Lea")
    assert _row(filled, store)["grade"] == "B"
    inspections.decide(session.session_id, "one", "A", "first", by="Lea")
    inspections.decide(session.session_id, "one", "C", "no counter-image", by="Lea")
    row = _row(filled, store)
    assert (row["grade"], row["final_grade"], row["final_comment"]) == ("C", "C", "no counter-image")
    assert (row["mean_score"], row["n_a"], row["known"]) == (pytest.approx(2.0), 2, None)
    other = _row(filled, store, "two")
    assert (other["grade"], other["final_grade"], other["known"]) == (None, None, "lens")
    assert _row(filled, store, "three")["known"] == "nonlens"
