"""A group session under load: many inspectors, one real browser, one lead who presents; all on this machine."""

import asyncio
import contextlib
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Browser, BrowserContext

from data.label_store import LabelStore
from tests.benchmarks.browser import GRADE_ALL, PAINTED
from tests.benchmarks.rows import Row, at_least, at_most
from tests.fixtures.browsers import open_chromium
from tests.fixtures.crowd import Plan
from tests.fixtures.servers import API, address_in, document_of, lensvet_process, object_url
from tests.fixtures.team_campaign import TeamCampaign, start_crowd, team_campaign

COOKIE = "lensvet_sign_in"
GRADES_IN_BROWSER = 40
FOLLOWERS, STEPS = 20, 30
SCREEN_STEP_S = 1.5
OPENING_S, OPENED = 30.0, 50
LOADING_MS = 120_000
# Wall-clock time of the frame after each change of candidate.
WATCH_CANDIDATES = """() => {
  window.paintedAt = [];
  const stage = document.querySelector('[data-testid=stage]');
  const note = () => window.paintedAt.push(Date.now() / 1000);
  const noted = () => stage.dataset.objectId && requestAnimationFrame(() => setTimeout(note));
  new MutationObserver(noted).observe(stage, { attributes: true, attributeFilter: ['data-object-id'] });
}"""


def bench() -> list[Row]:
    """Rows for a team on this machine; the crowd and the browsers share its cores with the server."""
    with open_chromium() as browser:
        return [
            *_fifty(browser),
            *_five_hundred(),
            *_presenter(),
            *_screens(browser),
            _opening_served(),
            *_opening(browser),
        ]


