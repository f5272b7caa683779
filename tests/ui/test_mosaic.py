"""`/mosaic` in a real browser: many cells graded by keys and clicks, ranges, undo, pages, the stage over it."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from data.campaign import Campaign, create_campaign
from data.cutouts import Plane
from data.label_store import LabelStore
from data.maps import MapStore
from data.votes import Vote
from lensmodel.models import default_model
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, painted, part, press
from tests.ui.test_odd_cutouts import HOSTILE, ODD, READABLE

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
IDS = [f"EUCL J{n:06d}" for n in range(24)]
VERSION = default_model().version


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """24 scored candidates, the first the most lens-like."""
    campaign = campaign_of(tmp_path / "c", [cutout(name, galaxy(n)) for n, name in enumerate(IDS)])
    score(campaign, {name: 0.95 - 0.03 * n for n, name in enumerate(IDS)}, model_version=VERSION)
    return campaign


def votes_of(campaign: Campaign) -> list[Vote]:
    with LabelStore.open(campaign.database_url) as store:
        return store.votes()[::-1]


def open_mosaic(page: Page, url: str, *, side: int = 3) -> None:
    page.goto(f"{url}/vet")  # any page of the server: its storage
    page.evaluate("side => localStorage.setItem('lensvet:settings', JSON.stringify({side}))", side)
    page.goto(f"{url}/mosaic")
    on_page(page, 1)


def on_page(page: Page, number: int) -> None:
    """Wait until that page is fully painted."""
    expect(part(page, "mosaic")).to_have_attribute("data-page", str(number))


def cell(page: Page, object_id: str) -> Locator:
    return page.locator(f'.cell[data-object-id="{object_id}"]')


def shown(page: Page) -> list[str]:
    return [
        i
        for i in page.locator(".cell:not([hidden])").evaluate_all("all => all.map(c => c.dataset.objectId)")
        if i
    ]


def grades(page: Page) -> dict[str, str]:
    every = page.locator(".cell:not([hidden])").evaluate_all(
        "all => all.map(c => [c.dataset.objectId, c.dataset.grade])"
    )
    return {object_id: grade for object_id, grade in every if grade}


def test_the_page_is_the_queue_of_vet_and_nothing_is_preselected(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    assert shown(page) == IDS[:9]
    assert grades(page) == {}
    expect(page.locator('.cell[aria-selected="true"]')).to_have_count(0)
    expect(part(page, "pages")).to_have_text("of 3")
    expect(page.locator(".score-bar")).to_have_count(9)


def test_keys_grade_the_cell_in_the_frame_and_move_on(page: Page, campaign: Campaign, served: Serve) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "a", "b", "ArrowDown", "c", "x", "s")
    all_saved(page)
    assert grades(page) == {IDS[0]: "A", IDS[1]: "B", IDS[5]: "C", IDS[6]: "X", IDS[7]: "–"}
    kept = votes_of(campaign)
    assert [(vote.object_id, vote.grade) for vote in kept] == [
        (IDS[0], "A"),
        (IDS[1], "B"),
        (IDS[5], "C"),
        (IDS[6], "X"),
        (IDS[7], None),
    ]
    hashes = {stored.object_id: stored.planes_hash for stored in map(campaign.objects().get, IDS) if stored}
    assert all(vote.planes_hash == hashes[vote.object_id] for vote in kept)
    assert all(vote.phase == "revealed" for vote in kept)  # the bars were there
    times = [vote.elapsed_ms or 0 for vote in kept]
    assert times == sorted(times)  # counted from when the page was painted
    assert times[0] > 0


def test_without_bars_positions_and_maps_a_grade_is_blind(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    server = served(campaign)
    page.goto(f"{server.url}/vet")
    page.evaluate(
        "localStorage.setItem('lensvet:settings', JSON.stringify({side: 3, bars: false, position: false}))"
    )
    page.goto(f"{server.url}/mosaic")
    on_page(page, 1)
    expect(page.locator(".score-bar")).to_have_count(0)
    press(page, "a", "z")
    expect(page.locator(".score-bar")).to_have_count(9)
    press(page, "b")
    all_saved(page)
    assert [vote.phase for vote in votes_of(campaign)] == ["blind", "revealed"]


def test_a_range_is_graded_at_once_and_undone_at_once(page: Page, campaign: Campaign, served: Serve) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "b", "Shift+ArrowRight", "Shift+ArrowDown")
    expect(part(page, "selected")).to_have_text("5 selected")
    press(page, "x")
    all_saved(page)
    assert grades(page) == {IDS[0]: "B"} | dict.fromkeys(IDS[1:6], "X")
    press(page, "u")
    all_saved(page)
    assert grades(page) == {IDS[0]: "B"}
    press(page, "u")
    all_saved(page)
    assert grades(page) == {}
    kept = votes_of(campaign)
    assert [vote.kind for vote in kept] == ["grade"] * 6 + ["undo"] * 6
    assert {vote.supersedes for vote in kept[6:]} == {vote.vote_id for vote in kept[:6]}


def test_shift_and_click_select_a_range_and_a_click_grades_if_that_is_asked_for(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    cell(page, IDS[1]).click()
    cell(page, IDS[4]).click(modifiers=["Shift"])
    press(page, "c")
    assert grades(page) == dict.fromkeys(IDS[1:5], "C")
    part(page, "click-B").click()
    cell(page, IDS[7]).click()
    all_saved(page)
    assert grades(page)[IDS[7]] == "B"
    press(page, "k", "k", "k")
    expect(part(page, "click-select")).to_have_attribute("aria-pressed", "true")


def test_the_rest_of_a_page_is_graded_by_two_keys_and_pages_stay_as_they_are(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "a", "e", "x")
    all_saved(page)
    assert grades(page) == {IDS[0]: "A"} | dict.fromkeys(IDS[1:9], "X")
    press(page, "PageDown")
    on_page(page, 2)
    assert shown(page) == IDS[9:18]
    press(page, "PageUp")
    on_page(page, 1)
    assert grades(page) == {IDS[0]: "A"} | dict.fromkeys(IDS[1:9], "X")
    page.reload()
    on_page(page, 1)
    assert shown(page) == IDS[:9]
    press(page, "u")
    all_saved(page)
    assert grades(page).get(IDS[8]) is None
    press(page, "l")
    expect(part(page, "pages")).to_have_text("of 2")
    on_page(page, 1)
    assert shown(page) == IDS[8:17]


def test_a_regrade_keeps_what_was_said_and_supersedes(page: Page, campaign: Campaign, served: Serve) -> None:
    server = served(campaign)
    page.goto(f"{server.url}/vet")
    painted(page)
    press(page, "t", "q", "m")
    page.keyboard.type("an arc in the north")
    press(page, "Escape", "a")
    all_saved(page)
    open_mosaic(page, server.url)
    part(page, "show").select_option("all")
    expect(cell(page, IDS[0])).to_have_attribute("data-grade", "A")
    on_page(page, 1)
    press(page, "c")
    all_saved(page)
    old, new = votes_of(campaign)
    assert (new.grade, new.comment, new.tags, new.supersedes) == ("C", old.comment, old.tags, old.vote_id)


def test_a_flag_goes_with_the_grade_and_revises_one_that_stands(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "f", "f", "x", "a", "ArrowLeft", "f", "w")
    all_saved(page)
    assert [(vote.object_id, vote.grade, vote.flag) for vote in votes_of(campaign)] == [
        (IDS[0], "X", "false_positive"),
        (IDS[1], "A", None),
        (IDS[1], "A", "wrong_reason"),
    ]
    expect(cell(page, IDS[1]).locator(".flag")).to_have_text("⚑")


def test_enter_opens_the_stage_there_and_escape_comes_back_to_the_same_place(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "x", "PageDown")
    on_page(page, 2)
    press(page, "ArrowRight", "ArrowDown", "Enter")
    expect(page).to_have_url(re.compile(r"/vet\?"))
    stage = page.locator(".stage")
    expect(stage).to_have_attribute("data-object-id", IDS[13])
    press(page, "Escape")
    expect(page).to_have_url(re.compile(r"/mosaic$"))
    on_page(page, 2)
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[13])
    press(page, "Enter")
    expect(stage).to_have_attribute("data-object-id", IDS[13])
    press(page, "b")
    expect(stage).to_have_attribute("data-object-id", IDS[14])  # on to the next cell
    page.go_back()
    on_page(page, 2)
    expect(cell(page, IDS[13])).to_have_attribute("data-grade", "B")
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[14])
    all_saved(page)
    press(page, "u", "u")
    on_page(page, 1)
    all_saved(page)
    assert grades(page) == {}
    assert [vote.kind for vote in votes_of(campaign)] == ["grade", "grade", "undo", "undo"]


def test_a_stage_that_was_opened_from_here_leads_back_after_a_reload(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "PageDown")
    on_page(page, 2)
    press(page, "Enter")
    expect(page.locator(".stage")).to_have_attribute("data-object-id", IDS[9])
    page.reload()
    painted(page)
    press(page, "Escape")
    on_page(page, 2)
    assert shown(page) == IDS[9:18]


def test_pages_and_ids_are_jumped_to_by_keys(page: Page, campaign: Campaign, served: Serve) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "g")
    page.keyboard.type("3")
    press(page, "Enter")
    on_page(page, 3)
    assert shown(page) == IDS[18:]
    press(page, "PageDown")
    expect(part(page, "notice")).to_contain_text("last page")
    press(page, "j")
    page.keyboard.type(IDS[12])
    press(page, "Enter")
    on_page(page, 2)
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[12])
    press(page, "j")
    page.keyboard.type("no such id")
    press(page, "Enter")
    expect(part(page, "notice")).to_contain_text("not in this list")
    press(page, "Home", "ArrowLeft")
    on_page(page, 1)
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[8])


@pytest.mark.parametrize("side", [3, 10, 20])
@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440), (700, 1000), (900, 600)])
def test_any_grid_fits_any_window_with_square_cells_without_gaps(
    side: int, size: tuple[int, int], page: Page, tmp_path: Path, served: Serve
) -> None:
    names = [f"object {n:03d}" for n in range(401)]
    campaign = campaign_of(
        tmp_path / "c", [cutout(name, galaxy(n, shape=(24, 24))) for n, name in enumerate(names)]
    )
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_mosaic(page, served(campaign).url, side=side)
    assert shown(page) == names[: side**2]
    boxes = page.locator(".cell").evaluate_all(
        "all => all.map(c => c.getBoundingClientRect()).map(b => [b.x, b.y, b.width, b.height])"
    )
    width = boxes[0][2]
    for n, (x, y, w, h) in enumerate(boxes):
        assert (w, h) == (pytest.approx(width, abs=0.1), pytest.approx(width, abs=0.1))
        assert x == pytest.approx(boxes[0][0] + width * (n % side), abs=0.1)
        assert y == pytest.approx(boxes[0][1] + width * (n // side), abs=0.1)
    assert boxes[-1][0] + width <= size[0]
    assert boxes[-1][1] + width <= size[1]
    assert page.evaluate(READABLE) == []


def test_more_and_fewer_cells_keep_the_frame_on_its_object(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    open_mosaic(page, served(campaign).url)
    press(page, "PageDown")
    on_page(page, 2)
    press(page, "ArrowRight", ".")
    on_page(page, 1)
    expect(part(page, "size")).to_have_text("4 × 4")
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[10])
    press(page, ",", ",")
    on_page(page, 2)
    expect(part(page, "size")).to_have_text("3 × 3")
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", IDS[10])


def test_where_grading_is_blind_no_score_is_on_the_page_or_asked_for(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = campaign_of(
        tmp_path / "blind", [cutout(name, galaxy(n)) for n, name in enumerate(IDS[:9])], reveal="after-grade"
    )
    score(campaign, dict.fromkeys(IDS[:9], 0.4321), model_version=VERSION)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_mosaic(page, served(campaign).url)
    expect(part(page, "verdict")).to_contain_text("blind")
    graded = shown(page)[0]
    press(page, "a", "z", "p", "1")
    all_saved(page)
    expect(page.locator(".score-bar")).to_have_count(0)
    expect(part(page, "bars")).to_be_hidden()
    assert not [url for url in asked if "cells/verdicts" in url]
    assert "0.43" not in page.content()
    press(page, "ArrowLeft", "Enter")  # the stage shows what may be known after the grade
    expect(part(page, "scores")).to_contain_text("0.43")
    press(page, "Escape")
    on_page(page, 1)
    expect(page.locator(".cell.cursor")).to_have_attribute("data-object-id", graded)
    press(page, "c")
    all_saved(page)
    assert [(vote.grade, vote.phase) for vote in votes_of(campaign)] == [("A", "blind"), ("C", "revealed")]


def test_maps_that_are_stored_are_drawn_in_all_cells_and_none_is_computed(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    map_ = np.zeros((64, 64), np.float32)
    map_[8:20, 8:20] = 1.0
    for name in IDS[:4]:
        stored = campaign.objects().get(name)
        assert stored is not None
        MapStore(campaign.maps_path(VERSION, "grad-cam"), signed=False, unit="logit, relative").write(
            stored, map_
        )
    open_mosaic(page, served(campaign).url)
    before = [colour_at(page, n, 0.2, 0.2) for n in (0, 5)]
    press(page, "2")
    expect(part(page, "caption")).to_contain_text("stored for 4 of 9")
    after = [colour_at(page, n, 0.2, 0.2) for n in (0, 5)]
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize("side", [3, 20])
def test_a_cell_has_the_colours_of_the_stage(side: int, page: Page, tmp_path: Path, served: Serve) -> None:
    """Also where it is averaged, since its limits are those of the full pixels."""
    y, x = np.indices((200, 200))
    light = np.exp(-np.hypot(y - 99.5, x - 99.5) / 40).astype(np.float32)
    planes = {
        band: Plane(gain * light, 0.1, 24.6)
        for band, gain in (("VIS", 5.0), ("Y", 6.0), ("J", 3.0), ("H", 4.0))
    }
    campaign = campaign_of(tmp_path / "c", [cutout("one", planes)])
    server = served(campaign)
    page.goto(f"{server.url}/vet")
    painted(page)
    middle = page.evaluate(
        """() => { const c = document.querySelector('.picture canvas');
        const d = c.getContext('2d').getImageData(c.width / 2 + 40, c.height / 2 + 40, 9, 9).data;
        return [0, 1, 2].map(k => [...d].filter((_, i) => i % 4 === k).reduce((s, v) => s + v, 0) / 81); }"""
    )
    extent = page.evaluate(
        "(() => { const c = document.querySelector('.picture canvas'); return Math.min(c.width, c.height); })()"
    )
    open_mosaic(page, server.url, side=side)
    shift = 44 / extent
    found = colour_at(page, 0, 0.5 + shift, 0.5 - shift)
    assert found == pytest.approx(middle, abs=14 if side == 20 else 8)


def colour_at(page: Page, index: int, x: float, y: float) -> list[float]:
    """Red, green, blue in a cell, from its lower left corner in shares of its side."""
    found: list[float] = page.evaluate(
        """([index, x, y]) => { const c = document.querySelector('.grid canvas');
        const cells = document.querySelectorAll('.cell').length, rows = Math.sqrt(cells), side = c.width / rows;
        const at = [(index % rows + x) * side, (Math.floor(index / rows) + 1 - y) * side].map(Math.floor);
        return [...c.getContext('2d').getImageData(...at, 1, 1).data].slice(0, 3); }""",
        [index, x, y],
    )
    return found


def test_odd_cutouts_and_hostile_ids_fill_their_cells(
    page: Page, tmp_path: Path, served: Serve, screenshots: Path
) -> None:
    cutouts = [*ODD.values(), *(cutout(name, galaxy(n)) for n, name in enumerate(HOSTILE))]
    campaign = campaign_of(tmp_path / "odd", cutouts)
    open_mosaic(page, served(campaign).url, side=5)
    assert len(shown(page)) == len(cutouts)
    expect(part(page, "mosaic")).to_have_attribute("data-painted", str(len(cutouts)))
    press(page, "v", "r", "v", "+", "n", "w", "0")
    on_page(page, 1)
    page.screenshot(path=screenshots / "mosaic-odd.png")
    press(page, "E", "c")
    all_saved(page)
    assert len(votes_of(campaign)) == len(cutouts)
    assert "1" not in page.title()


def test_votes_of_a_page_wait_while_the_server_is_away_and_nothing_unpainted_is_graded(
    page: Page, campaign: Campaign, served: Serve
) -> None:
    server = served(campaign)
    open_mosaic(page, server.url)
    page.wait_for_load_state("networkidle")
    server.kill()
    press(page, "E", "x")
    expect(part(page, "saved")).to_contain_text("9 waiting")
    press(page, "g")
    page.keyboard.type("3")
    press(page, "Enter", "a")
    server.start()
    all_saved(page)
    kept = votes_of(campaign)
    assert [(vote.object_id, vote.grade) for vote in kept[:9]] == [(name, "X") for name in IDS[:9]]
    assert {vote.object_id for vote in kept[9:]} <= {IDS[0]}


def test_a_campaign_without_candidates_says_what_to_do(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = create_campaign(tmp_path / "empty", survey="euclid", title="Nothing yet")
    page.goto(f"{served(campaign).url}/mosaic")
    expect(part(page, "message")).to_contain_text("lensvet ingest")


def test_every_button_and_menu_says_its_key(page: Page, campaign: Campaign, served: Serve) -> None:
    open_mosaic(page, served(campaign).url)
    titles = page.locator(".panel button, .panel select, .panel input").evaluate_all(
        "all => all.map(one => one.title)"
    )
    assert titles
    assert [title for title in titles if not re.search(r"\([^)]+\)", title)] == []
    press(page, "?")
    expect(part(page, "help-sheet")).to_contain_text("every cell without a grade")
    press(page, "Escape")
    expect(part(page, "help-sheet")).to_be_hidden()
