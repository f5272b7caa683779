"""`/explore` in a real browser: words select, boxes become words, what is selected is kept and vetted."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dashboard.live_table import FEWEST_FOR_UMAP
from data.campaign import Campaign, open_campaign
from data.label_store import LabelStore
from data.scores import write_features
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.fixtures.votes import a_vote
from tests.ui.conftest import Server
from tests.ui.stage import painted, part

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
DRAWN_MS = 60_000
NUMBER = 24
# Resolves once a plot has another picture than the one that it has now.
NEXT_PICTURE = """(name) => new Promise((resolve) => {
  const view = [...window.Bokeh.index.query((v) => v.model.type === "Figure")][name];
  const [image] = view.model.renderers;
  image.data_source.properties.data.change.connect(() => resolve(true));
})"""
PLACES = ("sky", "scatter", "scores")


@pytest.fixture
def survey(tmp_path: Path) -> Campaign:
    """24 galaxies of magnitude 18 to 29.5, the brighter the more lens-like."""
    cutouts, p_lens = [], {}
    for n in range(NUMBER):
        name = f"galaxy {n:02d}"
        cutouts.append(cutout(name, galaxy(n), columns={"mag_i": 18 + n / 2}))
        p_lens[name] = 0.98 - n / 25
    campaign = campaign_of(tmp_path / "survey", cutouts)
    score(campaign, p_lens)
    return campaign


def open_explore(page: Page, url: str) -> None:
    page.goto(f"{url}/explore")
    expect(part(page, "plot-scores")).to_be_visible(timeout=DRAWN_MS)
    page.wait_for_function(
        """() => [...(window.Bokeh?.index?.query((v) => v.model.type === "Figure") ?? [])].length === 3""",
        timeout=DRAWN_MS,
    )
    page.wait_for_function(
        """() => { const [, scatter] = [...window.Bokeh.index.query((v) => v.model.type === "Figure")];
        return scatter.model.renderers[0].data_source.data.image?.[0]?.length > 100; }""",
        timeout=DRAWN_MS,
    )


def say(page: Page, words: str) -> None:
    field = page.get_by_label("Filter")
    field.fill(words)
    field.press("Enter")


def frame_of(page: Page, number: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of a plot's frame on the page."""
    x, y, width, height = page.evaluate(
        """(n) => { const view = [...window.Bokeh.index.query((v) => v.model.type === "Figure")][n];
        const box = view.el.getBoundingClientRect(); const inner = view.frame.bbox;
        return [box.x + inner.left, box.y + inner.top, inner.width, inner.height]; }""",
        number,
    )
    return x, y, width, height


def test_words_select_and_a_mistake_in_them_is_said(
    page: Page, survey: Campaign, served: Serve, screenshots: Path
) -> None:
    server = served(survey)
    open_explore(page, server.url)
    expect(part(page, "selected")).to_contain_text("24 of 24 objects")
    say(page, "mag_i < 20 and p_lens > 0.5")
    expect(part(page, "selected")).to_contain_text("4 of 24 objects: mag_i < 20 and p_lens > 0.5")
    page.wait_for_timeout(500)  # the plots follow; nothing tells when, and only the picture needs them
    page.screenshot(path=screenshots / "explore.png")
    say(page, "mag_i <")
    expect(part(page, "problem")).to_contain_text("expected a number")
    say(page, "nothing = 1")
    expect(part(page, "problem")).to_contain_text("there is no column 'nothing'")
    say(page, "")
    expect(part(page, "selected")).to_contain_text("24 of 24 objects")


def test_a_box_becomes_words_and_a_second_one_in_the_same_plot_takes_its_place(
    page: Page, survey: Campaign, served: Serve
) -> None:
    server = served(survey)
    open_explore(page, server.url)
    x, y, width, height = frame_of(page, PLACES.index("scatter"))
    for share, least, most in ((0.5, 8, 16), (0.25, 3, 9)):
        before = page.get_by_label("Filter").input_value() or "nothing yet"
        page.mouse.move(x + 2, y + 2)
        page.mouse.down()
        page.mouse.move(x + width * share, y + height - 2, steps=4)
        page.mouse.up()
        expect(page.get_by_label("Filter")).not_to_have_value(before)
        expect(page.get_by_label("Filter")).to_have_value(
            re.compile("mag_i >= .* and mag_i <= .* and logit >= .*")
        )
        expect(part(page, "selected")).to_contain_text(page.get_by_label("Filter").input_value())
        found = int(part(page, "selected").inner_text().split()[0])
        assert least <= found <= most, found


def test_moving_the_view_draws_it_anew(page: Page, survey: Campaign, served: Serve) -> None:
    server = served(survey)
    open_explore(page, server.url)
    x, y, width, height = frame_of(page, PLACES.index("scatter"))
    page.mouse.move(x + width / 2, y + height / 2)
    waiting = page.evaluate_handle(f"({{next: ({NEXT_PICTURE})({PLACES.index('scatter')})}})")
    page.mouse.wheel(0, -120)
    assert page.evaluate("(holder) => holder.next", waiting) is True


