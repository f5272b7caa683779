"""Every route, tried as nobody, with the wrong role and as the wrong person."""

import asyncio
import json
import re
import time
import uuid
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
import websockets.sync.client
from bokeh.protocol import Protocol

from dashboard import rate_limit
from dashboard.access import RULES, Rule, rule_for
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.groups import TEAM, open_session, queue_of, signed_in, team_server
from tests.fixtures.servers import API, document_of, every_route, host_of, page_socket

OPEN = {
    "/sign-in",
    "/sign-in/with/{service}",
    "/sign-in/with/{service}/callback",
    "/join/{token}",
    f"{API}/sign-in",
    f"{API}/join/{{token}}",
    "/assets",
    "/favicon.ico",
}
FOR_LEADS = {"/why", "/explore", f"{API}/export.{{format}}", f"{API}/selections"}
FOR_ADMINS = {f"{API}/people", f"{API}/audit", "/admin"}
LEADS_INSIDE = {"step", "results", "final", "present"}


def sign_out(client, name: str) -> None:
    """As an admin does it to somebody who must be gone at once."""
    answer = signed_in(client, "Ada").post(f"{API}/people/sign-out", json={"name": name})
    assert answer.is_success, answer.text


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    campaign = filled_campaign(tmp_path_factory.mktemp("c") / "c", ["a", "b"], size_px=4)
    add_scores(campaign, {"a": 1.0, "b": 2.0})
    with team_server(campaign, TEAM | {"Una": "inspector"}) as client:
        client.session_id = open_session(signed_in(client, "Lea"), ["a", "b"], members=["Ivo", "Lea"])
        yield client


def routes(client) -> list[tuple[str, str]]:
    """Method and path of everything that the server answers."""
    return list(every_route(client.app))


def address(client, path: str) -> str:
    filled = path.replace("{object_id:path}", "a").replace("{model}", MODEL).replace("{method}", "evidence")
    filled = filled.replace("{format}", "csv").replace("{session_id}", client.session_id)
    return re.sub(r"\{[^}]*\}", "x", filled)


def status(browser, method: str, path: str) -> int:
    if method == "WS":
        return websocket_status(browser, path)
    body = (
        {"content": json.dumps({}), "headers": {"Content-Type": "application/json"}}
        if method != "GET"
        else {}
    )
    with browser.stream(method, path, **body) as answer:
        return answer.status_code


def websocket_status(browser, path: str) -> int:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    try:
        with websockets.sync.client.connect(
            f"ws://{host_of(browser)}{path}",
            additional_headers={"Cookie": cookies} if cookies else {},
            origin=f"http://{host_of(browser)}",
            subprotocols=["bokeh", "token"],
        ):
            return 101
    except websockets.exceptions.InvalidStatus as refused:
        return refused.response.status_code
    except websockets.exceptions.WebSocketException:
        return 400


def test_there_are_routes_of_every_kind_to_try(client):
    found = routes(client)
    assert len(found) > 40
    assert {"GET", "POST", "WS"} <= {method for method, _ in found}
    assert {"/vet", "/mosaic", "/mosaic/ws"} <= {path for _, path in found}


def test_nobody_gets_anything_but_the_door(client):
    answers = {
        (method, path): status(client, method, address(client, path))
        for method, path in routes(client)
        if path not in OPEN
    }
    assert {key: code for key, code in answers.items() if code not in (401, 403)} == {}


def test_an_inspector_opens_nothing_of_leads_and_admins(client):
    ivo = signed_in(client, "Ivo")
    answers = {}
    for method, path in routes(client):
        first = path.split("/")[1] if not path.startswith(API) else path
        shut = (
            path in FOR_LEADS
            or f"/{first}" in FOR_LEADS | FOR_ADMINS
            or any(path == one or path.startswith(f"{one}/") for one in FOR_ADMINS)
            or path.rsplit("/", 1)[-1] in LEADS_INSIDE
            or (method, path) == ("POST", f"{API}/sessions")
        )
        if shut:
            answers[method, path] = status(ivo, method, address(client, path))
    assert len(answers) > 12
    assert set(answers.values()) == {403}, answers