@contextlib.contextmanager
def _served(
    people: int, objects: int, **more: object
) -> Iterator[tuple[TeamCampaign, str, psutil.Process, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        team = team_campaign(folder / "c", people=people, objects=objects, **more)  # type: ignore[arg-type]
        log = folder / "serve.log"
        with lensvet_process(
            ["serve", str(team.campaign.path), "--port", "0", "--sign-in"], log=log
        ) as process:
            yield team, address_in(log), psutil.Process(process.pid), folder


def _fifty(browser: Browser) -> list[Row]:
    with _served(51, 1_000) as (team, url, _, folder):
        plan = Plan(url, team.session_id, team.cookies[1:], 1.0, 60, str(folder / "out.json"))
        context = signed_in_context(browser, url, team.cookies[0])
        page = context.new_page()
        page.goto(f"{url}/vet?session={team.session_id}")
        page.wait_for_function(PAINTED)
        crowd = start_crowd(plan, folder)
        time.sleep(10)  # all have come
        times = page.evaluate(GRADE_ALL.replace("pause(200)", "pause(1000)"), GRADES_IN_BROWSER)
        crowd.wait()
        context.close()
        outcome = json.loads(Path(plan.out).read_text())
        painted, saved = ([row[k] for row in times] for k in (0, 1))
        what = f"50 inspectors, {len(outcome['acknowledged'])} grades in 60 s, one of them in Chromium"
        return [
            at_most(
                "50 inspectors: key to painted, p95", _p95(painted), 100, "ms", reference=_of(painted, what)
            ),
            at_most(
                "50 inspectors: key to vote acknowledged, p95",
                _p95(saved),
                250,
                "ms",
                reference=_of(saved, what),
            ),
            at_most(
                "50 inspectors: errors", _errors(outcome), 0, "", reference=json.dumps(outcome["answers"])
            ),
        ]


def _five_hundred() -> list[Row]:
    with _served(500, 1_000, size_px=64) as (team, url, _, folder):
        plan = Plan(url, team.session_id, team.cookies, 10.0, 60, str(folder / "out.json"))
        start_crowd(plan, folder).wait()
        outcome = json.loads(Path(plan.out).read_text())
        lost = lost_votes(team, outcome["acknowledged"])
        ms = outcome["acknowledged_ms"]
        what = f"{len(ms)} grades in 60 s, answers {json.dumps(outcome['answers'])}"
        return [
            at_most("500 inspectors: vote acknowledged, p95", _p95(ms), 500, "ms", reference=_of(ms, what)),
            at_most("500 inspectors: votes lost or doubled", lost, 0, "", reference=what),
        ]


def _presenter() -> list[Row]:
    """From the lead's step to what every follower's browser is sent, and to the candidate's pixels there."""
    with _served(FOLLOWERS, 100) as (team, url, _, folder):
        plan = Plan(url, team.session_id, team.cookies, 0.01, 10 + STEPS * 0.7, str(folder / "out.json"))
        crowd = start_crowd(plan, folder)
        time.sleep(6)
        sent: dict[int, float] = {}
        with httpx.Client(base_url=url, headers={"Cookie": f"{COOKIE}={team.lead}"}) as lead:
            for item in _to_present(lead, team):
                begun = time.time()
                sent[_present(lead, team, item)] = begun
                time.sleep(0.5)
        crowd.wait()
        followed = json.loads(Path(plan.out).read_text())["followed"]
        late = [1000 * (at - sent[version]) for version, at in followed if version in sent]
        what = f"{len(sent)} steps, {len(late)} of {len(sent) * FOLLOWERS} events came"
        return [
            at_most("presenter to 20 followers, p95", _p95(late), 500, "ms", reference=_of(late, what)),
            at_least(
                "presenter: followers told", len(late) / (len(sent) * FOLLOWERS), 1, "share", reference=what
            ),
        ]


def _to_present(lead: httpx.Client, team: TeamCampaign) -> list[dict[str, str]]:
    answer = lead.get(f"{API}/queue", params={"session_id": team.session_id, "limit": STEPS})
    items: list[dict[str, str]] = answer.raise_for_status().json()["items"]
    return items


def _present(
    lead: httpx.Client, team: TeamCampaign, item: dict[str, str], ahead: Sequence[dict[str, str]] = ()
) -> int:
    shown = {
        "object_id": item["object_id"],
        "ahead": [one["object_id"] for one in ahead],
        "view": {},
        "voting": True,
    }
    answer = lead.post(f"{API}/sessions/{team.session_id}/present", json=shown).raise_for_status()
    return int(answer.json()["version"])


def _screens(browser: Browser) -> list[Row]:
    """From the lead's step to the frame that has the candidate, on twenty screens drawn by this machine."""
    with _served(FOLLOWERS, 100) as (team, url, _, _):
        contexts = [signed_in_context(browser, url, cookie) for cookie in team.cookies]
        pages = [context.new_page() for context in contexts]
        with httpx.Client(base_url=url, headers={"Cookie": f"{COOKIE}={team.lead}"}) as lead:
            first, *rest = _to_present(lead, team)
            _present(lead, team, first, rest[:2])
            for page in pages:
                page.goto(f"{url}/vet?session={team.session_id}")
            for page in pages:
                page.wait_for_function(PAINTED, timeout=LOADING_MS)
                page.evaluate(WATCH_CANDIDATES)
            time.sleep(5)
            begun = []
            for n, item in enumerate(rest):
                begun.append(time.time())
                _present(lead, team, item, rest[n + 1 : n + 3])
                time.sleep(SCREEN_STEP_S)
        late = []
        for page in pages:
            painted = page.evaluate("window.paintedAt")
            late += [1000 * (_first_after(painted, start) - start) for start in begun]
        for context in contexts:
            context.close()
        what = f"{len(begun)} steps, {FOLLOWERS} pages of one Chromium beside the server"
        return [
            at_most("presenter to 20 screens painted, p95", _p95(late), 500, "ms", reference=_of(late, what))
        ]


def _first_after(times: list[float], start: float) -> float:
    """A screen that missed a step counts with the whole time until the next one."""
    return next((at for at in times if at >= start), start + SCREEN_STEP_S)


def _opening(browser: Browser) -> list[Row]:
    with _served(OPENED, 500) as (team, url, server, _):
        contexts = [signed_in_context(browser, url, cookie) for cookie in team.cookies]
        pages = [context.new_page() for context in contexts]
        _warm_up(url, team)
        before = server.memory_info().rss
        begun = time.monotonic()
        for n, page in enumerate(pages):
            time.sleep(max(0.0, begun + n * OPENING_S / OPENED - time.monotonic()))
            page.goto(f"{url}/vet?session={team.session_id}", wait_until="commit")
        for page in pages:
            page.wait_for_function(PAINTED, timeout=LOADING_MS)
        seconds = time.monotonic() - begun
        each_mib = (server.memory_info().rss - before) / 2**20 / OPENED
        for context in contexts:
            context.close()
        return [
            at_most(
                "50 people open /vet within 30 s: all painted",
                seconds,
                35,
                "s",
                reference="50 pages of one Chromium",
            ),
            at_most("memory of the web process per open page", each_mib, 5, "MiB", reference="50 open pages"),
        ]


def _opening_served() -> Row:
    """What the server alone needs for it: all that fifty pages fetch until the first candidate is there."""
    with _served(OPENED, 500) as (team, url, _, _), ThreadPoolExecutor(OPENED) as people:
        _warm_up(url, team)
        begun = time.monotonic()

        def open_page(n: int) -> float:
            time.sleep(max(0.0, begun + n * OPENING_S / OPENED - time.monotonic()))
            with httpx.Client(
                base_url=url, timeout=60, headers={"Cookie": f"{COOKIE}={team.cookies[n]}"}
            ) as client:
                _fetch_page(client, team)
            return time.monotonic() - begun

        seconds = max(people.map(open_page, range(OPENED)))
        return at_most(
            "50 people open /vet within 30 s: all served",
            seconds,
            35,
            "s",
            reference="page, scripts, socket, planes",
        )


def _fetch_page(client: httpx.Client, team: TeamCampaign) -> None:
    client.cookies.set(COOKIE, client.headers["Cookie"].partition("=")[2])
    page = client.get("/vet").raise_for_status().text
    for address in re.findall(r'(?:src|href)="([^"]+\.(?:js|css)[^"]*)"', page):
        client.get(f"/{address}").raise_for_status()
    asyncio.run(document_of(client))
    session = {"session_id": team.session_id}
    for name in ("campaign", "votes", "queue"):
        answer = client.get(f"{API}/{name}", params=session).raise_for_status()
    for item in answer.json()["items"][:9]:
        client.get(object_url(item["object_id"], "planes")).raise_for_status()
        client.get(object_url(item["object_id"])).raise_for_status()


def _warm_up(url: str, team: TeamCampaign) -> None:
    with httpx.Client(base_url=url, headers={"Cookie": f"{COOKIE}={team.lead}"}) as lead:
        lead.get("/vet").raise_for_status()


def signed_in_context(browser: Browser, url: str, cookie: str) -> BrowserContext:
    """A browser profile that holds this sign-in."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
    return context


def lost_votes(team: TeamCampaign, acknowledged: list[str]) -> int:
    """Votes that were acknowledged and are not stored, or that are stored more than once."""
    with LabelStore.open(team.campaign.database_url) as labels:
        stored = [(vote.vote_id, vote.inspector, vote.object_id) for vote in labels.all_votes()]
    doubled = len(stored) - len({(inspector, object_id) for _, inspector, object_id in stored})
    return len(set(acknowledged) - {vote_id for vote_id, *_ in stored}) + doubled


def _errors(outcome: dict[str, object]) -> int:
    answers = outcome["answers"]
    assert isinstance(answers, dict)
    refused = outcome["refused"]
    assert isinstance(refused, list)
    return sum(n for answer, n in answers.items() if answer not in ("200", "201", "304")) + len(refused)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _of(values: list[float], what: str) -> str:
    return f"median {statistics.median(values):.0f} ms; {what}"
