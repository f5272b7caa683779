"""Group sessions over HTTP: who gets what, blind, until it is decided; repeats and known objects unmarked."""

import time
import uuid
from collections import Counter
from urllib.parse import quote

import pytest

from dashboard.inspection_board import LEASE_S
from data.inspection_store import Item
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.groups import TEAM, open_session, queue_of, signed_in, team_server
from tests.fixtures.servers import API, object_url

IDS = [f"obj-{n}" for n in range(30)]
KNOWN = {f"sim_lens_{n}": "lens" for n in range(3)} | {f"sim_ring_{n}": "nonlens" for n in range(3)}


@pytest.fixture
def client(tmp_path):
    campaign = filled_campaign(tmp_path / "c", [*IDS, *KNOWN], size_px=4)
    add_scores(campaign, dict.fromkeys([*IDS, *KNOWN], 3.21))
    with team_server(campaign, TEAM | {f"Inspector {n}": "inspector" for n in range(4)}) as client:
        yield client


def grade(client, item, session_id, grade="B", **fields):
    vote = {
        "vote_id": str(uuid.uuid4()),
        "object_id": item["object_id"],
        "planes_hash": item["planes_hash"],
        "session_id": session_id,
        "phase": "blind",
        "grade": grade,
    }
    return client.post(f"{API}/votes", json=vote | fields)


def grade_all(client, session_id, choose=lambda item: "B", most=200):
    done = []
    while len(done) < most and (items := queue_of(client, session_id)["items"]):
        for item in items:
            answer = grade(client, item, session_id, choose(item))
            assert answer.status_code == 201, answer.text
            done.append(item)
    return done


def test_each_object_comes_to_as_many_inspectors_as_the_quorum_needs(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, quorum=2)
    people = [signed_in(client, name) for name in ("Ivo", "Ines", "Inspector 0", "Inspector 1")]
    waiting = True
    while waiting:
        waiting = False
        for person in people:
            items = queue_of(person, session_id)["items"][:3]
            waiting = waiting or bool(items)
            for item in items:
                assert grade(person, item, session_id).status_code == 201
    rows = signed_in(client, "Ada").get(f"{API}/sessions/{session_id}/results").json()["rows"]
    assert rows == []  # Ada is in it and has graded nothing
    lead = signed_in(client, "Lea")
    assert lead.get(f"{API}/sessions/{session_id}").json()["progress"] == {
        "objects": 30,
        "decided": 30,
        "grades": 60,
        "people": 4,
    }
    lead.post(f"{API}/sessions/{session_id}/step", json={"step": "close"})
    rows = lead.get(f"{API}/sessions/{session_id}/results").json()["rows"]
    assert Counter(row["n_votes"] for row in rows) == {2: 30}


def test_nobody_is_given_what_is_before_others_until_they_leave(client):
    session_id = open_session(signed_in(client, "Lea"), IDS[:2], quorum=1)
    first, second = signed_in(client, "Ivo"), signed_in(client, "Ines")
    assert len(queue_of(first, session_id)["items"]) == 2
    page = queue_of(second, session_id)
    assert (page["items"], page["waiting"], page["total"]) == ([], True, 2)
    board = client.app.state.lensvet.inspections.board(session_id)
    later = time.monotonic() + LEASE_S
    assert board.next_for("Ines", moment=later - 60) == []
    assert len(board.next_for("Ines", moment=later + 1)) == 2


def test_orders_differ_between_people_and_are_the_same_again(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, seed=7)
    board = client.app.state.lensvet.inspections.board(session_id)
    orders = {name: tuple(board._inspector(name).order) for name in ("Ivo", "Ines")}
    assert orders["Ivo"] != orders["Ines"]
    again = type(board)(board.inspection, board.items)
    assert tuple(again._inspector("Ivo").order) == orders["Ivo"]


