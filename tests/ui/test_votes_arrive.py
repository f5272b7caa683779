"""What the browser does with votes that cannot be booked: none is lost, none lands with somebody else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from data.campaign import Campaign
from data.label_store import LabelStore
from tests.fixtures.galaxies import campaign_of, cutout, galaxy
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press, waits_to_be_saved

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
IDS = ["first", "second", "third", "fourth"]


def a_campaign(path: Path) -> Campaign:
    return campaign_of(path, [cutout(name, galaxy(n)) for n, name in enumerate(IDS)], title="Same title")


def booked(campaign: Campaign) -> list[tuple[str, str, str | None]]:
    with LabelStore.open(campaign.database_url) as store:
        return [(vote.inspector, vote.object_id, vote.grade) for vote in store.votes()[::-1]]


def test_a_name_changed_in_another_tab_takes_no_vote_of_this_one(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = a_campaign(tmp_path / "c")
    server = served(campaign)
    open_vet(page, server.url)
    page.context.request.post(f"{server.url}/api/v1/me", data={"name": "Bob"}, headers={"Origin": server.url})
    graded = grade(page, "a")
    expect(part(page, "notice")).to_contain_text("reload the page")
    waits_to_be_saved(page, 1)
    assert booked(campaign) == []
    page.context.request.post(f"{server.url}/api/v1/me", data={"name": "Ada"}, headers={"Origin": server.url})
    all_saved(page)
    assert booked(campaign) == [("Ada", graded, "A")]


def test_votes_wait_for_their_own_campaign_when_another_is_served_at_the_address(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    ours, other = a_campaign(tmp_path / "ours"), a_campaign(tmp_path / "other")
    server = served(ours)
    open_vet(page, server.url)
    page.wait_for_load_state("networkidle")  # the next candidates are here
    server.kill()
    graded = [grade(page, key) for key in "ab"]
    waits_to_be_saved(page, 2)
    server.campaign = other
    server.start()
    expect(part(page, "notice")).to_contain_text("campaign")
    waits_to_be_saved(page, 2)
    assert booked(other) == []
    server.kill()
    server.campaign = ours
    server.start()
    all_saved(page)
    assert booked(ours) == [("Ada", graded[0], "A"), ("Ada", graded[1], "B")]


def test_a_refused_vote_decides_nothing_and_can_be_given_again(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = a_campaign(tmp_path / "c")
    open_vet(page, served(campaign).url)
    page.route("**/api/v1/votes?*", lambda route: route.fulfill(status=409, json={"detail": "not like this"}))
    press(page, "t", "q")
    refused = grade(page, "a")
    expect(part(page, "notice")).to_contain_text("not like this")
    expect(part(page, "refused")).to_contain_text("1 refused")
    page.unroute_all()
    press(page, "ArrowLeft")
    painted(page, other_than=IDS[1])
    expect(part(page, "grade-A")).to_have_attribute("aria-pressed", "false")
    expect(part(page, "tag-quad")).to_have_attribute("aria-pressed", "true")
    press(page, "b")
    painted(page, other_than=refused)
    all_saved(page)
    assert booked(campaign) == [("Ada", refused, "B")]


def test_a_full_storage_of_the_browser_loses_no_vote(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = a_campaign(tmp_path / "c")
    open_vet(page, served(campaign).url)
    page.evaluate(
        """() => { let piece = 'x'.repeat(2 ** 20), n = 0;
        while (piece.length) { try { localStorage.setItem('full' + n++, piece); }
          catch { piece = piece.slice(0, piece.length / 2); } } }"""
    )
    graded = grade(page, "c")
    all_saved(page)
    assert booked(campaign) == [("Ada", graded, "C")]
