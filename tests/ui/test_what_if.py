"""What if on `/vet`: a brush hides pixels and the verdict follows; undo, comment, leaving, all by keys too."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from data.campaign import Campaign
from data.simulations import simulate
from lensmodel.models import model_named
from lensmodel.scoring import score
from tests.fixtures.galaxies import campaign_of, cutout, galaxy
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press
from tests.ui.test_vet import votes_of

pytestmark = pytest.mark.browser

Serve = Callable[[Campaign], Server]
# Mean red of 16x16 screen pixels about a place on the page.
LEVEL = """([x, y]) => {
  const canvas = document.querySelector('.picture canvas');
  const box = canvas.getBoundingClientRect(), ratio = canvas.width / canvas.clientWidth;
  const { data } = canvas.getContext('2d').getImageData((x - box.x) * ratio - 8, (y - box.y) * ratio - 8, 16, 16);
  return data.filter((_, i) => i % 4 === 0).reduce((sum, value) => sum + value) / 256;
}"""
LOADING_MS = 120_000  # the first question starts a process that imports torch


@pytest.fixture(scope="module")
def lenses(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Simulated objects as evidence-net scores them, the most lens-like a lens."""
    from data.campaign import create_campaign

    campaign = create_campaign(tmp_path_factory.mktemp("lenses") / "c", survey="euclid", title="Lenses")
    simulate(campaign, number=24, seed=5, recipe="held-out")
    score(campaign, model_named("evidence-net"))
    return campaign


def begin(page: Page, *, key: str = "h") -> None:
    """Take a tool and wait until the network has judged the pixels as they are then."""
    press(page, key)
    expect(part(page, "what-if")).to_have_attribute("data-strokes", "0", timeout=LOADING_MS)


def answered(page: Page, strokes: int) -> str:
    """What is said once that many strokes are judged."""
    expect(part(page, "what-if")).to_have_attribute("data-strokes", str(strokes))
    return part(page, "what-if").text_content() or ""


def place(page: Page, x_arcsec: float, y_arcsec: float, field_arcsec: float = 10.0) -> tuple[float, float]:
    box = page.locator(".picture canvas").bounding_box()
    assert box is not None
    scale = min(box["width"], box["height"]) / field_arcsec
    return box["x"] + box["width"] / 2 + x_arcsec * scale, box["y"] + box["height"] / 2 - y_arcsec * scale


def drag(page: Page, *path: tuple[float, float], field_arcsec: float = 10.0) -> None:
    page.mouse.move(*place(page, *path[0], field_arcsec))
    page.mouse.down()
    for point in path[1:]:
        page.mouse.move(*place(page, *point, field_arcsec))
    page.mouse.up()


def pixels(page: Page) -> str:
    """What is on the canvas, with the position on it, as a data URL."""
    expect(part(page, "view")).to_contain_text("position")
    shown: str = page.evaluate("document.querySelector('.picture canvas').toDataURL()")
    return shown


def p_lens_now(words: str) -> float:
    return float(re.findall(r"p_lens [\d.]+ → ([\d.]+)", words)[0])


def position_of(campaign: Campaign, object_id: str) -> tuple[float, float]:
    columns = campaign.objects().get(object_id).columns
    return columns["lens_x_arcsec"], columns["lens_y_arcsec"]


def test_hiding_a_lens_lowers_its_p_and_undo_and_escape_bring_everything_back(
    page: Page, lenses: Campaign, served: Serve
) -> None:
    lens = open_vet(page, served(lenses).url)
    before = pixels(page)
    begin(page)
    as_it_is = answered(page, 0)
    assert "hide pixels" in as_it_is
    x, y = position_of(lenses, lens)
    for _ in range(6):
        press(page, "]")
    drag(
        page,
        *((x + r * math.cos(a / 4), y + r * math.sin(a / 4)) for r in (0.6, 1.6, 2.4) for a in range(26)),
    )
    hidden = answered(page, 1)
    assert p_lens_now(hidden) < 0.5
    assert re.search(r"logit −[\d.]+", hidden)
    drag(page, (-4.5, -4.5), (-4.0, -4.5))
    answered(page, 2)
    press(page, "u")
    assert answered(page, 1) == hidden
    press(page, "Control+z")
    assert answered(page, 0) == as_it_is
    drag(page, (x, y), (x + 0.5, y))
    answered(page, 1)
    press(page, "Escape")
    expect(part(page, "what-if")).to_be_hidden()
    page.mouse.move(0, 0)
    assert pixels(page) == before
    assert votes_of(lenses) == []