def test_what_is_selected_is_kept_and_vetted(page: Page, survey: Campaign, served: Serve) -> None:
    server = served(survey)
    open_explore(page, server.url)
    say(page, "mag_i > 25")
    expect(part(page, "selected")).to_contain_text("9 of 24")
    page.get_by_role("button", name="Keep this selection").click()
    expect(part(page, "kept")).to_contain_text("9 objects are kept")
    part(page, "vet-these").click()
    assert painted(page) == "galaxy 15"
    expect(part(page, "progress")).to_contain_text("9 to see")


def first_object(page: Page) -> tuple[float, float]:
    """Where in the window an object of the second plot is: the picture knows, by its first coloured pixel."""
    x, y, width, height = frame_of(page, PLACES.index("scatter"))
    column, row = page.evaluate(
        """() => { const [, view] = [...window.Bokeh.index.query((v) => v.model.type === "Figure")];
        const image = view.model.renderers[0].data_source.data.image[0]; const [rows, columns] = image.shape;
        const at = image.findIndex((value) => value !== 0);
        return [(at % columns + 0.5) / columns, (Math.floor(at / columns) + 0.5) / rows]; }"""
    )
    return x + width * column, y + height * (1 - row)


def test_an_object_is_shown_where_one_clicks(page: Page, survey: Campaign, served: Serve) -> None:
    server = served(survey)
    open_explore(page, server.url)
    page.mouse.click(*first_object(page))
    expect(part(page, "pointed")).to_contain_text("galaxy")
    assert "data:image" in part(page, "pointed").locator("img").get_attribute("src")


def test_a_pointer_that_rests_shows_the_cutout_and_one_that_leaves_does_not(
    page: Page, survey: Campaign, served: Serve, screenshots: Path
) -> None:
    server = served(survey)
    open_explore(page, server.url)
    x, y = first_object(page)
    page.mouse.move(x, y)
    expect(part(page, "hovered")).to_contain_text("galaxy")
    expect(part(page, "hovered")).to_contain_text("p_lens")
    assert "data:image" in part(page, "hovered").locator("img").get_attribute("src")
    card = part(page, "hovered").bounding_box()
    assert abs(card["x"] + card["width"] / 2 - x) < 200
    assert abs(card["y"] + card["height"] / 2 - y) < 200
    page.screenshot(path=screenshots / "explore-hover.png")
    left, top, width, _ = frame_of(page, PLACES.index("scatter"))
    page.mouse.move(left + width - 3, top + 3)
    expect(part(page, "hovered")).to_have_count(0)


def test_grades_colour_the_objects(page: Page, survey: Campaign, served: Serve, screenshots: Path) -> None:
    with LabelStore.open(survey.database_url) as labels:
        for n, grade in enumerate("AABBCX"):
            labels.add(a_vote(object_id=f"galaxy {n:02d}", inspector="Ada", grade=grade))
    server = served(survey)
    open_explore(page, server.url)
    page.get_by_label("Coloured by").select_option("grade")
    expect(part(page, "categories")).to_have_count(2)  # the sky, and one column against another
    for legend in part(page, "categories").all():
        expect(legend).to_contain_text("grade: ■ A")
        expect(legend).to_contain_text("■ none")
    page.screenshot(path=screenshots / "explore-grades.png")


def test_umap_is_offered_when_it_is_ready(page: Page, tmp_path: Path, served: Serve) -> None:
    names = [f"galaxy {n:03d}" for n in range(FEWEST_FOR_UMAP)]
    planes = galaxy(0, shape=(8, 8), bands=("VIS",))
    campaign = campaign_of(tmp_path / "survey", [cutout(name, planes) for name in names])
    score(campaign, dict.fromkeys(names, 0.5))
    features = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float16)
    write_features(campaign.features_path("test-net-0"), names, features, name="part-000000.parquet")
    server = served(campaign)
    page.goto(f"{server.url}/explore")
    expect(part(page, "plot-embedding")).to_be_visible(timeout=DRAWN_MS)
    axes = """() => window.Bokeh.documents.flatMap((d) => [...d._all_models.values()]).map((m) => m.axis_label)"""
    assert "principal component 2" in page.evaluate(axes)
    page.get_by_role("button", name="UMAP is ready").click(timeout=2 * DRAWN_MS)
    page.wait_for_function(f"({axes})().includes('UMAP 2')", timeout=DRAWN_MS)
    expect(page.get_by_role("button", name="UMAP is ready")).to_be_hidden()


def test_a_blind_first_campaign_tells_nothing_here(page: Page, survey: Campaign, served: Serve) -> None:
    settings = survey.settings_path.read_text().replace('reveal = "open"', 'reveal = "after-grade"')
    survey.settings_path.write_text(settings)
    server = served(open_campaign(survey.path))
    page.goto(f"{server.url}/explore")
    expect(part(page, "problem")).to_contain_text("blind first")
    assert "logit" not in page.content()
