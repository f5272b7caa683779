"""`GET export.{format}`: the vetted catalogue as a download."""

import io
import time
import uuid

import pytest
from astropy.table import Table

from data.exports import FORMATS
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.servers import API, running_server

IDS = ["a", "=1+1", "объект <b>"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    campaign = filled_campaign(tmp_path_factory.mktemp("c") / "c", IDS, size_px=4)
    add_scores(campaign, {"a": 1.0})
    with running_server(campaign) as client:
        for object_id in IDS:
            vote = {"vote_id": str(uuid.uuid4()), "object_id": object_id, "phase": "blind", "grade": "A"}
            assert client.post(f"{API}/votes", json={**vote, "comment": '=2+2, "ж"'}).status_code == 201
        yield client


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_a_download_with_a_name(client, suffix: str):
    answer = client.get(f"{API}/export{suffix}")
    assert answer.status_code == 200, answer.text
    assert f'filename="test-campaign{suffix}"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) > 100


def test_a_catalogue_has_a_row_per_object_that_astropy_reads(client):
    table = Table.read(io.BytesIO(client.get(f"{API}/export.vot").content), format="votable")
    assert [str(name) for name in table["object_id"]] == IDS
    assert list(table["n_votes"]) == [1, 1, 1]


def test_votes_have_a_row_each(client):
    text = client.get(f"{API}/export.csv", params={"votes": True}).text
    assert text.count('"=2+2, ""ж"""') == 3


def test_a_spreadsheet_runs_nothing(client):
    text = client.get(f"{API}/export.csv", params={"spreadsheet": True}).text
    assert "'=1+1" in text


def test_the_columns_of_a_published_catalogue(client):
    header = client.get(f"{API}/export.csv", params={"preset": "q1"}).text.splitlines()[0]
    names = "object_id,right_ascension,declination,expert_score,grade,expert_total_votes,notes"
    assert header.replace('"', "") == names


@pytest.mark.parametrize(
    ("format", "parameters"),
    [
        ("xls", {}),
        ("csv/../../x", {}),
        ("csv", {"preset": "nothing"}),
        ("csv", {"preset": "q1", "votes": True}),
        ("fits", {"spreadsheet": True}),
        ("reg", {"votes": True}),
        ("csv", {"votes": "perhaps"}),
    ],
)
def test_what_cannot_be_written_is_one_sentence(client, format: str, parameters: dict[str, object]):
    answer = client.get(f"{API}/export.{format}", params=parameters)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"detail"}


def test_no_file_is_left_behind(client, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert client.get(f"{API}/export.csv").status_code == 200
    assert client.get(f"{API}/export.csv", params={"preset": "nothing"}).status_code == 422
    until = time.monotonic() + 10  # the server removes it once the answer has been sent
    while list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []
