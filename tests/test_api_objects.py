"""`GET objects/{object_id}`: hostile ids, what is shown, what is withheld until the grade."""

import contextlib
import http.client
import json
import uuid

import pyarrow as pa
import pytest

from dashboard.session import judged_from
from data.scores import SCORE_SCHEMA, write_part
from lensmodel.models import default_model
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.servers import API, as_inspector, object_url, running_server

HOSTILE_IDS = [
    "a/b",
    "a/planes",
    "a/maps/evidence-net/evidence",
    "../../etc/passwd",
    "a%2Fb",
    "100 %",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "=1+1",
    "line\nbreak\ttab",
    "объект №1 · 天体 · 🔭",
    "?a=b#c;d&e",
    '"quoted"',
    "x" * 10_000,
]
LONGEST_ID = "天" * 10_000


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    columns = {
        "mag": 20.5,
        "bad": float("nan"),
        "class": "lens",
        "theta_E_arcsec": 1.2,
        "sim_z": 0.5,
        "grade": "B",
    }
    campaign = filled_campaign(
        tmp_path_factory.mktemp("c") / "c", ["a", LONGEST_ID, *HOSTILE_IDS], columns=columns
    )
    add_scores(campaign, {"a": 2.0})
    with running_server(campaign) as client:
        yield client


@pytest.mark.parametrize("object_id", HOSTILE_IDS, ids=lambda text: repr(text[:20]))
def test_an_id_may_hold_anything(client, object_id: str):
    answer = client.get(object_url(object_id))
    assert answer.status_code == 200
    assert answer.json()["object_id"] == object_id
    planes = client.get(object_url(object_id, "planes"))
    assert planes.status_code == 200
    assert planes.headers["etag"] == f'"{answer.json()["planes_hash"]}"'


def test_an_id_of_ten_thousand_chinese_characters_is_found(client):
    # httpx refuses addresses beyond 64 kB; browsers send them.
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", object_url(LONGEST_ID))
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["object_id"] == LONGEST_ID


def test_slashes_that_were_not_encoded_are_understood_where_no_route_claims_them(client):
    assert client.get(f"{API}/objects/a/b").json()["object_id"] == "a/b"


@pytest.mark.parametrize("object_id", ["nobody", "../campaign.toml", "%00", "a\0b", "y" * 20_000])
def test_an_unknown_id_is_one_sentence_with_404(client, object_id: str):
    answer = client.get(object_url(object_id))
    assert answer.status_code == 404
    assert set(answer.json()) == {"detail"}
    assert len(answer.json()["detail"]) < 300


def test_an_address_that_is_not_utf8_is_refused(client):
    assert client.get(f"{API}/objects/%ff%fe").status_code == 422


def test_catalogue_columns_are_shown_without_nan_and_without_truth(client):
    assert client.get(object_url("a")).json()["columns"] == {"mag": 20.5, "bad": None, "grade": "B"}


def test_scores_carry_their_model(client):
    (score,) = client.get(object_url("a")).json()["scores"]
    assert score["model_version"] == MODEL
    assert score["logit"] == 2.0
    assert score["x_arcsec"] is None


def test_a_score_says_from_which_bands_it_was_made_where_some_were_missing(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["whole", "lacking"], size_px=4)
    version = default_model().version
    rows = [
        {"object_id": "whole", "logit": 1.0, "p_lens": 0.7},
        {"object_id": "lacking", "logit": 1.0, "p_lens": 0.7, "bands_missing": "Y,J,H"},
    ]
    write_part(campaign.scores_path(version), pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))
    with running_server(campaign) as client:
        for object_id, missing, words in (("whole", None, None), ("lacking", "Y,J,H", "VIS alone")):
            (score,) = client.get(object_url(object_id)).json()["scores"]
            assert (score["bands_missing"], score["judged_from"]) == (missing, words)


@pytest.mark.parametrize(
    ("missing", "bands", "words"),
    [
        (None, "VIS Y J H", None), ("Y,J,H", "VIS Y J H", "VIS alone"), ("VIS,Y,J", "VIS Y J H", "H alone"),
        ("H", "VIS Y J H", "without H"), ("VIS,H", "VIS Y J H", "without VIS, H"),
        ("Y,J,H", "", "without Y, J, H"),
    ],
)  # fmt: skip
def test_missing_bands_are_put_in_few_words(missing, bands, words):
    assert judged_from({"bands_missing": missing}, bands.split()) == words
    assert judged_from({}, bands.split()) is None  # a part from before there was the column


def test_truth_comes_with_ones_own_grade_and_goes_with_its_undo(client):
    ada = as_inspector(client, "Truth seeker")
    assert ada.get(object_url("a")).json()["truth"] is None
    vote = {"vote_id": str(uuid.uuid4()), "object_id": "a", "phase": "revealed", "grade": "A"}
    ada.post(f"{API}/votes", json=vote)
    truth = ada.get(object_url("a")).json()["truth"]
    assert truth == {"class": "lens", "theta_E_arcsec": 1.2, "sim_z": 0.5}
    assert client.get(object_url("a")).json()["truth"] is None
    undo = {**vote, "vote_id": str(uuid.uuid4()), "grade": None, "supersedes": vote["vote_id"]}
    ada.post(f"{API}/votes", json=undo)
    assert ada.get(object_url("a")).json()["truth"] is None


def test_votes_are_split_into_ones_own_and_others(client):
    bo = as_inspector(client, "Bo")
    vote = {"vote_id": str(uuid.uuid4()), "object_id": "a/b", "phase": "blind", "grade": "C"}
    bo.post(f"{API}/votes", json=vote)
    assert [v["grade"] for v in bo.get(object_url("a/b")).json()["my_votes"]] == ["C"]
    ada = client.get(object_url("a/b")).json()
    assert ada["my_votes"] == []
    assert [v["inspector"] for v in ada["other_votes"]] == ["Bo"]
