"""`/vet` in a real browser: looking, grading, walking, undoing, by keyboard."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from data.campaign import Campaign
from data.crossmatch import crossmatch
from data.cutouts import Plane
from data.label_store import LabelStore
from data.votes import Vote
from lensmodel.models import default_model
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.fixtures.positions import known_lenses
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press, waits_to_be_saved

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
HOSTILE = '<img src=x onerror="alert(1)">\'; --'
IDS = [f"EUCL J{n:06d}" for n in range(12)]


@pytest.fixture
def twelve(tmp_path: Path) -> Campaign:
    """Twelve scored candidates, the first the most lens-like."""
    campaign = campaign_of(tmp_path / "twelve", [cutout(name, galaxy(n)) for n, name in enumerate(IDS)])
    score(campaign, {name: 0.95 - 0.07 * n for n, name in enumerate(IDS)})
    return campaign


def votes_of(campaign: Campaign) -> list[Vote]:
    store = LabelStore.open(campaign.database_url)
    try:
        return store.votes()[::-1]
    finally:
        store.close()


def test_the_most_lens_like_candidate_comes_first_and_nothing_is_preselected(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    assert open_vet(page, served(twelve).url) == IDS[0]
    expect(part(page, "scores")).to_contain_text("0.95")
    expect(page.locator('[aria-pressed="true"][data-testid^="grade-"]')).to_have_count(0)
    expect(page.locator('.chip[aria-pressed="true"]')).to_have_count(0)


def test_each_grade_key_votes_on_the_painted_candidate_and_moves_on(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    open_vet(page, served(twelve).url)
    graded = [grade(page, key) for key in "abcx"]
    all_saved(page)
    assert graded == IDS[:4]
    assert [(vote.object_id, vote.grade) for vote in votes_of(twelve)] == list(
        zip(IDS[:4], "ABCX", strict=True)
    )
    assert all(vote.elapsed_ms is not None and vote.planes_hash for vote in votes_of(twelve))


def test_everything_that_a_vote_can_say_is_said_by_keys(page: Page, twelve: Campaign, served: Serve) -> None:
    open_vet(page, served(twelve).url)
    press(page, "k", "m", "t", "q", "t", "r", "f", "w", "m")
    page.keyboard.type('=1+1 <b>"arc"</b> 弧')
    press(
        page, "Escape", "l", "ArrowRight", "ArrowRight", "ArrowUp", "Enter", "i", "Shift+ArrowLeft", "Enter"
    )
    grade(page, "b")
    all_saved(page)
    [vote] = votes_of(twelve)
    assert (vote.contaminant, vote.flag) == ("merger", "wrong_reason")
    assert set(vote.tags) == {"quad", "red_ring"}
    assert vote.comment == '=1+1 <b>"arc"</b> 弧'
    assert [(mark.kind, mark.x_px, mark.y_px) for mark in vote.marks] == [
        ("lens", 33.5, 32.5),
        ("image", 21.5, 31.5),
    ]
    assert vote.marks[0].ra_deg == pytest.approx(58.2 - 0.2 / 3600 / np.cos(np.radians(49.47)), abs=1e-7)


def test_undo_goes_back_with_what_was_said_and_keeps_the_first_vote_in_history(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    open_vet(page, served(twelve).url)
    press(page, "k", "s")
    first = grade(page, "a")
    second = grade(page, "x")
    press(page, "u")
    assert painted(page, other_than=IDS[2]) == second
    press(page, "u")
    assert painted(page, other_than=second) == first
    expect(part(page, "contaminant-spiral")).to_have_attribute("aria-pressed", "true")
    grade(page, "c")
    all_saved(page)
    kept = votes_of(twelve)
    assert [(vote.kind, vote.grade) for vote in kept] == [
        ("grade", "A"),
        ("grade", "X"),
        ("undo", None),
        ("undo", None),
        ("grade", "C"),
    ]
    assert kept[2].supersedes == kept[1].vote_id
    assert kept[3].supersedes == kept[0].vote_id


def test_a_skipped_candidate_is_left_out_until_asked_for(page: Page, twelve: Campaign, served: Serve) -> None:
    server = served(twelve)
    open_vet(page, server.url)
    skipped = grade(page, "s")
    all_saved(page)
    page.reload()
    assert painted(page) == IDS[1]
    part(page, "show").select_option("skipped")
    assert painted(page, other_than=IDS[1]) == skipped == IDS[0]


def test_walking_and_jumping_change_nothing_but_the_view(page: Page, twelve: Campaign, served: Serve) -> None:
    open_vet(page, served(twelve).url)
    press(page, "ArrowRight")
    assert painted(page, other_than=IDS[0]) == IDS[1]
    press(page, "ArrowLeft")
    assert painted(page, other_than=IDS[1]) == IDS[0]
    press(page, "j")
    page.keyboard.type(IDS[7])
    press(page, "Enter")
    assert painted(page, other_than=IDS[0]) == IDS[7]
    press(page, "j")
    page.keyboard.type("no such id")
    press(page, "Enter")
    expect(part(page, "notice")).to_contain_text("no object no such id")
    assert votes_of(twelve) == []


def test_a_grade_on_an_earlier_candidate_is_a_revision_that_supersedes(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    open_vet(page, served(twelve).url)
    first = grade(page, "a")
    press(page, "ArrowLeft")
    assert painted(page, other_than=IDS[1]) == first
    expect(part(page, "grade-A")).to_have_attribute("aria-pressed", "true")
    press(page, "c")
    assert painted(page, other_than=first) == IDS[1]
    all_saved(page)
    old, new = votes_of(twelve)
    assert (new.grade, new.supersedes) == ("C", old.vote_id)


def test_a_regrade_keeps_the_comment_and_tags_of_the_vote_it_revises(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    open_vet(page, served(twelve).url)
    press(page, "t", "q", "m")
    page.keyboard.type("an arc in the north")
    press(page, "Escape")
    first = grade(page, "a")
    all_saved(page)
    page.reload()
    painted(page)
    press(page, "ArrowLeft")
    assert painted(page, other_than=IDS[1]) == first
    expect(part(page, "comment")).to_have_value("an arc in the north")
    press(page, "b")
    painted(page, other_than=first)
    all_saved(page)
    old, new = votes_of(twelve)
    assert (new.grade, new.comment, new.tags, new.supersedes) == ("B", old.comment, old.tags, old.vote_id)


def test_typing_in_a_drop_down_casts_no_vote_and_escape_closes_the_keys(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    open_vet(page, served(twelve).url)
    grade(page, "c")
    all_saved(page)
    press(page, "Q")
    page.keyboard.type("graded", delay=20)
    press(page, "Enter")
    assert painted(page, other_than=IDS[1]) == IDS[0]
    press(page, "?")
    expect(part(page, "help-sheet")).to_be_visible()
    press(page, "Escape")
    expect(part(page, "help-sheet")).to_be_hidden()
    press(page, "Q", "ArrowUp", "ArrowUp", "Enter")
    painted(page, other_than=IDS[0])
    all_saved(page)
    assert [vote.grade for vote in votes_of(twelve)] == ["C"]


def test_a_long_walk_without_grades_reaches_the_end_of_the_queue(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    names = [f"object {n:03d}" for n in range(90)]
    campaign = campaign_of(tmp_path / "ninety", [cutout(name, galaxy(1, shape=(8, 8))) for name in names])
    open_vet(page, served(campaign).url)
    seen = [painted(page)]
    for _ in names[1:]:
        press(page, "ArrowRight")
        seen.append(painted(page, other_than=seen[-1]))
    assert sorted(seen) == names
    press(page, "ArrowRight")
    expect(part(page, "notice")).to_contain_text("Nothing comes after")


def test_votes_wait_in_the_browser_while_the_server_is_away(
    page: Page, twelve: Campaign, served: Serve
) -> None:
    server = served(twelve)
    open_vet(page, server.url)
    page.wait_for_load_state("networkidle")  # the next candidates are here
    first = grade(page, "a")
    all_saved(page)
    server.kill()
    away = [grade(page, key) for key in "bcx"]
    waits_to_be_saved(page, 3)
    expect(part(page, "saved")).to_contain_text("3 waiting")
    server.start()
    all_saved(page)
    expect(part(page, "saved")).to_contain_text("all saved")
    assert [(vote.object_id, vote.grade) for vote in votes_of(twelve)] == list(
        zip([first, *away], "ABCX", strict=True)
    )


def test_a_draft_survives_a_reload(page: Page, twelve: Campaign, served: Serve) -> None:
    open_vet(page, served(twelve).url)
    press(page, "m")
    page.keyboard.type("half a thought")
    press(page, "Escape", "t", "d")
    page.reload()
    painted(page)
    expect(part(page, "comment")).to_have_value("half a thought")
    expect(part(page, "tag-double_ring")).to_have_attribute("aria-pressed", "true")


def test_a_bright_pixel_is_drawn_where_it_is_with_y_up(page: Page, tmp_path: Path, served: Serve) -> None:
    flux = np.zeros((20, 30), np.float32)
    flux[15, 25] = 1.0  # near the upper right corner
    campaign = campaign_of(tmp_path / "one", [cutout("corner", {"VIS": Plane(flux, 0.1, 24.6)})])
    open_vet(page, served(campaign).url)
    box = page.locator(".picture canvas").bounding_box()
    assert box is not None
    scale = min(box["width"] / 30, box["height"] / 20)
    x = box["width"] / 2 + (25 - 14.5) * scale
    y = box["height"] / 2 - (15 - 9.5) * scale
    page.mouse.move(box["x"] + x, box["y"] + y)
    expect(part(page, "readout")).to_contain_text("x 25.0 y 15.0")
    expect(part(page, "readout")).to_contain_text("VIS 0.5248 µJy")
    level = page.evaluate(
        """([x, y]) => { const c = document.querySelector('.picture canvas'), r = c.width / c.clientWidth;
        return c.getContext('2d').getImageData(x * r, y * r, 1, 1).data[0]; }""",
        [x, y],
    )
    assert level > 200


def test_blind_first_withholds_scores_and_maps_until_the_grade_is_stored(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    cutouts = [
        cutout(name, galaxy(n), columns={"class": "lens", "mag_vis": 21.5}) for n, name in enumerate(IDS[:4])
    ]
    campaign = campaign_of(tmp_path / "blind", cutouts, reveal="after-grade")
    score(campaign, dict.fromkeys(IDS[:4], 0.4321))
    answers: list[str] = []
    page.on(
        "response",
        lambda answer: (
            answers.append(answer.text()) if "json" in answer.headers.get("content-type", "") else None
        ),
    )
    open_vet(page, served(campaign).url)
    expect(part(page, "withheld")).to_contain_text("after your grade")
    expect(part(page, "overlay-occlusion")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    assert not any("0.4321" in answer or '"lens"' in answer.replace('"id":"lens"', "") for answer in answers)
    graded = grade(page, "b")
    all_saved(page)
    press(page, "ArrowLeft")
    assert painted(page) == graded
    expect(part(page, "scores")).to_contain_text("0.43")
    expect(part(page, "truth")).to_contain_text("lens")
    press(page, "c")
    painted(page, other_than=graded)
    all_saved(page)
    assert [(vote.grade, vote.phase) for vote in votes_of(campaign)] == [("B", "blind"), ("C", "revealed")]


def matched_campaign(folder: Path, **settings: str) -> Campaign:
    """The second of three comes before as the first; both are a known lens with a hostile name."""
    names = ("<b>one</b>", "two", "three")
    dec_deg = (-49.47, -49.47 + 0.3 / 3600, -49.0)
    cutouts = [cutout(name, galaxy(n), dec_deg=dec_deg[n]) for n, name in enumerate(names)]
    campaign = campaign_of(folder, cutouts, **settings)
    score(campaign, {"two": 0.9, "three": 0.5, "<b>one</b>": 0.1})
    said = {"name": HOSTILE, "grading": "probable", "z_lens": 0.5, "reference": "Doe (2020) <i>"}
    crossmatch(campaign, known=known_lenses([{**said, "ra_deg": 58.2, "dec_deg": -49.47 - 0.1 / 3600}]))
    return campaign


def test_a_known_lens_and_a_duplicate_are_told_as_text_and_the_double_is_a_link(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    assert open_vet(page, served(matched_campaign(tmp_path / "c")).url) == "two"
    expect(part(page, "known-lens")).to_have_text(f"known lens: {HOSTILE} (probable, 0.4″ away), ours 1.0")
    expect(part(page, "known-lens-reference")).to_have_text("z 0.5 · Doe (2020) <i>")
    expect(part(page, "duplicate-of")).to_have_text("duplicate of <b>one</b>, 0.3″ away")
    part(page, "duplicate-of").get_by_role("link").click()
    assert painted(page, other_than="two") == "<b>one</b>"
    expect(part(page, "duplicate-of")).to_have_count(0)
    expect(part(page, "known-lens")).to_contain_text("0.1″ away")
    assert dialogs == []


def test_a_known_lens_comes_onto_the_page_that_is_open_once_it_was_looked_up(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = matched_campaign(tmp_path / "c")
    campaign.crossmatch_path.unlink()
    open_vet(page, served(campaign).url)
    expect(page.get_by_text("not looked up yet")).to_be_visible()
    expect(part(page, "known-lens")).to_contain_text("probable", timeout=60_000)
    expect(page.get_by_text("not looked up yet")).to_have_count(0)


def test_before_the_blind_grade_the_page_tells_a_duplicate_and_no_known_lens(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    server = served(matched_campaign(tmp_path / "c", reveal="after-grade"))
    page.goto(f"{server.url}/vet?object=two")
    painted(page)
    expect(part(page, "object-id")).to_have_text("two")
    expect(part(page, "duplicate-of")).to_contain_text("<b>one</b>")
    expect(part(page, "known-lens")).to_have_count(0)
    grade(page, "a")
    all_saved(page)
    press(page, "ArrowLeft")
    expect(part(page, "object-id")).to_have_text("two")
    expect(part(page, "known-lens")).to_contain_text("probable")


def test_the_digits_keep_their_overlays_and_a_menu_has_the_others(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = campaign_of(tmp_path / "why", [cutout(name, galaxy(n)) for n, name in enumerate(IDS[:2])])
    score(campaign, dict.fromkeys(IDS[:2], 0.9), model_version=default_model().version)
    open_vet(page, served(campaign).url)
    more = part(page, "overlay-more")
    for key, name, title in (("1", "evidence", "Evidence"), ("2", "grad-cam", "Grad-CAM")):
        press(page, key)
        expect(part(page, f"overlay-{name}")).to_have_attribute("aria-pressed", "true")
        expect(part(page, "caption")).to_contain_text(f"{title} of Evidence network", timeout=60_000)
        expect(more).to_have_value("")
    expect(page.locator('button[data-testid^="overlay-"]')).to_have_count(3)
    press(page, "4")
    expect(more).to_have_value("saliency")
    expect(part(page, "caption")).to_contain_text("Saliency of Evidence network", timeout=60_000)
    more.select_option("occlusion-vis")
    expect(part(page, "caption")).to_contain_text("Occlusion in VIS of Evidence network", timeout=60_000)
    expect(part(page, "legend")).to_contain_text("change of p")
    more.select_option("")
    expect(part(page, "caption")).to_have_text("")


def test_a_coarse_map_is_there_until_the_fine_one_is(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(tmp_path / "slow", [cutout(IDS[0], galaxy(0))])
    score(campaign, {IDS[0]: 0.9}, model_version=default_model().version)
    open_vet(page, served(campaign).url)
    held: list[Route] = []
    page.route(re.compile("/maps/.*quality=fine"), lambda route: held.append(route))
    press(page, "3")
    expect(part(page, "legend")).to_contain_text("coarse, refining…", timeout=60_000)
    expect(part(page, "caption")).to_contain_text("Occlusion of Evidence network")
    assert len(held) == 1
    held[0].continue_()
    expect(part(page, "legend")).to_contain_text("change of p", timeout=60_000)
    expect(part(page, "legend")).not_to_contain_text("coarse")


def test_a_coarse_map_goes_if_the_fine_one_fails(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(tmp_path / "failing", [cutout(IDS[0], galaxy(0))])
    score(campaign, {IDS[0]: 0.9}, model_version=default_model().version)
    open_vet(page, served(campaign).url)
    page.route(
        re.compile("/maps/.*quality=fine"),
        lambda route: route.fulfill(status=500, json={"detail": "no luck"}),
    )
    press(page, "3")
    expect(part(page, "legend")).to_have_text("no luck", timeout=60_000)
    expect(part(page, "caption")).to_have_text("")


def test_candidates_appear_while_scoring_goes_on(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(tmp_path / "streaming", [cutout(name, galaxy(n)) for n, name in enumerate(IDS)])
    score(campaign, {IDS[5]: 0.6})
    assert open_vet(page, served(campaign).url) == IDS[5]
    expect(part(page, "scoring")).to_contain_text("scoring… 1")
    score(campaign, {IDS[9]: 0.9, IDS[2]: 0.8})
    expect(part(page, "scoring")).to_contain_text("scoring… 3")
    assert grade(page, "a") == IDS[5]
    assert painted(page) == IDS[9]
    assert grade(page, "a") == IDS[9]
    assert painted(page) == IDS[2]


def test_nothing_is_asked_of_other_hosts(page: Page, twelve: Campaign, served: Serve) -> None:
    server = served(twelve)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_vet(page, server.url)
    page.wait_for_load_state("networkidle")
    elsewhere = [
        url
        for url in asked
        if not url.startswith((server.url, "blob:", "data:", server.url.replace("http", "ws")))
    ]
    assert asked
    assert elsewhere == []
