"""Votes reach the campaign and the inspector that the page showed, or stay in the browser."""

import uuid

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard.blindness import is_measured, is_truth
from data.database import without_password
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.servers import API, as_inspector, object_url, running_server


def a_vote(**fields):
    return {"vote_id": str(uuid.uuid4()), "object_id": "a", "phase": "blind", "grade": "A"} | fields


def test_a_vote_meant_for_another_campaign_or_inspector_is_not_booked(tmp_path):
    with running_server(filled_campaign(tmp_path / "c", ["a"])) as client:
        mine = client.get(f"{API}/campaign").json()["id"]
        assert str(tmp_path) not in mine
        for meant in ({"campaign": "other"}, {"campaign": mine, "inspector": "Bob"}):
            answer = client.post(f"{API}/votes", json=a_vote(), params=meant)
            assert answer.status_code == 421
            assert "kept" in answer.json()["detail"]
        assert client.get(f"{API}/votes").json()["votes"] == []
        meant = {"campaign": mine, "inspector": "Ada"}
        assert client.post(f"{API}/votes", json=a_vote(), params=meant).status_code == 201
        assert client.post(f"{API}/votes", json=a_vote(object_id="a")).status_code == 201


@pytest.mark.parametrize(
    "column",
    [
        "CNN score",
        "lensProb",
        "plens",
        "grades",
        "probs",
        "quality",
        "confidence",
        "target",
        "y_true",
        "lens-grade",
    ],
)
def test_a_column_that_may_conclude_something_is_withheld_whatever_it_is_called(column):
    assert not is_measured(column)


@pytest.mark.parametrize("column", ["mag_vis", "MAG_AUTO", "i_mag", "z_phot", "flux_r", "tile", "snr"])
def test_a_measurement_may_be_seen_before_the_grade(column):
    assert is_measured(column)


def test_truth_is_known_in_any_case():
    assert all(map(is_truth, ("Class", "THETA_E_ARCSEC", "sim_arc_snr_vis")))


def test_hidden_columns_are_shown_before_the_grade_only_if_the_campaign_says_so(tmp_path):
    campaign = filled_campaign(
        tmp_path / "c", ["a"], reveal="after-grade", columns={"CNN score": 0.9, "survey run": 3}
    )
    text = campaign.settings_path.read_text(encoding="utf-8")
    campaign.settings_path.write_text(text.replace("shown_columns = []", 'shown_columns = ["survey run"]'))
    from data.campaign import open_campaign

    with running_server(open_campaign(campaign.path)) as client:
        assert client.get(object_url("a")).json()["columns"] == {"survey run": 3}


def test_what_an_export_showed_cannot_be_graded_blind_afterwards(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a", "b"], reveal="after-grade")
    add_scores(campaign, {"a": 1.0})
    with running_server(campaign) as client:
        first = a_vote()
        assert client.post(f"{API}/votes", json=first).status_code == 201
        assert "a" in client.get(f"{API}/export.csv").text
        again = a_vote(grade="X", supersedes=first["vote_id"])
        assert client.post(f"{API}/votes", json=again).status_code == 409
        assert client.post(f"{API}/votes", json=again | {"phase": "revealed"}).status_code == 201
        assert as_inspector(client, "Bob").post(f"{API}/votes", json=a_vote()).status_code == 201


def test_a_blind_queue_comes_in_no_order_that_a_catalogue_gives(tmp_path):
    with running_server(filled_campaign(tmp_path / "c", ["a"], reveal="after-grade")) as client:
        assert client.get(f"{API}/queue", params={"order": "catalogue"}).status_code == 403
        assert [order["name"] for order in client.get(f"{API}/campaign").json()["orders"]] == ["random"]


def test_damaged_planes_are_an_error_and_never_shown(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a"])
    [chunk] = campaign.cutouts_path.glob("*/VIS/c/0/0/0")
    whole = chunk.read_bytes()
    with running_server(campaign) as client:
        for damage in (whole[: len(whole) // 2], b"", bytes(len(whole)), None):
            chunk.unlink() if damage is None else chunk.write_bytes(damage)
            answer = client.get(object_url("a", "planes"))
            assert answer.status_code == 500
            assert "immutable" not in answer.headers.get("Cache-Control", "")
        chunk.write_bytes(whole)
        assert client.get(object_url("a", "planes")).status_code == 200


def test_a_score_part_seen_half_written_is_read_when_it_is_whole(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a", "b"])
    add_scores(campaign, {"a": 1.0})
    part = add_scores(campaign, {"b": 2.0})
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with running_server(campaign) as client:
        assert client.get(f"{API}/queue").json()["scored"] == 1
        part.write_bytes(whole)
        assert client.get(f"{API}/queue").json()["scored"] == 2
    assert np.isfinite(pq.read_table(part)["logit"].to_numpy()).all()


def test_a_password_in_a_query_is_not_printed():
    shown = without_password("postgresql+psycopg://u:pw@h/d?password=hunter2&sslpassword=k&host=/run")
    assert not any(secret in shown for secret in ("pw@", "hunter2", "sslpassword"))
    assert "%2Frun" in shown
