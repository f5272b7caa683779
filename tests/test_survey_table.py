"""The survey table: what a campaign's objects and scores become, and what is asked of it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.campaign import open_campaign
from data.errors import FilterError
from data.filters import Every, parsed
from data.label_store import LabelStore
from data.objects import ObjectTable
from data.survey_table import (
    Order,
    SurveyTable,
    made_of,
    made_of_in,
    votes_table,
    write_survey_table,
)
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.votes import a_vote

IDS = ["one", "two", "three", "four"]
OTHER = "ou-66-89abcdef"


@pytest.fixture
def campaign(tmp_path):
    campaign = filled_campaign(tmp_path / "c", IDS, size_px=4)
    table = campaign.objects().table
    table = table.append_column("I_E", pa.array([21.0, np.nan, 23.0, None]))
    table = table.append_column("Grade", pa.array(["x", "", None, "y"]))
    table = table.append_column("tile", pa.array([10, 11, None, 13]))
    ObjectTable(table).save(campaign.catalogue_path)
    add_scores(campaign, {"one": -1.0, "two": 3.0, "three": 2.0})
    return campaign


@pytest.fixture
def table(campaign):
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    opened = SurveyTable(campaign.table_path(MODEL))
    yield opened
    opened.close()


def ids(table, text="", **options):
    return table.page(parsed(text), **options)["object_id"].to_pylist()


def test_the_most_lens_like_come_first_and_the_unscored_last(table):
    assert len(table) == 4
    assert ids(table) == ["two", "three", "one", "four"]
    assert table.rows(Every()).tolist() == [1, 2, 0, 3]


def test_filters_and_orders_are_those_of_the_columns(table):
    assert ids(table, "I_E < 22") == ["one"]
    assert ids(table, "I_E is missing") == ["two", "four"]
    assert ids(table, "cat_Grade = 'y'") == ["four"]
    assert ids(table, "cat_Grade is missing") == ["two", "three"]
    assert ids(table, order=Order("I_E")) == ["one", "three", "two", "four"]
    assert ids(table, order=Order("I_E", descending=True)) == ["three", "one", "two", "four"]
    assert ids(table, order=Order("tile"), offset=1, limit=2) == ["two", "four"]
    assert table.count(parsed("p_lens > 0.5")) == 2
    assert table.rows(parsed("scored"), order=Order("tile")).tolist() == [0, 1, 2]


def test_pages_one_after_the_other_give_every_object_once(table):
    for order in (None, Order("I_E"), Order("p_lens")):
        pages = [ids(table, order=order, offset=offset, limit=1) for offset in range(5)]
        assert pages[4] == []
        assert [one for page in pages for one in page] == ids(table, order=order)


def test_votes_are_joined_as_they_are_when_asked(table, tmp_path):
    with LabelStore.open(f"sqlite:///{tmp_path / 'labels.sqlite'}") as labels:
        for inspector, grade in (("Ana", "A"), ("Bo", "X")):
            labels.add(a_vote(object_id="three", inspector=inspector, grade=grade))
        votes = votes_table(labels)
        assert ids(table, "disputed", votes=votes) == ["three"]
        assert ids(table, "ungraded", votes=votes) == ["two", "one", "four"]
        assert ids(table, "grade = 'B'", votes=votes) == ["three"]
        assert ids(table, votes=votes, order=Order("mean_score"))[0] == "three"
        assert ids(table, "n_votes = 2 and p_lens > 0.5", votes=votes) == ["three"]


def test_votes_that_were_not_given_cannot_be_asked_about(table):
    with pytest.raises(FilterError, match="no column 'n_votes'"):
        table.count(parsed("ungraded"))
    with pytest.raises(FilterError, match="no column"):
        table.page(order=Order("secret; DROP"))


def test_two_models_are_compared(campaign):
    add_scores(campaign, {"one": 1.0, "two": 3.0}, model=OTHER)
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    rows = SurveyTable(campaign.table_path(MODEL)).page(
        columns=("object_id", "p_lens", f"p_lens_{OTHER}", "disagreement")
    )
    found = {row["object_id"]: row for row in rows.to_pylist()}
    assert found["one"]["disagreement"] == pytest.approx(1 / (1 + np.exp(-1)) - 1 / (1 + np.exp(1)))
    assert found["two"]["disagreement"] == 0
    assert found["three"][f"p_lens_{OTHER}"] is None


def test_columns_come_whole_as_numbers(table):
    columns = table.columns(["I_E", "p_lens", "tile"])
    assert columns["I_E"].dtype == np.float32
    np.testing.assert_array_equal(columns["I_E"], [np.nan, 23, 21, np.nan])
    assert np.isnan(columns["p_lens"][3])
    np.testing.assert_array_equal(table.columns(["tile"], every=2)["tile"], [11, 10])


def test_a_table_tells_what_it_is_made_of(campaign):
    path = campaign.table_path(MODEL)
    assert made_of_in(path) is None
    write_survey_table(campaign, MODEL, path)
    assert made_of_in(path) == made_of(campaign, MODEL)
    add_scores(campaign, {"four": 5.0})
    assert made_of_in(path) != made_of(campaign, MODEL)
    settings = campaign.settings_path.read_text() + "\nprior = 0.001\n"
    campaign.settings_path.write_text(settings)
    assert made_of(open_campaign(campaign.path), MODEL) != made_of(campaign, MODEL)


def test_a_campaign_without_scores_has_a_table_too(tmp_path):
    campaign = filled_campaign(tmp_path / "c", IDS, size_px=4)
    write_survey_table(campaign, "unscored", campaign.table_path("unscored"))
    table = SurveyTable(campaign.table_path("unscored"))
    assert ids(table) == IDS
    assert table.count(parsed("scored")) == 0


def test_names_with_quotes_and_a_folder_with_one_are_no_sql(tmp_path):
    campaign = filled_campaign(tmp_path / "it's", IDS, size_px=4)
    odd = 'x" FROM survey; --'
    table = campaign.objects().table.append_column(odd, pa.array([1.0, 2.0, 3.0, 4.0]))
    ObjectTable(table).save(campaign.catalogue_path)
    write_survey_table(campaign, "unscored", campaign.table_path("unscored"))
    opened = SurveyTable(campaign.table_path("unscored"))
    assert odd in opened.kinds
    assert ids(opened, f"`{odd}` > 2") == ["three", "four"]
    assert ids(opened, order=Order(odd, descending=True)) == ["four", "three", "two", "one"]
    assert pq.read_metadata(campaign.table_path("unscored")).num_rows == 4


def test_categories_are_columns_of_a_few_texts_and_what_votes_come_to(campaign, table):
    assert table.categories("cat_Grade") == ["x", "y"]
    assert table.categories("object_id", most=3) == []
    by_row = dict(zip(ids(table), table.codes("cat_Grade", ["x", "y"]).tolist(), strict=True))
    assert by_row == {"one": 1, "two": 0, "three": 0, "four": 2}
    with LabelStore.open(campaign.database_url) as labels:
        labels.add(a_vote(object_id="three", inspector="Ada", grade="B"))
        votes = votes_table(labels)
    assert table.categories("grade", votes) == ["B"]
    by_row = dict(zip(ids(table), table.codes("grade", ["A", "B"], votes).tolist(), strict=True))
    assert by_row == {"one": 0, "two": 0, "three": 2, "four": 0}
