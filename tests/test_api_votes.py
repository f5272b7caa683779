"""`POST votes`: once and only once, checked against what was shown."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.servers import API, as_inspector, object_url, running_server

IDS = [f"object {n}" for n in range(40)]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running_server(filled_campaign(tmp_path_factory.mktemp("c") / "c", IDS, size_px=4)) as client:
        yield client


def vote(object_id: str = IDS[0], **more: object) -> dict[str, object]:
    return {"vote_id": str(uuid.uuid4()), "object_id": object_id, "phase": "blind", "grade": "A", **more}


def post(client, values):
    return client.post(f"{API}/votes", json=values)


def test_a_vote_needs_four_fields(client):
    answer = post(client, vote())
    assert answer.status_code == 201
    stored = answer.json()["vote"]
    assert (stored["grade"], stored["inspector"], stored["comment"]) == ("A", "Ada", "")


def test_the_same_vote_again_is_200_and_stored_once(client):
    values = vote(comment="=1+1 <b>ярко</b>\n\"'", tags=["quad"], flag="false_positive")
    first, again = post(client, values), post(client, values)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    mine = client.get(f"{API}/votes", params={"limit": 1000}).json()["votes"]
    assert [v["comment"] for v in mine if v["vote_id"] == values["vote_id"]] == [values["comment"]]


def test_another_vote_under_the_same_id_is_409(client):
    values = vote()
    post(client, values)
    assert post(client, {**values, "grade": "X"}).status_code == 409
    assert post(as_inspector(client, "Bo"), values).status_code == 409


def test_planes_that_were_not_shown_are_409_and_nothing_is_stored(client):
    values = vote(IDS[3], planes_hash="0" * 32)
    answer = post(client, values)
    assert answer.status_code == 409
    assert "reload" in answer.json()["detail"]
    assert client.get(object_url(IDS[3])).json()["my_votes"] == []
    shown = client.get(object_url(IDS[3])).json()["planes_hash"]
    assert post(client, {**values, "planes_hash": shown}).status_code == 201


def test_a_vote_on_an_object_that_is_not_there_is_404(client):
    assert post(client, vote("nobody")).status_code == 404


@pytest.mark.parametrize(
    "broken",
    [
        {"grade": "D"},
        {"phase": "half"},
        {"vote_id": "1"},
        {"object_id": 5},
        {"marks": [{"kind": "lens", "x_px": "NaN", "y_px": 0}]},
        {"comment": "x" * 10_001},
        {"elapsed_ms": -1},
        {"unheard": 1},
        {"contaminant": ["spiral"]},
        {"inspector": 7},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_a_malformed_field_is_422_and_named(client, broken):
    answer = post(client, vote(**broken))
    expected = 201 if "inspector" in broken else 422
    assert answer.status_code == expected
    if expected == 422:
        assert next(iter(broken)) in answer.json()["detail"]


def test_nobody_votes_under_another_name_or_at_another_time(client):
    answer = post(client, vote(inspector="Bo", created_at="1999-01-01T00:00:00+00:00")).json()["vote"]
    assert answer["inspector"] == "Ada"
    assert not answer["created_at"].startswith("1999")


@pytest.mark.parametrize("missing", ["vote_id", "object_id", "phase", "grade"])
def test_a_missing_field_is_422_and_named(client, missing: str):
    values = vote()
    del values[missing]
    answer = post(client, values)
    assert answer.status_code == 422
    assert missing in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"text"', "1", "[" * 100_000, '{"grade": NaN}', "\xff"]
)
def test_a_body_that_is_no_json_object_is_422(client, body: str):
    answer = client.post(
        f"{API}/votes", content=body.encode("latin-1"), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert set(answer.json()) == {"detail"}


def test_a_comment_of_ten_thousand_characters_comes_back_as_it_was(client):
    text = "天<&'\"\n" * 1666
    assert post(client, vote(IDS[4], comment=text)).json()["vote"]["comment"] == text
    assert client.get(object_url(IDS[4])).json()["my_votes"][0]["comment"] == text


def test_an_undo_takes_back_the_grade_and_stays_in_the_history(client):
    given = vote(IDS[5])
    post(client, given)
    undo = vote(IDS[5], grade=None, supersedes=given["vote_id"])
    assert post(client, undo).status_code == 201
    history = client.get(f"{API}/votes", params={"object_id": IDS[5]}).json()["votes"]
    assert [v["grade"] for v in history] == [None, "A"]


def test_history_is_ones_own_newest_first(client):
    eve = as_inspector(client, "Eve")
    for object_id in IDS[6:9]:
        post(eve, vote(object_id))
    history = eve.get(f"{API}/votes", params={"limit": 2}).json()["votes"]
    assert [v["object_id"] for v in history] == [IDS[8], IDS[7]]


def test_many_browsers_repeating_at_once_store_each_vote_once(client):
    votes = [vote(IDS[n % 40]) for n in range(60)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda values: post(client, values).status_code, votes * 3))
    assert statuses.count(201) == 60
    assert statuses.count(200) == 120


def test_an_inspectors_name_keeps_any_script(client):
    zoe = as_inspector(client, "  Зоя 天 <b>; ")
    answer = post(zoe, vote(IDS[9])).json()["vote"]
    assert answer["inspector"] == "Зоя 天 <b>;"
    assert zoe.get(f"{API}/campaign").json()["inspector"] == "Зоя 天 <b>;"


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 201, None, 5, ["Ada"]])
def test_a_name_that_is_none_is_422(client, name):
    assert client.post(f"{API}/me", json={"name": name}).status_code == 422


def test_a_cookie_that_is_no_name_is_ignored(client):
    answer = client.get(f"{API}/campaign", headers={"Cookie": "lensvet_inspector=%ff%00"})
    assert answer.json()["inspector"] == "Ada"


def test_votes_of_a_page_are_stored_in_one_request_and_each_has_its_own_answer(client):
    good, again = vote(IDS[7], grade="X"), vote(IDS[8])
    post(client, again)
    answers = client.post(f"{API}/votes/batch", json=[good, again, vote("nobody"), vote(IDS[9])]).json()[
        "answers"
    ]
    assert [answer["status"] for answer in answers] == [201, 200, 404, 201]
    assert answers[0]["body"]["vote"]["vote_id"] == good["vote_id"]
    assert "no object 'nobody'" in answers[2]["body"]["detail"]


def test_votes_of_a_page_meant_for_somebody_else_are_not_stored(client):
    values = vote(IDS[11])
    answer = client.post(f"{API}/votes/batch", json=[values], params={"inspector": "Bo"})
    assert answer.status_code == 421
    mine = client.get(f"{API}/votes", params={"object_id": IDS[11]}).json()["votes"]
    assert values["vote_id"] not in {vote["vote_id"] for vote in mine}
