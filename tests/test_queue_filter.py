"""`GET queue` with a filter or a selection: what it lets through, and what it must not tell before the grade."""

import time

import pyarrow as pa
import pytest

from dashboard import live_table
from data.objects import ObjectTable
from data.selections import keep_selection
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.groups import TEAM, open_session, signed_in, team_server
from tests.fixtures.servers import API, running_server
from tests.test_api_queue import ids, post, queue

IDS = list("abcdef")
LOGITS = {"a": -3.0, "b": 2.0, "c": 0.1, "d": 5.0}


def measured_campaign(folder, **settings):
    campaign = filled_campaign(folder, IDS, size_px=4, **settings)
    table = campaign.objects().table
    table = table.append_column("mag_i", pa.array([20.0, 21.0, 22.0, 23.0, 24.0, None]))
    table = table.append_column("expert_score", pa.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0]))
    table = table.append_column("class", pa.array(["lens", "ring"] * 3))
    ObjectTable(table).save(campaign.catalogue_path)
    add_scores(campaign, LOGITS)
    return campaign


@pytest.fixture
def client(tmp_path):
    campaign = measured_campaign(tmp_path / "c")
    with running_server(campaign) as client:
        client.campaign = campaign
        yield client


def refused(client, status: int, **parameters: object) -> str:
    answer = client.get(f"{API}/queue", params=parameters)
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


def test_a_filter_lets_through_what_meets_it_in_the_order_asked_for(client):
    page = queue(client, filter="mag_i < 23 and p_lens > 0.1", show="all")
    assert (ids(page), page["matching"], page["total"]) == (["b", "c"], 2, 6)
    assert ids(queue(client, filter="mag_i is missing or expert_score = 1", order="catalogue")) == [
        "a",
        "d",
        "f",
    ]
    assert ids(queue(client, filter="   ", order="catalogue")) == IDS


def test_what_was_graded_leaves_a_filtered_queue_as_it_leaves_the_whole(client):
    post(client, "b", "A")
    assert ids(queue(client, filter="p_lens > 0.1")) == ["d", "c"]
    assert ids(queue(client, filter="p_lens > 0.1", show="graded")) == ["b"]
    assert ids(queue(client, filter="grade = 'A'", show="all")) == ["b"]
    assert "b" not in ids(queue(client, filter="ungraded", show="all"))


def test_a_filter_that_is_not_understood_says_where(client):
    assert "expected a number" in refused(client, 422, filter="p_lens >")
    assert "no column 'nothing'" in refused(client, 422, filter="nothing = 1")
    assert refused(client, 422, filter="x" * 2001)


def test_what_an_object_really_is_cannot_be_filtered_by(client):
    for text in ("class = 'lens'", "CLASS != 'ring'", "mag_i > 0 or not class is missing"):
        assert "really is" in refused(client, 403, filter=text)


def test_new_scores_come_into_the_table_by_themselves(client, monkeypatch):
    monkeypatch.setattr(live_table, "REST_S", 0.0)
    assert ids(queue(client, filter="p_lens > 0.9")) == ["d"]
    add_scores(client.campaign, {"e": 9.0})
    deadline = time.monotonic() + 30
    while ids(queue(client, filter="p_lens > 0.9")) != ["e", "d"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_selection_is_a_queue(client):
    kept = keep_selection(
        client.campaign.selections_path,
        ["e", "b", "gone"],
        title="Best",
        condition="",
        drawn_from=3,
        by="Lea",
    )
    assert ids(queue(client, selection=kept.selection_id, order="catalogue")) == ["b", "e"]
    assert ids(queue(client, selection=kept.selection_id, filter="mag_i > 22")) == ["e"]
    for wrong in ("0" * 12, "../campaign", "x"):
        assert "no selection" in refused(client, 422, selection=wrong)


def test_before_the_blind_grade_only_measurements_can_be_filtered_by(tmp_path):
    campaign = measured_campaign(tmp_path / "c", reveal="after-grade")
    kept = keep_selection(
        campaign.selections_path, ["d"], title="Best", condition="p_lens > 0.9", drawn_from=1, by="Lea"
    )
    with running_server(campaign) as client:
        assert set(ids(queue(client, filter="mag_i > 22"))) == {"d", "e"}
        for text in (
            "p_lens > 0.5",
            "logit > 0",
            "where_why > 0",
            "expert_score > 1",
            "graded",
            "not (mean_score > 1)",
        ):
            assert "blind grade" in refused(client, 403, filter=text)
        assert "blind" in refused(client, 403, selection=kept.selection_id)


def test_in_an_open_session_nothing_can_be_filtered_by_score(tmp_path):
    campaign = measured_campaign(tmp_path / "c")
    with team_server(campaign, TEAM) as client:
        open_session(signed_in(client, "Lea"), IDS[:3])
        ivo = signed_in(client, "Ivo")
        assert ivo.get(f"{API}/queue", params={"filter": "p_lens > 0.5"}).status_code == 403
        assert ivo.get(f"{API}/queue", params={"filter": "mag_i > 0"}).status_code == 200
