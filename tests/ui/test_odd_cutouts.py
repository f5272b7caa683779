"""What real campaigns bring: one band or twelve, tiny and large, holes, colour images, hostile ids."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from data.campaign import Campaign, create_campaign
from data.cutouts import Cutout, Plane
from lensmodel.models import default_model, write_card
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.ui.conftest import Server
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press

pytestmark = pytest.mark.browser

HOSTILE = [
    '<img src=x onerror="document.title=1">',
    '"; DROP TABLE votes; --',
    "=1+1",
    "a/b/../planes?x=1#y%2F",
    "line\nbreak",
    "レンズ-Öффский-🔭",
    "L" * 400,
]


def full(value: float, shape: tuple[int, int] = (40, 40)) -> Plane:
    return Plane(np.full(shape, value, np.float32), 0.1, 24.6)


def holed() -> dict[str, Plane]:
    planes = galaxy(3)
    planes["VIS"].flux[10:30, 10:30] = np.nan
    return planes


ODD: dict[str, Cutout] = {
    "one band": cutout("one band", galaxy(1, bands=("VIS",))),
    "twelve bands": cutout("twelve bands", galaxy(2, bands=tuple(f"F{n}W" for n in range(12)))),
    "24 px": cutout("24 px", galaxy(3, shape=(24, 24))),
    "600 px": cutout("600 px", galaxy(4, shape=(600, 600))),
    "not square": cutout("not square", galaxy(5, shape=(30, 90))),
    "holes": cutout("holes", holed(), warnings=("VIS has 400 unmeasured pixels",)),
    "no data": cutout("no data", {"VIS": full(float("nan")), "Y": full(1.0)}),
    "constant": cutout("constant", {"VIS": full(3.0)}),
    "no sky position": cutout(
        "no sky position", galaxy(6), ra_deg=float("nan"), dec_deg=float("nan"), cd_deg=None
    ),
    "no pixel scale": cutout("no pixel scale", {"VIS": Plane(galaxy(7)["VIS"].flux)}),
    "colour": cutout(
        "colour",
        {
            c: Plane(np.random.default_rng(n).uniform(0, 255, (50, 50)).astype(np.float32))
            for n, c in enumerate("RGB")
        },
        kind="colour",
    ),
    "two scales": cutout(
        "two scales",
        {"VIS": galaxy(8, shape=(90, 90))["VIS"], "H": Plane(galaxy(8, shape=(30, 30))["H"].flux, 0.3, 30.0)},
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_cutout_is_shown_in_every_band_and_stretch(
    name: str, page: Page, tmp_path: Path, served: Callable[[Campaign], Server], screenshots: Path
) -> None:
    campaign = campaign_of(tmp_path / "odd", [ODD[name]])
    assert open_vet(page, served(campaign).url) == name
    bands = page.locator(".bands .band").count()
    press(page, *(["v", "r"] * max(bands, 4)), "+", "+", "-", "0", "n", "w")
    page.screenshot(path=screenshots / f"odd-{name.replace(' ', '-')}.png")
    press(page, "a")
    all_saved(page)
    expect(part(page, "message")).to_contain_text("Every candidate has your grade")


def test_hostile_ids_are_shown_as_text_and_keep_their_votes(
    page: Page, tmp_path: Path, served: Callable[[Campaign], Server]
) -> None:
    campaign = campaign_of(tmp_path / "hostile", [cutout(name, galaxy(n)) for n, name in enumerate(HOSTILE)])
    server = served(campaign)
    open_vet(page, server.url)
    seen = []
    for _ in HOSTILE[:-1]:
        expect(part(page, "object-id")).to_have_text(painted(page))
        seen.append(grade(page, "b"))
    assert set(seen) == set(HOSTILE[:-1]) or set(seen) < set(HOSTILE)
    assert len(set(seen)) == len(HOSTILE) - 1
    all_saved(page)
    assert "1" not in page.title()
    assert page.locator(".vet img").count() == 0


def test_an_empty_campaign_says_what_to_do(
    page: Page, tmp_path: Path, served: Callable[[Campaign], Server]
) -> None:
    campaign = create_campaign(tmp_path / "empty", survey="euclid", title="Nothing yet")
    page.goto(f"{served(campaign).url}/vet")
    expect(part(page, "message")).to_contain_text("lensvet ingest")


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (1920, 1080), (2560, 1440)])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_fits_the_window_and_can_be_read(
    size: tuple[int, int],
    theme: str,
    page: Page,
    tmp_path: Path,
    served: Callable[[Campaign], Server],
    screenshots: Path,
) -> None:
    campaign = campaign_of(
        tmp_path / "sizes",
        [cutout(f"object {n}", galaxy(n), columns={"mag_vis": 21.0 + n}) for n in range(9)],
        title="Candidates of the deep fields",
    )
    for version in (default_model().version, "a-network-with-a-very-long-name-0123abcd"):
        p_lens = {f"object {n}": (n + 1) / 10 for n in range(9)}
        score(campaign, p_lens, model_version=version, bands_missing="Y,J,H")
    write_card(default_model(), campaign.scores_path(default_model().version) / "model.json")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_vet(page, served(campaign).url)
    expect(part(page, "scores")).to_contain_text("p_lens")
    for hint, words in zip(part(page, "judged-from").all(), ("VIS alone", "without Y, J, H"), strict=True):
        expect(hint).to_have_text(words)
        assert hint.evaluate("one => one.scrollWidth <= one.clientWidth"), "cut off"
    if theme == "light":
        press(page, "y")
    page.screenshot(path=screenshots / f"vet-{size[0]}x{size[1]}-{theme}.png")
    problems = page.evaluate(READABLE)
    assert problems == []


# Runs in the page: nothing outside the window, no text below 13 px, contrast 4.5 to 1 (WCAG 2.1, 1.4.3).
READABLE = """() => {
  const problems = [];
  const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll('.vet *')) {
    const box = element.getBoundingClientRect();
    const own = [...element.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim()).length;
    if (!own || !box.width || !box.height || element.closest('dialog:not([open])')) continue;
    const style = getComputedStyle(element);
    const name = `${element.tagName} "${element.textContent.trim().slice(0, 30)}"`;
    if (parseFloat(style.fontSize) < 13) problems.push(`${name}: ${style.fontSize}`);
    if (box.right > innerWidth + 1 || box.left < -1) problems.push(`${name}: outside the window`);
    if (element.disabled || element.closest('.picture')) continue;
    const [a, b] = [luminance(parse(style.color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) problems.push(`${name}: contrast ${contrast.toFixed(2)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push('the page scrolls sideways');
  return problems;
}"""
