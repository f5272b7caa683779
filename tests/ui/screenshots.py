"""`make screenshots`: the pictures of the README, taken of the demo as a newcomer sees it."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.fixtures.browsers import open_chromium
from tests.fixtures.servers import address_in, lensvet_process
from tests.ui.stage import all_saved, grade, open_vet, painted, part, press

OUT = Path(__file__).resolve().parents[2] / "docs"
MAP_WAIT_MS = 60_000


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


def _with_map(page: Page, key: str, title: str) -> None:
    press(page, key)
    expect(part(page, "caption")).to_contain_text(title, timeout=MAP_WAIT_MS)


if __name__ == "__main__":
    main()