def test_hidden_pixels_look_hidden_and_keep_the_scale_of_the_others(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = campaign_of(tmp_path / "c", [cutout("one", galaxy(3))])
    score(campaign, model_named("evidence-net"))
    open_vet(page, served(campaign).url)
    press(page, "p")
    centre, aside = place(page, 0, 0, 6.4), place(page, 0.9, -0.9, 6.4)
    bright, other = page.evaluate(LEVEL, centre), page.evaluate(LEVEL, aside)
    begin(page)
    part(page, "what-if-fill").select_option("sky")
    page.mouse.move(*centre)
    page.mouse.down()
    page.mouse.up()
    answered(page, 1)
    page.mouse.move(0, 0)
    assert page.evaluate(LEVEL, centre) < 0.5 * bright
    assert page.evaluate(LEVEL, aside) == pytest.approx(other, abs=1)


def test_with_keys_alone_a_dot_is_hidden_and_kept_in_the_comment_of_the_vote(
    page: Page, lenses: Campaign, served: Serve
) -> None:
    lens = open_vet(page, served(lenses).url)
    press(page, "m")
    page.keyboard.type("arc?")
    press(page, "Escape")
    begin(page)
    press(page, "g", "z", "]", "]", "Shift+ArrowUp", "ArrowLeft", "Enter", "K")
    answered(page, 1)
    expect(part(page, "comment")).to_have_value(re.compile("VIS only"))
    grade(page, "b")
    expect(part(page, "what-if-panel")).to_be_hidden()
    all_saved(page)
    [vote] = [vote for vote in votes_of(lenses) if vote.object_id == lens]
    version = model_named("evidence-net").version
    x, y = position_of(lenses, lens)
    found = re.fullmatch(
        r'arc\?\nhid ([\d.]+) arcsec² at \((.+)", (.+)"\) \[sky, VIS only\]: '
        rf"p_lens [\d.]+ → [\d.]+ \(logit [+−][\d.]+\), {re.escape(version)}",
        vote.comment,
    )
    assert found, vote.comment
    assert float(found[1]) == pytest.approx(math.pi * (0.3 * 1.25**2) ** 2, rel=0.15)
    place_arcsec = [float(number.replace("−", "-")) for number in found.groups()[1:]]
    assert place_arcsec == pytest.approx([x - 0.1, y + 1.0], abs=0.4)
    press(page, "u")
    assert painted(page, other_than="") == lens
    all_saved(page)


def test_walking_on_ends_it_and_the_next_candidate_is_untouched(
    page: Page, lenses: Campaign, served: Serve
) -> None:
    first = open_vet(page, served(lenses).url)
    begin(page)
    drag(page, (0, 0), (1, 1))
    answered(page, 1)
    page.locator(".slot").nth(8).click()
    second = painted(page, other_than=first)
    expect(part(page, "what-if")).to_be_hidden()
    expect(part(page, "what-if-hide")).to_have_attribute("aria-pressed", "false")
    press(page, "ArrowLeft")
    assert painted(page, other_than=second) == first
    begin(page)
    assert "hide pixels" in answered(page, 0)


def test_the_evidence_map_follows_on_the_scale_that_it_had(
    page: Page, lenses: Campaign, served: Serve
) -> None:
    lens = open_vet(page, served(lenses).url)
    press(page, "1")
    expect(part(page, "caption")).to_contain_text("Evidence of", timeout=LOADING_MS)
    begin(page)
    with page.expect_response("**/what-if") as found:
        drag(page, position_of(lenses, lens), (0, 0))
    assert found.value.request.post_data_json["map"] is True
    answered(page, 1)
    expect(part(page, "caption")).to_contain_text("Evidence of Evidence network: How")
    scale = """import('/assets/stage/pixels.js').then(({ mapScale }) => {
      const before = { signed: false, values: new Float32Array([1, 2, 4]) };
      const now = { signed: false, values: new Float32Array([0, 1, 1]), comparedWith: before };
      return mapScale(now) === mapScale(before);
    })"""
    assert page.evaluate(scale)
    press(page, "2")
    expect(part(page, "caption")).to_contain_text("Grad-CAM of Evidence network, before", timeout=LOADING_MS)


def test_a_model_that_cannot_see_the_pixels_says_why(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(tmp_path / "c", [cutout("one", galaxy(3))])
    score(campaign, model_named("evidence-net"))
    open_vet(page, served(campaign).url)
    begin(page)
    part(page, "what-if-fill").select_option("sky")
    for _ in range(12):
        press(page, "]")
    drag(page, *((x, y) for y in (-2, 0, 2) for x in (-2, 2)))
    expect(part(page, "what-if")).to_contain_text("constant")
    press(page, "u")
    assert "hide pixels" in answered(page, 0)


def test_a_lens_is_put_where_one_points_and_is_gone_after_undo_or_escape(
    page: Page, tmp_path: Path, served: Serve
) -> None:
    campaign = campaign_of(tmp_path / "c", [cutout("one", galaxy(3))])
    score(campaign, model_named("evidence-net"))
    open_vet(page, served(campaign).url)
    before = pixels(page)
    begin(page, key="e")
    at_the_position = answered(page, 0)
    drag(page, (1.0, 1.0), (-1.0, 0.8), field_arcsec=6.4)
    expect(part(page, "what-if")).not_to_have_text(at_the_position)
    answered(page, 0)
    press(page, "]", "ArrowRight", "K")
    expect(part(page, "comment")).to_have_value(
        re.compile(r'^added a simulated lens at \(−0.9", \+0.8"\) \[θ_E 1.34", source 23.5 mag, VIS-Y 0.3')
    )
    with page.expect_response("**/what-if") as found:
        part(page, "what-if-panel").get_by_label("mag").press("ArrowLeft")
    assert found.value.request.post_data_json["inject"]["mag_vis"] == pytest.approx(23.4)
    answered(page, 0)
    with page.expect_response("**/what-if") as found:
        press(page, "u")
    assert found.value.request.post_data_json["inject"] is None
    answered(page, 0)
    expect(part(page, "what-if")).to_contain_text("click where the lens should be")
    press(page, "Enter")
    expect(part(page, "what-if")).to_contain_text("→")
    press(page, "h")  # the brush in the same picture
    drag(page, (2.0, 2.0), (2.4, 2.0))
    answered(page, 1)
    part(page, "comment").fill("")
    press(page, "Escape", "K")
    expect(part(page, "comment")).to_have_value(
        re.compile(r"^hid .* arcsec² at .*, added a simulated lens at ")
    )
    part(page, "comment").fill("")
    press(page, "Escape", "Escape")
    expect(part(page, "what-if")).to_be_hidden()
    page.mouse.move(0, 0)
    assert pixels(page) == before


def test_before_a_blind_grade_there_is_no_what_if(page: Page, tmp_path: Path, served: Serve) -> None:
    campaign = campaign_of(
        tmp_path / "c", [cutout(name, galaxy(n)) for n, name in enumerate("ab")], reveal="after-grade"
    )
    score(campaign, model_named("evidence-net"))
    open_vet(page, served(campaign).url)
    expect(part(page, "withheld")).to_be_visible()
    expect(part(page, "what-if-hide")).to_be_disabled()
    press(page, "h")
    expect(part(page, "notice")).to_contain_text("after your grade")
    expect(part(page, "what-if-panel")).to_be_hidden()