def test_an_inspector_learns_nothing_of_an_object_before_the_grade(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, known=KNOWN, known_share=0.2)
    ivo, ines = signed_in(client, "Ivo"), signed_in(client, "Ines")
    for item in queue_of(ines, session_id)["items"]:
        assert grade(ines, item, session_id, comment="I saw an arc").status_code == 201
    for item in queue_of(ivo, session_id)["items"]:
        object_id = item["object_id"]
        told = ivo.get(object_url(object_id))
        assert told.status_code == 200
        assert told.json()["scores"] is None
        assert told.json()["other_votes"] is None
        planes = ivo.get(object_url(object_id, "planes")).content
        answers = [told.content, planes, ivo.get(f"{API}/votes", params={"session_id": session_id}).content]
        for path in (
            object_url(object_id, "maps", MODEL, "evidence"),
            f"{API}/sessions/{session_id}/results",
        ):
            refused = ivo.get(path)
            assert refused.status_code == 403, path
            answers.append(refused.content)
        refused = ivo.get(f"{API}/sessions/{session_id}/discussion", params={"object_id": object_id})
        assert refused.status_code == 403
        for secret in (b"3.21", b"0.9612", b"obj-", b"sim_", b"saw an arc", b"150.0", b"0.4242", b"Ines"):
            assert not any(secret in answer for answer in answers), secret


