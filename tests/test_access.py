"""Every route, tried as nobody, with the wrong role and as the wrong person."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import websockets.sync.client
from starlette.routing import Mount

from dashboard.access import RULES, Rule, rule_for
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.groups import TEAM, open_session, queue_of, signed_in, team_server
from tests.fixtures.servers import API, host_of

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
FOR_LEADS = {"/why", f"{API}/export.{{format}}"}
FOR_ADMINS = {f"{API}/people", f"{API}/audit", "/admin"}
LEADS_INSIDE = {"step", "results", "final", "present"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    campaign = filled_campaign(tmp_path_factory.mktemp("c") / "c", ["a", "b"], size_px=4)
    add_scores(campaign, {"a": 1.0, "b": 2.0})
    with team_server(campaign, TEAM | {"Una": "inspector"}) as client:
        client.session_id = open_session(signed_in(client, "Lea"), ["a", "b"], members=["Ivo", "Lea"])
        yield client


def routes(client) -> list[tuple[str, str]]:
    """Method and path of everything that the server answers; a mount by its folder."""
    return list(_listed(client.app.routes))


def _listed(some) -> Iterator[tuple[str, str]]:
    for route in some:
        if hasattr(route, "effective_candidates"):  # a router that was included, as FastAPI keeps it
            yield from _listed(route.effective_candidates())
        elif isinstance(route, Mount):
            yield "GET", route.path
        elif methods := getattr(route, "methods", None):
            yield from ((method, route.path) for method in methods if method != "HEAD")
        else:
            yield "WS", route.path


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
    assert any(path.startswith("/vet") for _, path in found)


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
