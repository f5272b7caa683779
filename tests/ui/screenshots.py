"""`make screenshots`: the pictures of the README, taken of the demo as a newcomer sees it."""

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, expect

from dashboard.secret import secret_of
from dashboard.tickets import Tickets
from data.campaign import Campaign, open_campaign
from data.inspection_store import InspectionStore
from data.label_store import LabelStore
from data.people import account_of
from tests.fixtures.browsers import open_chromium
from tests.fixtures.groups import PASSWORD, add_people, open_session, queue_of, signed_in
from tests.fixtures.servers import API, address_in, lensvet_process
from tests.fixtures.surveys import survey_campaign
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press

OUT = Path(__file__).resolve().parents[2] / "docs"
MAP_WAIT_MS = 60_000
# How much noise each simulated inspector sees.
SKILLS = {"Ana": 0.5, "Ben": 0.7, "Cleo": 0.9, "Dev": 0.6, "Eva": 0.8, "Finn": 1.2}


def main() -> None:
    """Start a new demo, vet a little, and save what is on screen."""
    with tempfile.TemporaryDirectory() as folder, open_chromium() as browser:
        log = Path(folder) / "demo.log"
        words = ["demo", "--path", str(Path(folder) / "demo"), "--port", "0", "--inspector", "Ada"]
        with lensvet_process(words, log=log):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            open_vet(page, address_in(log))
            expect(part(page, "scoring")).to_be_hidden(timeout=MAP_WAIT_MS)
            page.reload()
            painted(page)
            _vet(page)
            _why(page, address_in(log))
            _mosaic(page, address_in(log))
        _survey(browser, Path(folder))
        _team(browser, open_campaign(Path(folder) / "demo"), Path(folder) / "team.log")


def _vet(page: Page) -> None:
    OUT.mkdir(exist_ok=True)
    for key in "aabac":
        grade(page, key)
    all_saved(page)
    _with_map(page, "2", "Grad-CAM")
    page.screenshot(path=OUT / "vet.png")
    press(page, "y")
    _with_map(page, "3", "Occlusion")
    page.screenshot(path=OUT / "vet-light.png")
    press(page, "y", "3", "?")
    page.screenshot(path=OUT / "keys.png")


def _why(page: Page, url: str) -> None:
    page.goto(f"{url}/why")
    expect(part(page, "gallery")).to_be_visible(timeout=MAP_WAIT_MS)
    page.screenshot(path=OUT / "why.png")


def _mosaic(page: Page, url: str) -> None:
    page.goto(f"{url}/mosaic")
    page.wait_for_function(
        "document.querySelectorAll('.cell[data-object-id]').length > 20", timeout=MAP_WAIT_MS
    )
    page.wait_for_timeout(1500)
    page.screenshot(path=OUT / "mosaic.png")


def _survey(browser: Browser, folder: Path) -> None:
    """Two million objects, of which the likely bright ones are selected."""
    campaign = survey_campaign(folder / "survey", 2_000_000)
    log = folder / "survey.log"
    with lensvet_process(["serve", str(campaign.path), "--port", "0"], log=log):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address_in(log)}/explore")
        expect(part(page, "plot-scores")).to_be_visible(timeout=MAP_WAIT_MS)
        page.get_by_label("Filter").fill("p_lens > 0.1 and I_E < 21")
        page.keyboard.press("Enter")
        expect(part(page, "selected")).to_contain_text("p_lens > 0.1", timeout=MAP_WAIT_MS)
        page.wait_for_timeout(3000)
        page.screenshot(path=OUT / "explore.png")


def _team(browser: Browser, campaign: Campaign, log: Path) -> None:
    """A session of the demo's candidates, graded by simulated inspectors who see more or less of the truth."""
    add_people(campaign, {"Ada": "admin", "Lea": "lead"} | dict.fromkeys(SKILLS, "inspector"))
    with lensvet_process(["serve", str(campaign.path), "--port", "0", "--sign-in"], log=log):
        with httpx.Client(base_url=address_in(log), timeout=30) as client:
            _graded_session(client, campaign)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address_in(log)}/sign-in?next=/group")
        part(page, "name").fill("Lea")
        part(page, "password").fill(PASSWORD)
        page.keyboard.press("Enter")
        part(page, "more").click()
        expect(part(page, "results")).to_contain_text("To discuss")
        page.screenshot(path=OUT / "group.png")


def _graded_session(client: httpx.Client, campaign: Campaign) -> None:
    table = campaign.objects()
    object_ids = table.table["object_id"].to_pylist()
    is_lens = {i: table.get(i).columns.get("class") == "lens" for i in object_ids}
    known = {i: "lens" if is_lens[i] else "nonlens" for i in object_ids[:40]}
    session_id = open_session(
        signed_in(client, "Lea"),
        object_ids[40:140],
        title="Best of the demo",
        note="Colour first: blue arcs round red galaxies. Rings of star formation are X.",
        quorum=3,
        repeats=0.1,
        members=[*SKILLS],
        examples={
            "A": next(i for i in object_ids[150:] if is_lens[i]),
            "X": next(i for i in object_ids[150:] if not is_lens[i]),
        },
        known=known,
        known_share=0.2,
    )
    rng = np.random.default_rng(3)
    browsers = {name: signed_in(client, name) for name in SKILLS}
    tickets = Tickets(secret_of(campaign.path))
    with LabelStore.open(campaign.database_url) as labels:
        items = InspectionStore(labels.engine).items(session_id)

    def read(ticket: str, name: str) -> str:
        """What the inspector looks at: simulated ones see by the truth, which no page tells them."""
        found = tickets.read(ticket, account_of(name))
        assert found is not None
        return items[found.place].object_id

    while sum(_grade_some(one, name, session_id, is_lens, rng, read) for name, one in browsers.items()):
        pass


def _grade_some(
    browser: httpx.Client,
    name: str,
    session_id: str,
    is_lens: dict[str, bool],
    rng: np.random.Generator,
    read: Callable[[str, str], str],
) -> bool:
    items = queue_of(browser, session_id)["items"]
    for item in items:
        points = np.digitize(
            rng.normal(2.2 * is_lens[read(item["object_id"], name)], SKILLS[name]), [0.7, 1.3, 1.9]
        )
        vote = {
            "vote_id": str(uuid.uuid4()),
            "object_id": item["object_id"],
            "phase": "blind",
            "grade": "XCBA"[points],
        }
        browser.post(f"{API}/votes", json=vote | {"elapsed_ms": int(rng.gamma(3, 1500))}).raise_for_status()
    return bool(items)


def _with_map(page: Page, key: str, title: str) -> None:
    press(page, key)
    expect(part(page, "caption")).to_contain_text(title, timeout=MAP_WAIT_MS)


if __name__ == "__main__":
    main()