def test_after_the_grade_all_is_told_and_a_second_grade_is_a_row_of_its_own(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    first = grade(ivo, item, session_id, "C").json()["vote"]
    told = ivo.get(object_url(item["object_id"])).json()
    assert told["name"] in IDS
    assert told["scores"][0]["logit"] == pytest.approx(3.21)
    again = grade(ivo, item, session_id, "A", phase="revealed", supersedes=first["vote_id"])
    assert again.status_code == 201
    board = client.app.state.lensvet.inspections.board(session_id)
    assert list(board.counts.sum(axis=0)) == [0, 0, 1, 0]  # the blind grade is the one that counts
    mine = ivo.get(f"{API}/votes", params={"session_id": session_id}).json()["votes"]
    assert [vote["grade"] for vote in mine] == ["A", "C"]
    assert {vote["object_id"] for vote in mine} == {item["object_id"]}


def test_a_blind_grade_after_the_reveal_is_refused(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    assert grade(ivo, item, session_id, "A", phase="revealed").status_code == 409
    vote = grade(ivo, item, session_id, "A").json()["vote"]
    ivo.get(object_url(item["object_id"]))
    assert grade(ivo, item, session_id, "X", supersedes=vote["vote_id"]).status_code == 409


def test_who_takes_a_blind_grade_back_after_the_reveal_gives_none_that_counts(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    vote = grade(ivo, item, session_id, "C").json()["vote"]
    ivo.get(object_url(item["object_id"]))
    assert grade(ivo, item, session_id, None, supersedes=vote["vote_id"]).status_code == 201
    assert grade(ivo, item, session_id, "A").status_code == 409
    assert grade(ivo, item, session_id, "A", phase="revealed").status_code == 201
    assert int(client.app.state.lensvet.inspections.board(session_id).counts.sum()) == 0


def test_a_vote_under_the_real_id_cannot_slip_into_a_session(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    grade(ivo, item, session_id, "C")
    name = ivo.get(object_url(item["object_id"])).json()["name"]
    for forged in (session_id, f"{session_id}:repeat"):
        vote = {"vote_id": str(uuid.uuid4()), "object_id": name, "phase": "blind", "grade": "A"}
        assert ivo.post(f"{API}/votes", json=vote | {"session_id": forged}).status_code == 409
    assert list(client.app.state.lensvet.inspections.board(session_id).counts.sum(axis=0)) == [0, 0, 1, 0]


def test_the_real_id_opens_nothing_that_the_ticket_withholds(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    queue_of(ivo, session_id)
    for object_id in IDS:
        for more in ([], ["planes"], ["maps", MODEL, "evidence"]):
            assert ivo.get(object_url(object_id, *more)).status_code == 403
    assert {item["object_id"] for item in ivo.get(f"{API}/queue").json()["items"]} == set(KNOWN)
    assert ivo.get(f"{API}/queue", params={"order": "p_lens"}).status_code == 403
    assert ivo.get(f"{API}/export.csv").status_code == 403
    assert ivo.get("/why").status_code == 403


def test_a_policy_of_after_close_withholds_until_the_end(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, IDS, reveal="after-close")
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    assert grade(ivo, item, session_id).status_code == 201
    assert ivo.get(object_url(item["object_id"])).json()["scores"] is None
    lead.post(f"{API}/sessions/{session_id}/step", json={"step": "close"})
    assert ivo.get(object_url(item["object_id"])).json()["scores"] is not None


def test_a_ticket_is_worth_nothing_to_another_person(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo, ines = signed_in(client, "Ivo"), signed_in(client, "Ines")
    item = queue_of(ivo, session_id)["items"][0]
    assert ines.get(object_url(item["object_id"])).status_code == 404
    assert grade(ines, item, session_id).status_code == 404
    made_up = {**item, "object_id": "a" * 26}
    assert grade(ivo, made_up, session_id).status_code == 404


def test_repeats_come_back_unmarked_and_are_no_second_opinion(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, repeats=0.5)
    ivo = signed_in(client, "Ivo")
    done = grade_all(client=ivo, session_id=session_id)
    board = client.app.state.lensvet.inspections.board(session_id)
    n_repeats = sum(look for _, look in board.decisions_of("Ivo"))
    assert len(done) == 30 + n_repeats
    assert 5 <= n_repeats <= 25
    assert (
        len({item["object_id"] for item in done}) == len({item["planes_hash"] for item in done}) == len(done)
    )
    assert int(board.counts.sum()) == 30


def test_known_objects_come_to_everybody_and_count_for_nobody(client):
    session_id = open_session(signed_in(client, "Lea"), IDS[:6], quorum=1, known=KNOWN, known_share=0.5)
    for name in ("Ivo", "Ines"):
        grade_all(signed_in(client, name), session_id)
    board = client.app.state.lensvet.inspections.board(session_id)
    assert {int(n) for n in board.counts[board.is_known].sum(axis=1)} == {2}
    assert {int(n) for n in board.counts[~board.is_known].sum(axis=1)} == {1}
    assert board.progress().objects == 6


def test_training_tells_at_once_what_known_objects_are(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, [], known=KNOWN, known_share=1, feedback=True)
    ivo = signed_in(client, "Ivo")
    for item in queue_of(ivo, session_id)["items"]:
        assert ivo.get(object_url(item["object_id"])).json()["truth"] is None
        grade(ivo, item, session_id)
        told = ivo.get(object_url(item["object_id"])).json()
        assert told["truth"] == {"class": KNOWN[told["name"]]}
    plain = open_session(lead, IDS[:3], known=KNOWN, known_share=0.5)
    for item in queue_of(ivo, plain)["items"]:
        grade(ivo, item, plain)
        assert ivo.get(object_url(item["object_id"])).json()["truth"] is None


def test_an_undo_brings_the_object_back(client):
    session_id = open_session(signed_in(client, "Lea"), IDS[:3])
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    vote = grade(ivo, item, session_id).json()["vote"]
    assert item not in queue_of(ivo, session_id)["items"]
    assert grade(ivo, item, session_id, None, supersedes=vote["vote_id"]).status_code == 201
    assert item["object_id"] in [one["object_id"] for one in queue_of(ivo, session_id)["items"]]
    assert client.app.state.lensvet.inspections.board(session_id).counts.sum() == 0


def test_a_paused_session_gives_nothing_out_and_loses_nothing(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, IDS)
    ivo = signed_in(client, "Ivo")
    items = queue_of(ivo, session_id)["items"]
    assert lead.post(f"{API}/sessions/{session_id}/step", json={"step": "pause"}).status_code == 200
    assert queue_of(ivo, session_id)["items"] == []
    assert grade(ivo, items[0], session_id).status_code == 201  # it was on the way
    lead.post(f"{API}/sessions/{session_id}/step", json={"step": "resume"})
    assert queue_of(ivo, session_id)["items"]
    lead.post(f"{API}/sessions/{session_id}/step", json={"step": "close"})
    assert lead.post(f"{API}/sessions/{session_id}/step", json={"step": "pause"}).status_code == 422
    assert lead.post(f"{API}/sessions/{session_id}/step", json={"step": "reopen"}).json()["state"] == "open"


def test_a_board_made_anew_from_the_votes_is_the_same(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, repeats=0.3, known=KNOWN, known_share=0.2)
    for name in ("Ivo", "Ines"):
        done = grade_all(signed_in(client, name), session_id, most=25)
        last = signed_in(client, name)
        vote = last.get(f"{API}/votes", params={"session_id": session_id, "limit": 1}).json()["votes"][0]
        grade(last, done[-1], session_id, None, supersedes=vote["vote_id"])
    inspections = client.app.state.lensvet.inspections
    board = inspections.board(session_id)
    inspections._boards.clear()
    again = inspections.board(session_id)
    assert again is not board
    assert (again.counts == board.counts).all()
    for name in ("Ivo", "Ines"):
        assert again.decisions_of(name) == board.decisions_of(name)
    assert again.progress() == board.progress()


def test_with_early_retirement_skilled_inspectors_decide_sooner(client):
    """Three who know all known objects: their A makes a lens of it; with the same grades and no skill it is open."""
    lead = signed_in(client, "Lea")
    settings = {"quorum": 6, "early": True, "members": ["Ivo", "Ines", "Inspector 0"]}
    session_id = open_session(lead, IDS[:2], known=KNOWN, known_share=0.75, **settings)
    board = client.app.state.lensvet.inspections.board(session_id)
    place = board.place_of["obj-0"]
    for name in ("Ivo", "Ines", "Inspector 0"):
        board.record(name, place, 0, "A")
    assert not board.decided()[place]
    for name in ("Ivo", "Ines", "Inspector 0"):
        for _ in range(12):  # as if there were many more of them
            board.items += tuple(Item(f"{i} {len(board.items)}", kind) for i, kind in KNOWN.items())
        skilled = board._inspector(name)
        known = [n for n, item in enumerate(board.items) if item.known]
        skilled.grades |= {n: "A" if board.items[n].known == "lens" else "X" for n in known}
    board.record("Ines", place, 0, "A")
    assert board.decided()[place]


def test_the_same_vote_again_is_no_second_vote(client):
    session_id = open_session(signed_in(client, "Lea"), IDS)
    ivo = signed_in(client, "Ivo")
    item = queue_of(ivo, session_id)["items"][0]
    vote_id = str(uuid.uuid4())
    assert grade(ivo, item, session_id, vote_id=vote_id).status_code == 201
    assert grade(ivo, item, session_id, vote_id=vote_id).status_code == 200
    assert grade(ivo, item, session_id, "A", vote_id=vote_id).status_code == 409
    assert int(client.app.state.lensvet.inspections.board(session_id).counts.sum()) == 1


def test_somebody_who_is_no_member_is_kept_out(client):
    session_id = open_session(signed_in(client, "Lea"), IDS, members=["Ines"])
    ivo = signed_in(client, "Ivo")
    assert ivo.get(f"{API}/queue", params={"session_id": session_id}).status_code == 403
    assert ivo.get(f"{API}/sessions").json()["sessions"] == []
    assert ivo.get(f"{API}/sessions/{session_id}").status_code == 403
    assert len(queue_of(signed_in(client, "Ines"), session_id)["items"]) > 0


def test_presented_candidates_reach_those_who_follow_and_votes_wait_for_the_rounds_end(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, IDS)
    ivo, ines = signed_in(client, "Ivo"), signed_in(client, "Ines")
    address = f"{API}/sessions/{session_id}"
    mine = queue_of(lead, session_id)["items"][0]
    shown = {"object_id": mine["object_id"], "view": {"stretch": "log"}, "voting": True}
    assert lead.post(f"{address}/present", json=shown).status_code == 200
    followed = [one.get(f"{address}/presented", params={"stream": False}).json() for one in (ivo, ines)]
    assert len({told["object_id"] for told in followed}) == 2  # tickets of their own
    assert followed[0]["view"] == {"stretch": "log"}
    grade(ivo, followed[0], session_id, "A")
    grade(ines, followed[1], session_id, "X")
    told = ivo.get(f"{address}/presented", params={"stream": False}).json()
    assert (told["votes"], told["n_votes"]) == (None, 2)
    assert ivo.get(object_url(followed[0]["object_id"])).json()["other_votes"] is None
    lead.post(f"{address}/present", json=shown | {"voting": False})
    told = ivo.get(f"{address}/presented", params={"stream": False}).json()
    assert told["votes"] == [{"inspector": "Ines", "grade": "X"}, {"inspector": "Ivo", "grade": "A"}]
    assert len(ivo.get(object_url(followed[0]["object_id"])).json()["other_votes"]) == 1
    lead.post(f"{address}/present", json={"object_id": None})
    assert ivo.get(f"{address}/presented", params={"stream": False}).json()["object_id"] is None


def test_those_who_follow_hear_what_comes_next_by_tickets_of_their_own(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, IDS)
    address = f"{API}/sessions/{session_id}"
    first, *later = [item["object_id"] for item in queue_of(lead, session_id)["items"][:3]]
    assert lead.post(f"{address}/present", json={"object_id": first, "ahead": later}).status_code == 200
    ivo = signed_in(client, "Ivo")
    coming = ivo.get(f"{address}/presented", params={"stream": False}).json()["ahead"]
    assert len(coming) == 2
    assert not {entry["object_id"] for entry in coming} & {first, *later}
    assert grade(ivo, coming[0], session_id).status_code == 201
    lead.post(f"{address}/present", json={"object_id": later[0]})
    now = ivo.get(f"{address}/presented", params={"stream": False}).json()
    assert (now["object_id"], now["ahead"]) == (coming[0]["object_id"], [])
    for ahead in (["no such object"], later * 3):
        assert lead.post(f"{address}/present", json={"object_id": first, "ahead": ahead}).status_code >= 400


def test_disputed_objects_are_discussed_and_get_a_final_grade_beside_the_votes(client):
    lead = signed_in(client, "Lea")
    session_id = open_session(lead, IDS[:2], quorum=2, members=["Ivo", "Ines"])
    for name, given in (("Ivo", "A"), ("Ines", "X")):
        grade_all(signed_in(client, name), session_id, lambda _, given=given: given)
    address = f"{API}/sessions/{session_id}"
    rows = lead.get(f"{address}/results", params={"disputed": True}).json()["rows"]
    assert {row["spread"] for row in rows} == {3}
    said = {"object_id": rows[0]["object_id"], "comment": "=HYPERLINK(1)"}
    assert lead.post(f"{address}/discussion", json=said).status_code == 201
    assert lead.post(f"{address}/final", json={**said, "grade": "B"}).status_code == 201
    assert lead.post(f"{address}/final", json={**said, "grade": "Z"}).status_code == 422
    row = lead.get(f"{address}/results").json()["rows"][0]
    assert (row["final_grade"], row["grade"], row["n_votes"]) == ("B", "B", 2)
    assert "'=HYPERLINK" in lead.get(f"{address}/results", params={"format": "csv"}).text
    told = lead.get(f"{address}/discussion", params={"object_id": rows[0]["object_id"]}).json()
    assert (told["final"]["grade"], told["said"][0]["comment"]) == ("B", "=HYPERLINK(1)")


def test_ids_in_addresses_are_quoted(client):
    lead = signed_in(client, "Lea")
    assert lead.get(f"{API}/sessions/{quote('no such', safe='')}").status_code == 422
