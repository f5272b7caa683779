"""`/why` in a real browser: a true sentence, linked plots, a gallery that follows, saving, and the way to /vet."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from data.campaign import Campaign
from lensmodel.models import default_model
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.ui.conftest import Server
from tests.ui.stage import open_vet, painted, part, press

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
FOUND = {"ring": 9, "arc": 3}  # of ten each
PLOTTED_MS = 60_000


@pytest.fixture
def known(tmp_path: Path) -> Campaign:
    """Ten rings, ten arcs and twenty spirals; 12 lenses are found at p > 0.5, no spiral passes."""
    cutouts, p_lens = [], {}
    for subtype, number in (("ring", 10), ("arc", 10), ("spiral", 20)):
        for n in range(number):
            name = f"{subtype} {n}"
            class_ = "nonlens" if subtype == "spiral" else "lens"
            columns = {"class": class_, "subtype": subtype}
            if class_ == "lens":
                columns |= {"theta_E_arcsec": 0.8 + n / 10, "lens_x_arcsec": 0.0, "lens_y_arcsec": 0.0}
            cutouts.append(cutout(name, galaxy(len(cutouts)), columns=columns))
            p_lens[name] = (0.9 if n < FOUND.get(subtype, 0) else 0.2) - n / 100
    campaign = campaign_of(tmp_path / "known", cutouts)
    score(campaign, p_lens)
    return campaign


def card(page: Page, name: str) -> Locator:
    return part(page, f"card-{name}")


def open_why(page: Page, url: str) -> None:
    """Open the page and wait until all is drawn: the gallery comes after the plots."""
    page.goto(f"{url}/why")
    expect(part(page, "gallery")).to_be_visible(timeout=PLOTTED_MS)


def choose(page: Page, subtype: str) -> None:
    """Select a subtype by its button among the numbers."""
    details = card(page, "subtype").locator("details")
    if details.get_attribute("open") is None:
        details.locator("summary").press("Enter")
    details.get_by_role("button", name=subtype).press("Enter")


def test_the_sentence_is_true_and_a_selected_subtype_restricts_the_gallery_and_leads_to_vet(
    page: Page, known: Campaign, served: Serve, screenshots: Path
) -> None:
    server = served(known)
    open_why(page, server.url)
    expect(part(page, "summary")).to_contain_text("test-net-0 finds 60.0 % (38.7 to 78.1 %; 12 of 20)")
    expect(part(page, "gallery-count")).to_contain_text("8 of 8")
    page.screenshot(path=screenshots / "why.png", full_page=True)
    choose(page, "ring")
    expect(part(page, "chosen")).to_contain_text("Selected: subtype ring")
    expect(part(page, "gallery-count")).to_contain_text("1 of 1")
    expect(card(page, "subtype").get_by_role("button", name="ring")).to_have_attribute("aria-pressed", "true")
    page.locator('[data-object-id="ring 9"]').click()
    assert painted(page) == "ring 9"
    assert page.url == f"{server.url}/vet"


def test_escape_and_the_button_clear_a_selection(page: Page, known: Campaign, served: Serve) -> None:
    open_why(page, served(known).url)
    choose(page, "arc")
    expect(part(page, "gallery-count")).to_contain_text("7 of 7")
    press(page, "Escape")
    expect(part(page, "gallery-count")).to_contain_text("8 of 8")
    choose(page, "arc")
    page.get_by_role("button", name="clear").click()
    expect(part(page, "gallery-count")).to_contain_text("8 of 8")


def test_a_click_on_a_bar_selects_it(page: Page, known: Campaign, served: Serve) -> None:
    open_why(page, served(known).url)
    place = page.evaluate(
        """() => {
          const [view] = [...Bokeh.index.query((view) => view.model.name === 'subtype')];
          view.el.scrollIntoView();
          const box = view.el.getBoundingClientRect();
          const { x_scale, y_scale, bbox } = view.frame;
          return [box.x + x_scale.compute(0.1), box.y + y_scale.compute(1)];
        }"""
    )
    page.mouse.click(*place)
    expect(part(page, "chosen")).to_contain_text("Selected: subtype ring")  # the higher of two bars
    expect(part(page, "gallery-count")).to_contain_text("1 of 1")


def test_a_plot_is_saved_as_picture_and_as_table(
    page: Page, known: Campaign, served: Serve, tmp_path: Path
) -> None:
    open_why(page, served(known).url)
    begins = {"PNG": b"\x89PNG", "SVG": b"<svg", "CSV": b"# Test campaign: test-net-0"}
    for kind, start in begins.items():
        with page.expect_download() as download:
            card(page, "subtype").get_by_role("button", name=kind).click()
        path = tmp_path / f"plot.{kind.lower()}"
        download.value.save_as(path)
        assert download.value.suggested_filename == f"why-test-campaign-subtype.{kind.lower()}"
        assert path.read_bytes().startswith(start)
    table = (tmp_path / "plot.csv").read_text(encoding="utf-8").splitlines()
    names = [name.strip('"') for name in table[2].split(",")]
    rows = [
        dict(zip(names, (cell.strip('"') for cell in line.split(",")), strict=True)) for line in table[3:]
    ]
    assert {row["bin"]: (row["found"], row["of"]) for row in rows} == {
        "arc": ("3", "10"),
        "ring": ("9", "10"),
    }


def test_the_header_of_vet_leads_there_and_back_by_key(page: Page, known: Campaign, served: Serve) -> None:
    open_vet(page, served(known).url)
    press(page, "W")
    expect(part(page, "summary")).to_be_visible(timeout=PLOTTED_MS)
    part(page, "to-vet").press("Enter")
    painted(page)


def test_what_cannot_be_computed_is_a_sentence(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(tmp_path / "unscored", [cutout("a")])
    page.goto(f"{served(campaign).url}/why")
    expect(part(page, "problem")).to_contain_text("lensvet score", timeout=PLOTTED_MS)
    expect(part(page, "gallery")).to_have_count(0)


def test_what_the_network_imagines_is_shown_when_asked_for_and_kept(
    page: Page, known: Campaign, served: Serve, screenshots: Path
) -> None:
    ids = known.objects().ids
    score(known, {name: 0.9 - n / 100 for n, name in enumerate(ids)}, model_version=default_model().version)
    server = served(known)
    page.goto(f"{server.url}/why")
    page.get_by_label("Network").select_option("evidence-net")
    imagine = page.get_by_role("button", name="Imagine")
    expect(imagine).to_be_enabled(timeout=PLOTTED_MS)
    expect(part(page, "dreams")).to_have_count(0)
    imagine.click()
    expect(part(page, "dreams")).to_be_visible(timeout=PLOTTED_MS)
    expect(part(page, "dreams").locator("img")).to_have_count(3)
    expect(imagine).to_be_hidden()
    part(page, "dreams").scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "why-dreams.png")
    with page.expect_download() as saving:
        part(page, "dreams").get_by_role("link", name="PNG").first.click()
    assert Path(saving.value.path()).read_bytes().startswith(b"\x89PNG")
    expect(part(page, "dreams").locator('a[href^="vet?object="]')).to_have_count(1)
    page.reload()
    page.get_by_label("Network").select_option("evidence-net")
    expect(part(page, "dreams")).to_be_visible(timeout=PLOTTED_MS)
