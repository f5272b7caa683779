"""A team in real browsers: signing in, a session from opening to closing, following, and coming back."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.groups import PASSWORD, TEAM, add_people
from tests.ui.conftest import Server

IDS = [f"obj-{n}" for n in range(12)]
HOSTILE = '<img src=x onerror="document.title=1">"\'&=1+1'
MOVED = "before => document.querySelector('[data-testid=stage]').dataset.objectId !== before"
SIGN_OUT = """fetch('/api/v1/sign-out?everywhere=true',
  {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})"""
Signed = Callable[[str, str], Page]


@pytest.fixture
def server(tmp_path, served) -> Server:
    campaign = filled_campaign(tmp_path / "c", IDS, size_px=24)
    add_scores(campaign, dict.fromkeys(IDS, 2.0))
    add_people(campaign, TEAM)
    return served(campaign, "--sign-in")


@pytest.fixture
def signed(browser: Browser, server: Server) -> Iterator[Signed]:
    """A page of a browser of one's own, signed in by hand."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def sign_in(name: str, path: str = "/") -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{name}: {error}"))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{server.url}{path}")
        page.get_by_test_id("name").fill(name)
        page.get_by_test_id("password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "/sign-in" not in address)
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert not errors, errors


def open_session(lead: Page, title: str = "Best", **fields: str) -> None:
    lead.get_by_test_id("new").locator("summary").click()
    lead.get_by_test_id("new-title").fill(title)
    lead.get_by_test_id("new-choose").select_option("all")
    for name, value in {"quorum": "2", "repeats": "0", **fields}.items():
        lead.get_by_test_id(f"new-{name}").fill(value)
    lead.get_by_test_id("new-open").click()
    expect(lead.locator("[data-session]").first).to_be_visible()


def to_stage(page: Page) -> Page:
    page.get_by_test_id("go").first.click()
    return on_stage(page)


def on_stage(page: Page) -> Page:
    page.wait_for_function("document.querySelector('[data-testid=stage]')?.dataset.objectId")
    return page


def shown(page: Page) -> str:
    return page.get_by_test_id("stage").get_attribute("data-object-id") or ""


def grade(page: Page, key: str) -> None:
    expect(
        page.get_by_test_id("withheld")
    ).to_be_visible()  # what may be told of it has come: it can be graded
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(MOVED, arg=before)


def saved(page: Page) -> None:
    page.wait_for_function("document.querySelector('[data-testid=stage]').dataset.unacked === '0'")


def test_a_session_from_opening_to_closing(signed: Signed, screenshots):
    lead = signed("Lea", "/group")
    open_session(lead, members="Ivo\nInes", note=HOSTILE, title=HOSTILE)
    ivo = signed("Ivo", "/")
    expect(ivo.get_by_test_id("sessions")).to_contain_text(HOSTILE)  # as text
    to_stage(ivo)
    expect(ivo.get_by_test_id("withheld")).to_be_visible()
    assert "obj-" not in ivo.content()
    for key in "abcx" * 3:
        expect(ivo.get_by_test_id("withheld")).to_be_visible()
        grade(ivo, key)
    saved(ivo)
    expect(ivo.get_by_test_id("message")).to_contain_text("Thank you")
    ines = to_stage(signed("Ines", "/"))
    for _ in range(12):
        grade(ines, "x")
    saved(ines)
    ines.keyboard.press("ArrowLeft")
    expect(ines.get_by_test_id("object-id")).to_contain_text("obj-")
    expect(ines.get_by_test_id("scores")).to_contain_text("0.88")
    ines.screenshot(path=screenshots / "group-after-grade.png")
    lead.get_by_test_id("more").click()
    expect(lead.get_by_test_id("results")).to_contain_text(
        "To discuss: opinions two grades apart or more (6)"
    )
    expect(lead.get_by_test_id("decided")).to_contain_text("12 of 12 decided")
    lead.screenshot(path=screenshots / "group-lead.png", full_page=True)
    lead.get_by_test_id("results").get_by_role("link").first.click()
    on_stage(lead)
    lead.get_by_test_id("discuss").fill(HOSTILE)
    lead.get_by_test_id("final-B").click()
    expect(lead.get_by_test_id("discussion").get_by_role("listitem").last).to_contain_text(HOSTILE)
    lead.keyboard.press("G")
    lead.get_by_test_id("close").click()
    expect(lead.get_by_test_id("state")).to_have_text("closed")
    ivo.keyboard.press("G")
    expect(ivo.get_by_test_id("report")).to_contain_text("12")
    assert lead.title() != "1"


def test_everybody_follows_whoever_presents_and_sees_the_votes_when_the_round_is_closed(signed: Signed):
    lead = signed("Lea", "/group")
    open_session(lead, quorum="3")
    ivo, ines = to_stage(signed("Ivo", "/")), to_stage(signed("Ines", "/"))
    to_stage(lead)
    lead.keyboard.press("P")
    for page in (ivo, ines):
        expect(page.get_by_test_id("together")).to_contain_text("Following Lea")
    lead.keyboard.press("r")  # asinh to log
    expect(ivo.get_by_test_id("view")).to_contain_text("log")
    first = shown(ivo)
    lead.keyboard.press("ArrowRight")
    ivo.wait_for_function(MOVED, arg=first)
    assert len({shown(page) for page in (lead, ivo, ines)}) == 3  # tickets of their own
    for page, key in ((ivo, "a"), (ines, "x")):
        expect(page.get_by_test_id("withheld")).to_be_visible()
        page.keyboard.press(key)
        expect(page.get_by_test_id("withheld")).to_be_hidden()
    expect(ivo.get_by_test_id("together")).to_contain_text("all votes show when the round is closed")
    lead.keyboard.press("R")
    expect(ivo.get_by_test_id("together")).to_contain_text("round closed: Ines X · Ivo A")
    lead.keyboard.press("P")
    expect(ivo.get_by_test_id("together")).to_be_hidden()
    expect(ivo.get_by_test_id("view")).to_contain_text("asinh")


def test_votes_wait_for_a_server_that_was_killed_and_for_a_sign_in_that_ended(signed: Signed, server: Server):
    lead = signed("Lea", "/group")
    open_session(lead)
    ivo = to_stage(signed("Ivo", "/"))
    grade(ivo, "a")
    saved(ivo)
    server.kill()
    grade(ivo, "b")
    expect(ivo.get_by_test_id("saved")).to_contain_text("waiting")
    server.start()
    saved(ivo)
    # Signed out elsewhere: the vote waits, and goes when somebody has signed in again in another tab.
    ivo.evaluate(SIGN_OUT)
    ivo.wait_for_function("fetch('/api/v1/health').then((answer) => answer.status === 401)")
    grade(ivo, "c")
    expect(ivo.get_by_test_id("saved")).to_contain_text("waiting")
    other = ivo.context.new_page()
    other.goto(f"{server.url}/sign-in?next=/group")
    other.get_by_test_id("name").fill("Ivo")
    other.get_by_test_id("password").fill(PASSWORD)
    other.keyboard.press("Enter")
    other.wait_for_url("**/group")
    saved(ivo)
    expect(other.get_by_test_id("sessions")).to_contain_text("3 graded by you")


def test_an_invitation_is_used_once_and_opens_the_page_of_the_team(signed: Signed, browser: Browser):
    admin = signed("Ada", "/admin")
    admin.get_by_test_id("new-name").fill("Zoë")
    admin.get_by_test_id("add").click()
    link = admin.get_by_test_id("link").inner_text()
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    expect(page.locator("#title")).to_have_text("Welcome, Zoë")
    page.get_by_test_id("password").fill("nine loud giraffes")
    page.get_by_test_id("again").fill("nine loud giraffe")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("problem")).to_have_text("the two passwords differ")
    page.get_by_test_id("again").fill("nine loud giraffes")
    page.keyboard.press("Enter")
    page.wait_for_url("**/group")
    page.goto(link)
    expect(page.get_by_test_id("problem")).to_contain_text("was used")
    context.close()
    admin.reload()
    expect(admin.get_by_test_id("log")).to_contain_text("invitation accepted")
