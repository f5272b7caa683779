"""Selections: kept as they were, drawn at random by a seed, and what becomes of them: queues, sessions, exports."""

import csv
import io

import pytest

from data.errors import FilterError
from data.selections import keep_selection, sample_of, selected_ids, selections_in
from tests.fixtures.groups import TEAM, open_session, queue_of, signed_in, team_server
from tests.fixtures.servers import API, running_server
from tests.test_api_queue import ids, queue
from tests.test_queue_filter import IDS, measured_campaign


def test_a_selection_stays_as_it_was_made(tmp_path):
    folder = tmp_path / "selections"
    kept = keep_selection(
        folder, ["b", "a"], title="Best", condition="p_lens > 0.9", drawn_from=9, by="Lea", seed=3
    )
    again, object_ids = selected_ids(folder, kept.selection_id)
    assert again == kept
    assert object_ids == ["b", "a"]
    assert (kept.number, kept.drawn_from, kept.seed, kept.by) == (2, 9, 3, "Lea")
    other = keep_selection(folder, ["c"], title="", condition="", drawn_from=1, by="Lea")
    assert {one.selection_id for one in selections_in(folder)} == {kept.selection_id, other.selection_id}
    assert selections_in(tmp_path / "nowhere") == []


def test_nothing_is_no_selection(tmp_path):
    with pytest.raises(FilterError, match="0 objects are selected"):
        keep_selection(tmp_path, [], title="", condition="", drawn_from=0, by="Lea")


def test_a_sample_is_that_of_its_seed_and_every_object_is_as_likely():
    assert sample_of(1000, 10, 5).tolist() == sample_of(1000, 10, 5).tolist()
    assert sample_of(1000, 10, 5).tolist() != sample_of(1000, 10, 6).tolist()
    assert sample_of(3, 10, 1).tolist() == [0, 1, 2]
    drawn = [place for seed in range(2000) for place in sample_of(5, 2, seed)]
    assert all(abs(drawn.count(place) / 2000 - 0.4) < 0.04 for place in range(5))


def test_what_a_filter_lets_through_is_kept_and_vetted_and_exported(tmp_path):
    with running_server(measured_campaign(tmp_path / "c")) as client:
        answer = client.post(f"{API}/selections", json={"filter": "p_lens > 0.1", "title": "Likely"})
        assert answer.status_code == 201, answer.text
        kept = answer.json()
        assert (kept["number"], kept["drawn_from"], kept["title"], kept["by"]) == (3, 3, "Likely", "Ada")
        assert ids(queue(client, selection=kept["selection_id"])) == ["d", "b", "c"]
        text = client.get(f"{API}/export.csv", params={"selection": kept["selection_id"]}).text
        assert {row["object_id"] for row in csv.DictReader(io.StringIO(text))} == {"b", "c", "d"}
        assert client.get(f"{API}/export.csv", params={"selection": "0" * 12}).status_code == 422
        first = client.post(f"{API}/selections", json={"filter": "p_lens > 0.1", "number": 2}).json()
        assert ids(queue(client, selection=first["selection_id"])) == ["d", "b"]
        drawn = client.post(f"{API}/selections", json={"number": 4, "seed": 7}).json()
        assert (drawn["number"], drawn["drawn_from"], drawn["seed"]) == (4, 6, 7)
        assert len(client.get(f"{API}/selections").json()["selections"]) == 3
        for wrong in ({"filter": "p_lens >"}, {"filter": "p_lens > 2"}, {"number": 0}, {"model": "nobody"}):
            assert client.post(f"{API}/selections", json=wrong).status_code == 422


def test_leads_open_sessions_of_selections_and_inspectors_keep_none(tmp_path):
    with team_server(measured_campaign(tmp_path / "c"), TEAM) as client:
        lea, ivo = signed_in(client, "Lea"), signed_in(client, "Ivo")
        assert ivo.post(f"{API}/selections", json={"filter": "p_lens > 0.1"}).status_code == 403
        kept = lea.post(f"{API}/selections", json={"filter": "mag_i < 22"}).json()
        values = {"settings": {"title": "Bright"}, "selection": {"selection": kept["selection_id"]}}
        opened = lea.post(f"{API}/sessions", json=values)
        assert opened.status_code == 201, opened.text
        assert len(queue_of(ivo, opened.json()["session_id"])["items"]) == 2
        values["selection"] = {"selection": "../../etc"}
        assert lea.post(f"{API}/sessions", json=values).status_code == 422


def test_a_lead_who_is_in_an_open_session_can_count_nothing_by_score(tmp_path):
    with team_server(measured_campaign(tmp_path / "c"), TEAM) as client:
        lea = signed_in(client, "Lea")
        open_session(lea, IDS[:3])
        told = 'object_id = "a" and p_lens > 0.5'
        assert lea.post(f"{API}/selections", json={"filter": told}).status_code == 403
        assert lea.get("/explore").status_code == 403


def test_a_blind_first_campaign_keeps_no_selection_by_score(tmp_path):
    with running_server(measured_campaign(tmp_path / "c", reveal="after-grade")) as client:
        assert client.post(f"{API}/selections", json={"filter": "p_lens > 0.5"}).status_code == 403
        assert client.post(f"{API}/selections", json={"filter": "class = 'lens'"}).status_code == 403
        assert client.post(f"{API}/selections", json={"filter": "mag_i > 20"}).status_code == 201