def test_a_lead_opens_nothing_of_admins(client):
    lea = signed_in(client, "Lea")
    for method, path in routes(client):
        if any(path == one or path.startswith(f"{one}/") for one in FOR_ADMINS):
            assert status(lea, method, address(client, path)) == 403, path


def test_whoever_is_no_member_gets_nothing_of_a_session(client):
    una, ivo = signed_in(client, "Una"), signed_in(client, "Ivo")
    ticket = queue_of(ivo, client.session_id)["items"][0]["object_id"]
    inside = [path for method, path in routes(client) if "{session_id}" in path and method == "GET"]
    assert len(inside) >= 4
    for path in inside:
        assert status(una, "GET", f"{address(client, path)}?object_id={ticket}") in (403, 404, 422), path
    for path in ("queue", "votes", "campaign"):
        assert una.get(f"{API}/{path}", params={"session_id": client.session_id}).status_code == 403
    for path in ("", "/planes", f"/maps/{MODEL}/evidence"):
        assert una.get(f"{API}/objects/{ticket}{path}").status_code == 404


SECRETS = (
    "4.5678",
    "0.98973",
    "0.424242",
    "a telling comment",
    "Ines",
    "150.0",
    "sim_lens",
    'grade": "C',
    "secret-column",
)


def test_nothing_leaks_before_the_grade_through_any_route_page_or_socket(tmp_path):
    """Every GET route there is, pages and their sockets among them, as an inspector who has graded nothing yet."""
    ids = ["sim_lens_1", "sim_lens_2"]
    campaign = filled_campaign(tmp_path / "c", ids, size_px=4, columns={"expert_note": "secret-column"})
    add_scores(campaign, dict.fromkeys(ids, 4.5678))
    with team_server(campaign) as client:
        session_id = open_session(signed_in(client, "Lea"), ids, members=["Ivo", "Ines"])
        ivo, ines = signed_in(client, "Ivo"), signed_in(client, "Ines")
        for item in queue_of(ines, session_id)["items"]:
            vote = {
                "vote_id": str(uuid.uuid4()),
                "object_id": item["object_id"],
                "phase": "blind",
                "grade": "C",
            }
            assert ines.post(f"{API}/votes", json=vote | {"comment": "a telling comment"}).status_code == 201
            said = {"object_id": item["object_id"], "comment": "a telling comment"}
            assert ines.post(f"{API}/sessions/{session_id}/discussion", json=said).status_code == 201
        ticket = queue_of(ivo, session_id)["items"][0]["object_id"]
        answers = _everything(client, ivo, ticket, session_id)
        assert len(answers) > 25
        leaks = {
            (path, secret): text[:300]
            for path, text in answers.items()
            for secret in SECRETS
            if secret in text
        }
        assert leaks == {}
        # The same words are found once there is something to be told: the search would see a leak.
        vote = {"vote_id": str(uuid.uuid4()), "object_id": ticket, "phase": "blind", "grade": "A"}
        assert ivo.post(f"{API}/votes", json=vote).status_code == 201
        told = " ".join(_everything(client, ivo, ticket, session_id).values())
        assert {secret for secret in SECRETS if secret in told} >= {
            "4.5678",
            "a telling comment",
            "Ines",
            "sim_lens",
        }


