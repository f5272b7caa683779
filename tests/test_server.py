"""The server: pages without a CDN, who may call, what is refused, what is freed when a browser leaves."""

import asyncio
import re
import socket
import subprocess
import sys
import time

import pytest
import websockets

from dashboard.serving import Listening
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.servers import API, document_of, running_server

ELSEWHERE = re.compile(
    r"https?:(?:\\?/){2}|(?:src|href)=[\"']?//|cdn\.|unpkg|jsdelivr|esm\.sh", re.IGNORECASE
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running_server(filled_campaign(tmp_path_factory.mktemp("c") / "c", ["a"], size_px=4)) as client:
        yield client


def test_the_first_page_is_the_vetting_page(client):
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/vet")


@pytest.mark.parametrize("path", ["/vet", "/group", "/why", "/admin"])
def test_the_page_loads_nothing_from_elsewhere(client, path: str):
    page = client.get(path)
    assert page.status_code == 200
    assert "Test campaign" in page.text
    assert not ELSEWHERE.search(page.text)


def test_a_page_from_a_cdn_would_be_noticed():
    assert ELSEWHERE.search('<script src="https://cdn.bokeh.org/bokeh.min.js">')
    assert ELSEWHERE.search('<link href="//unpkg.com/x.css">')
    assert not ELSEWHERE.search('<script src="static/js/bokeh.min.js">')


@pytest.mark.parametrize("path", ["/vet", "/group", "/why", "/admin"])
def test_every_script_of_the_page_is_served_here(client, path: str):
    addresses = re.findall(r'(?:src|href)="([^"]+\.(?:js|css)[^"]*)"', client.get(path).text)
    assert addresses
    assert {address: client.get(f"/{address}").status_code for address in addresses} == dict.fromkeys(
        addresses, 200
    )


@pytest.mark.parametrize(
    ("path", "component"), [("/vet", "BrowserPage"), ("/group", "BrowserPage"), ("/why", "WhyFrame")]
)
def test_the_document_sent_to_the_browser_names_nothing_elsewhere(client, path: str, component: str):
    document = asyncio.run(document_of(client, path))
    assert component in document
    assert not re.search(r"cdn\.|unpkg|jsdelivr|esm\.sh", document)


@pytest.mark.parametrize("path", ["/", "/vet", f"{API}/health", f"{API}/nothing", "/assets/nothing.js"])
def test_every_answer_carries_the_security_headers(client, path: str):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_scripts_are_asked_for_anew_and_not_sent_twice(client):
    first = client.get("/assets/stage/frames.js")
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = client.get("/assets/stage/frames.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/assets/stage.py",
        "/assets/__init__.py",
        "/assets/../server.py",
        "/assets/%2e%2e/server.py",
        "/assets/..%2fserver.py",
        "/assets/..%2f..%2fpyproject.toml",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/static/../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/__init__.py",
    ],
)
def test_no_path_leads_out_of_the_folder_of_scripts(client, path: str):
    assert raw_get(client, path).split(b" ")[1] in (b"404", b"400")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5006", "localhost.evil.example", "[::2]", "", "a]b[", "[::1"]
)
def test_a_name_that_was_pointed_at_this_machine_is_refused(client, host: str):
    answer = client.get(f"{API}/health", headers={"Host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:5006", "[::1]:5006", "LOCALHOST"])
def test_this_machines_own_names_are_answered(client, host: str):
    assert client.get(f"{API}/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8888"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_requests_of_other_sites_are_refused(client, headers: dict[str, str], method: str):
    body = {"json": {"name": "Mallory"}} if method == "POST" else {}
    answer = client.request(method, f"{API}/me" if body else f"{API}/campaign", headers=headers, **body)
    assert answer.status_code == 403


def test_a_link_from_another_site_may_be_followed_but_posts_nothing(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/vet", headers=headers).status_code == 200
    assert client.post(f"{API}/me", headers=headers, json={"name": "Mallory"}).status_code == 403


def test_our_own_page_may_post(client):
    origin = str(client.base_url).rstrip("/")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert client.post(f"{API}/me", headers=headers, json={"name": "Ada"}).status_code == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_what_a_form_could_send_is_refused(client, media_type: str | None):
    headers = {"Content-Type": media_type} if media_type else {}
    answer = client.post(f"{API}/votes", content=b'{"name": "Mallory"}', headers=headers)
    assert answer.status_code == 415


def test_a_body_beyond_a_megabyte_is_413_whether_its_length_is_declared_or_not(client):
    headers = {"Content-Type": "application/json"}
    assert client.post(f"{API}/votes", content=b" " * 1_000_001, headers=headers).status_code == 413

    def pieces():
        for _ in range(30):
            yield b" " * 100_000

    assert client.post(f"{API}/votes", content=pieces(), headers=headers).status_code == 413


def test_an_error_is_one_sentence_without_a_traceback(client, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("secret place /home/ada")

    monkeypatch.setattr(client.app.state.lensvet.labels, "number_of_votes", fail)
    answer = client.get(f"{API}/health")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "the server failed on this request; its log says why"}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", f"{API}/votes", 405)]
)
def test_what_does_not_exist_is_one_sentence_too(client, method: str, path: str, status: int):
    answer = client.request(method, path, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


def test_the_api_documents_itself_without_a_cdn(client):
    paths = client.get(f"{API}/openapi.json").json()["paths"]
    assert f"{API}/votes" in paths
    assert client.get("/docs").status_code == 404


def test_small_answers_are_sent_at_once():
    with Listening("127.0.0.1", 0) as listening:
        assert listening.socket.proto == socket.IPPROTO_TCP, "asyncio would leave Nagle's algorithm on"


def test_a_socket_opens_for_our_page_and_not_for_others(client):
    assert asyncio.run(document_of(client))
    with pytest.raises(websockets.exceptions.InvalidStatus):
        asyncio.run(document_of(client, origin="http://evil.example"))


def test_the_document_of_a_browser_that_left_is_forgotten(client):
    sockets = client.app.state.bokeh._clients
    asyncio.run(document_of(client))
    wait_for(lambda: not sockets)
    context = client.app.state.bokeh._applications["/vet"]
    assert all(session.connection_count == 0 for session in context.sessions)


def raw_get(client, path: str) -> bytes:
    """The answer's head; httpx would tidy the path first."""
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(4096)


def wait_for(condition, *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_free_goes_back_to_the_system():
    # In a process of its own: the heaps of this one hold what other tests left.
    script = """
import psutil, time
import dashboard.serving as serving
def held(): return psutil.Process().memory_info().rss / 2**20
serving.GIVE_BACK_S = 0.2
blocks = [bytearray(60_000) for _ in range(4_000)]
pins = blocks[::50]  # what stays keeps the heap from shrinking by itself
del blocks
before = held()
serving._give_memory_back()
until = time.monotonic() + 20
while held() > before - 100 and time.monotonic() < until:
    time.sleep(0.1)
print(before - held())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(found.stdout) > 100
