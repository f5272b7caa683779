"""The web server over HTTP: votes and planes, its memory over a long session, its start."""

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.benchmarks.rows import Row, at_most
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.servers import API, address_in, lensvet_process, object_url

OBJECTS = 2_000
WARM_UP = 200
REQUESTS = 64
PAGE = 40


def bench() -> list[Row]:
    """One inspector on this machine; nothing else asks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        object_ids = [f"object {n}" for n in range(OBJECTS)]
        campaign = filled_campaign(folder / "campaign", object_ids, size_px=100)
        add_scores(campaign, {object_id: n / 100 - 10 for n, object_id in enumerate(object_ids)})
        log = folder / "serve.log"
        words = ["serve", str(campaign.path), "--port", "0"]
        with (
            lensvet_process(words, log=log) as process,
            httpx.Client(base_url=address_in(log), timeout=30) as client,
        ):
            client.get("/vet").raise_for_status()
            grown_mib, votes_ms = _long_session(client, psutil.Process(process.pid))
            planes_ms = _times_ms(lambda n: client.get(object_url(f"object {n}", "planes")))
            queue_ms = _times_ms(lambda n: client.get(f"{API}/queue", params={"offset": n, "limit": PAGE}))
        start_s = _start_s(folder)
    return [
        at_most("POST vote, p95", _p95(votes_ms), 50, "ms", reference=_of(votes_ms)),
        at_most(
            "GET planes of 100x100 px in four bands, p95", _p95(planes_ms), 20, "ms", reference=_of(planes_ms)
        ),
        at_most("GET queue page, p95", _p95(queue_ms), 50, "ms", reference=_of(queue_ms)),
        at_most("web process grows over 2,000 objects vetted", grown_mib, 50, "MiB", reference="after 200"),
        at_most("lensvet demo to the page's first answer", start_s, 5, "s", reference="a new demo campaign"),
    ]


def _long_session(client: httpx.Client, server: psutil.Process) -> tuple[float, list[float]]:
    """MiB that the server grew by, and milliseconds per vote, while every object was looked at and graded."""
    before, votes_ms = 0, []
    for done in range(0, OBJECTS, PAGE):
        if done == WARM_UP:
            before = server.memory_info().rss
        page = client.get(f"{API}/queue", params={"limit": PAGE}).json()
        for item in page["items"]:
            client.get(object_url(item["object_id"], "planes")).raise_for_status()
            client.get(object_url(item["object_id"])).raise_for_status()
            votes_ms += _times_ms(lambda _, item=item: _vote(client, item), requests=1)
    assert client.get(f"{API}/queue").json()["matching"] == 0
    return (server.memory_info().rss - before) / 2**20, votes_ms


def _vote(client: httpx.Client, item: dict[str, str]) -> httpx.Response:
    vote = {
        "vote_id": str(uuid.uuid4()),
        "object_id": item["object_id"],
        "planes_hash": item["planes_hash"],
        "phase": "blind",
        "grade": "C",
    }
    return client.post(f"{API}/votes", json=vote)


def _start_s(folder: Path) -> float:
    """Seconds from the command to the page, the demo's cutouts unpacked on the way."""
    log = folder / "demo.log"
    started = time.perf_counter()
    with lensvet_process(["demo", "--path", str(folder / "demo"), "--port", "0"], log=log):
        httpx.get(f"{address_in(log)}/vet", timeout=30).raise_for_status()
        return time.perf_counter() - started


def _times_ms(request: Callable[[int], httpx.Response], requests: int = REQUESTS) -> list[float]:
    times = []
    for number in range(requests):
        started = time.perf_counter()
        request(number).raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    return times


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _of(values: list[float]) -> str:
    return f"{len(values):,} requests; median {statistics.median(values):.1f} ms"