def _everything(client, browser, ticket: str, session_id: str) -> dict[str, str]:
    """What every GET route answers to this browser about that object, and what every page's socket sends."""
    found = {}
    for method, path in routes(client):
        if method == "WS":
            page = path.removesuffix("/ws")
            if browser.get(page).status_code == 200:
                found[path] = asyncio.run(document_of(browser, page))
            continue
        if method != "GET" or "/join/" in path or "/sign-in/with" in path:
            continue
        filled = (
            path.replace("{object_id:path}", ticket).replace("{model}", MODEL).replace("{method}", "evidence")
        )
        filled = filled.replace("{session_id}", session_id).replace("{format}", "csv")
        for more in ("", f"?session_id={session_id}&object_id={ticket}&stream=false&show=all"):
            address = re.sub(r"\{[^}]*\}", "x", filled) + more
            if "presented" in address and not more:
                continue  # a stream without an end; the same is asked for once, below
            found[address] = browser.get(address).content.decode("utf-8", "replace")
    return found


def test_a_forgotten_route_is_for_admins_alone():
    assert rule_for("GET", f"{API}/something-new").role == "admin"
    assert rule_for("GET", "/vetting").role == "admin"
    assert rule_for("POST", "/static/x").role == "admin"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_a_rule_covers_what_lies_below_it_and_nothing_beside(rule: Rule):
    method = rule.methods[0] if rule.methods else "GET"
    assert rule.covers(method, rule.path)
    assert rule.covers(method, f"{rule.path}/x")
    assert not rule.covers(method, f"{rule.path}x")


@pytest.mark.parametrize("path", ["/vet/../admin", "/assets/../api/v1/people", "/%61dmin", "/admin%2f"])
def test_no_way_of_writing_a_path_walks_round_its_rule(client, path):
    ivo = signed_in(client, "Ivo")
    answer = ivo.get(path)
    assert answer.status_code in (400, 403, 404)
    assert quote("people") not in answer.text


def test_somebody_who_asks_too_often_is_refused_and_nobody_else(client, monkeypatch):
    ivo, una = signed_in(client, "Ivo"), signed_in(client, "Una")
    moment = time.monotonic()
    # The server's clock stands still: how fast this machine sends is no part of the question.
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: moment))
    with httpx.Client(base_url=client.base_url, cookies=ivo.cookies) as flooding:
        answers = [flooding.get("/favicon.ico").status_code for _ in range(int(rate_limit.BURST) + 1)]
        assert answers[0] == 200
        assert answers[-1] == 429
        assert una.get(f"{API}/health").status_code == 200
        moment += 1
        assert flooding.get("/favicon.ico").status_code == 200


def test_a_socket_that_is_open_closes_on_whoever_is_signed_out(client):
    lea = signed_in(client, "Lea")

    async def speak_twice() -> tuple[bool, bool]:
        async with page_socket(lea, "/group") as socket:
            before = await answers(socket)
            await asyncio.to_thread(sign_out, client, "Lea")
            return before, await answers(socket)

    assert asyncio.run(speak_twice()) == (True, False)


async def answers(socket) -> bool:
    """Whether the page's document is sent when it is asked for."""
    request = Protocol().create("PULL-DOC-REQ")
    try:
        for part in (request.header_json, request.metadata_json, request.content_json):
            await socket.send(part)
        return bool("".join([str(await socket.recv()) for _ in range(3)]))
    except websockets.exceptions.ConnectionClosed:
        return False


def test_events_of_a_session_end_for_whoever_is_signed_out(client):
    lea, ivo = signed_in(client, "Lea"), signed_in(client, "Ivo")
    path = f"{API}/sessions/{client.session_id}"
    item = queue_of(lea, client.session_id)["items"][0]
    with ivo.stream("GET", f"{path}/presented") as events:
        lines = events.iter_lines()
        assert next(lines).startswith("data:")
        shown = {"object_id": item["object_id"], "view": {}, "voting": True}
        lea.post(f"{path}/present", json=shown).raise_for_status()
        told = [next(lines) for _ in range(3)]
        assert any('"voting":true' in line.replace(" ", "") for line in told)
        sign_out(client, "Ivo")
        lea.post(f"{path}/present", json={**shown, "voting": False}).raise_for_status()
        assert not [line for line in lines if line.startswith("data:")]
