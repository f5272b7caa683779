"""`GET queue`: orders, paging, what is left to do, while scores arrive."""

import math
import uuid

import numpy as np
import pytest

from dashboard.queue_order import ORDERS
from data.scores import write_features
from lensmodel.models import default_model
from tests.fixtures.campaigns import MODEL, add_objects, add_scores, filled_campaign
from tests.fixtures.servers import API, as_inspector, running_server

SCORED_ORDERS = [name for name, order in ORDERS.items() if order.of_table is None]
LOGITS = {"a": -3.0, "b": 2.0, "c": 0.1, "d": 5.0}


@pytest.fixture
def client(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a", "b", "c", "d", "e", "f"], size_px=4)
    with running_server(campaign) as client:
        client.campaign = campaign
        yield client


def queue(client, status: int = 200, **parameters: object) -> dict:
    answer = client.get(f"{API}/queue", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


def ids(page: dict) -> list[str]:
    return [item["object_id"] for item in page["items"]]


def post(client, object_id: str, grade: str | None) -> None:
    values = {"vote_id": str(uuid.uuid4()), "object_id": object_id, "phase": "blind", "grade": grade}
    assert client.post(f"{API}/votes", json=values).status_code == 201


def test_before_any_score_the_queue_is_the_catalogue(client):
    page = queue(client)
    assert ids(page) == list("abcdef")
    assert (page["order"], page["model"], page["scored"], page["total"]) == ("p_lens", None, 0, 6)


def test_scored_objects_come_first_as_soon_as_they_are_scored(client):
    before = queue(client)["version"]
    add_scores(client.campaign, LOGITS)
    page = queue(client)
    assert ids(page) == ["d", "b", "c", "a", "e", "f"]
    assert [item["rank"] for item in page["items"]] == [1, 2, 3, 4, 5, 6]
    assert (page["scored"], page["model"]) == (4, MODEL)
    assert page["version"] != before
    assert queue(client)["version"] == page["version"]


def test_objects_that_arrive_later_are_listed(client):
    add_scores(client.campaign, LOGITS)
    queue(client)
    add_objects(client.campaign, ["g"], size_px=4)
    add_scores(client.campaign, {"g": 9.0})
    page = queue(client)
    assert ids(page)[0] == "g"
    assert page["total"] == 7


@pytest.mark.parametrize("order", SCORED_ORDERS)
def test_pages_of_every_order_join_without_gap_or_repeat(client, order: str):
    add_scores(client.campaign, LOGITS)
    joined = [i for offset in range(0, 6, 2) for i in ids(queue(client, order=order, offset=offset, limit=2))]
    assert joined == ids(queue(client, order=order, limit=100))
    assert sorted(joined) == list("abcdef")


def test_objects_on_which_models_disagree_come_first(client):
    add_scores(client.campaign, LOGITS)
    other = {"a": LOGITS["a"], "b": LOGITS["b"] + 0.1, "c": -LOGITS["c"] + 4.0}
    add_scores(client.campaign, other, model="ou-66-89abcdef")
    apart = {i: abs(1 / (1 + math.exp(-other[i])) - 1 / (1 + math.exp(-LOGITS[i]))) for i in other}
    page = queue(client, order="disagree", model=MODEL)
    assert ids(page)[:3] == sorted(apart, key=apart.get, reverse=True)
    assert sorted(ids(page)) == list("abcdef")
    offered = [order["name"] for order in client.get(f"{API}/campaign").json()["orders"]]
    assert "disagree" in offered
    assert "near" not in offered


def test_objects_like_those_graded_as_lenses_come_first(client):
    post(client, "e", "A")
    places = {name: float(place) for place, name in enumerate("abcdef")}
    features = np.array([[place, place**2, 1.0] for place in places.values()], np.float16)
    write_features(client.campaign.features_path(MODEL), list(places), features, name="part-000000.parquet")
    add_scores(client.campaign, LOGITS)
    page = queue(client, order="near", show="all")
    assert ids(page)[0] in ("d", "f")
    assert ids(page)[-2:] == ["a", "e"]  # the farthest, and the lens itself
    assert "near" in [order["name"] for order in client.get(f"{API}/campaign").json()["orders"]]


def test_an_order_that_is_not_there_says_what_it_needs(client):
    add_scores(client.campaign, LOGITS)
    assert "score with a second model" in queue(client, order="disagree", status=422)["detail"]
    assert "have no features beside them" in queue(client, order="near", status=422)["detail"]


def test_what_was_decided_leaves_what_is_to_do(client):
    post(client, "b", "A")
    post(client, "c", None)
    assert ids(queue(client)) == ["a", "d", "e", "f"]
    assert ids(queue(client, show="graded")) == ["b"]
    assert ids(queue(client, show="skipped")) == ["c"]
    page = queue(client, show="all")
    assert {item["object_id"]: item["grade"] for item in page["items"]}["b"] == "A"
    assert (page["graded"], page["skipped"], page["total"], page["matching"]) == (1, 1, 6, 6)
    assert queue(client)["matching"] == 4


def test_each_inspector_has_a_queue_of_his_or_her_own(client):
    post(client, "b", "A")
    assert "b" in ids(queue(as_inspector(client, "Bo")))


def test_a_shuffle_is_the_same_for_the_same_seed_and_ones_own_without_one(client):
    add_objects(client.campaign, [f"more {n}" for n in range(30)], size_px=4)
    assert queue(client, order="random", seed=1) == queue(client, order="random", seed=1)
    assert ids(queue(client, order="random", seed=1)) != ids(queue(client, order="random", seed=2))
    bo = as_inspector(client, "Bo")
    assert ids(queue(client, order="random")) != ids(queue(bo, order="random"))


def test_a_model_may_be_named(client):
    add_scores(client.campaign, LOGITS)
    add_scores(client.campaign, {"f": 1.0}, model="ou-66-aaaaaaaa")
    assert queue(client)["model"] == MODEL
    assert ids(queue(client, model="ou-66-aaaaaaaa"))[0] == "f"


@pytest.mark.parametrize(
    "parameters",
    [
        {"order": "best"},
        {"model": "../../etc"},
        {"offset": -1},
        {"limit": 0},
        {"limit": 100_000},
        {"show": "mine"},
        {"seed": -1},
        {"seed": "x"},
    ],
    ids=str,
)
def test_a_parameter_that_means_nothing_is_422(client, parameters):
    answer = client.get(f"{API}/queue", params=parameters)
    assert answer.status_code == 422
    assert set(answer.json()) == {"detail"}


def test_health_counts_objects_scores_and_votes(client):
    add_scores(client.campaign, {**LOGITS, "e": None})
    post(client, "a", "X")
    health = client.get(f"{API}/health").json()
    assert (health["status"], health["objects"], health["votes"]) == ("ok", 6, 1)
    assert health["scored"] == {MODEL: 5}


def test_the_campaign_names_every_choice_of_the_page(client):
    add_scores(client.campaign, LOGITS)
    campaign = client.get(f"{API}/campaign").json()
    assert campaign["bands"] == ["VIS", "Y", "J", "H"]
    assert campaign["composite"] == ["H", "J", "VIS"]
    assert [grade["id"] for grade in campaign["grades"]] == ["A", "B", "C", "X"]
    assert [order["name"] for order in campaign["orders"]] == SCORED_ORDERS
    assert [model["version"] for model in campaign["models"]] == [MODEL]
    assert {"name", "title", "shows", "cannot_say", "unit", "signed", "has_coarse"} == set(
        campaign["methods"][0]
    )


def test_the_campaign_names_the_methods_of_each_model_band_by_band(client):
    add_scores(client.campaign, LOGITS, model=default_model().version)
    campaign = client.get(f"{API}/campaign").json()
    (model,) = campaign["models"]
    titles = {method["name"]: method["title"] for method in campaign["methods"]}
    assert model["methods"][:3] == ["evidence", "grad-cam", "occlusion"]
    assert set(model["methods"]) <= set(titles)
    assert [titles[name] for name in model["methods"][-4:]] == [
        f"Occlusion in {band}" for band in default_model().bands
    ]


def test_pages_as_of_a_moment_stay_as_they_are_while_one_grades(client):
    post(client, "b", "A")
    moment = client.get(f"{API}/campaign").json()["now"]
    before = queue(client, as_of=moment, limit=2, offset=2)
    for object_id, grade in (("a", "X"), ("c", "C"), ("b", "B")):
        post(client, object_id, grade)
    after = queue(client, as_of=moment, limit=2, offset=2)
    assert ids(before) == ids(after) == ["d", "e"]
    assert ids(queue(client, as_of=moment, show="graded")) == ["b"]
    assert [item["grade"] for item in queue(client, as_of=moment)["items"][:2]] == ["X", "C"]
    assert ids(queue(client)) == ["d", "e", "f"]


def test_the_page_that_holds_an_object_is_found_and_none_where_it_is_not_listed(client):
    page = queue(client, holding="d", limit=2)
    assert (ids(page), page["offset"]) == (["c", "d"], 2)
    post(client, "d", "A")
    assert client.get(f"{API}/queue", params={"holding": "d"}).status_code == 404


def test_items_have_the_vote_that_stands_if_it_is_asked_for(client):
    post(client, "a", "A")
    post(client, "b", None)
    items = queue(client, show="all", with_votes=True)["items"]
    assert items[0]["vote"]["grade"] == "A"
    assert [item["vote"] for item in items[1:]] == [None] * 5
    assert "vote" not in queue(client)["items"][0]
