"""What the inspector waits for on `/mosaic`: a page of 100 that nobody expected, and the next page, drawn ahead."""

import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from tests.benchmarks.rows import Row, at_most
from tests.fixtures.browsers import open_chromium
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.fixtures.servers import lensvet_process, wait_until_healthy

CANDIDATES = (
    4000  # scored at random, and more than the server keeps in memory: those of a page lie anywhere on disk
)
PAGES = 40
PAUSE_MS = 700  # an inspector looks; pages before and after are drawn ahead
PORT = 5075
AHEAD_MS = 60_000

# Sends a key, or Enter in the field of the page's number, as the browser would deliver it; ms to the frame in which
# every cell of another page is painted.
TURN = """async ([key, number]) => {
  const grid = document.querySelector('[data-testid=mosaic]');
  const field = document.querySelector('[data-testid=page]');
  const pause = () => new Promise((resolve) => setTimeout(resolve, 0));
  const before = grid.dataset.page;
  if (number) field.value = number;
  const start = performance.now();
  (number ? field : document).dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  while (!grid.dataset.page || grid.dataset.page === before) await pause();
  await new Promise((resolve) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(0);
  }));
  return performance.now() - start;
}"""
IS_AHEAD = "Number(document.querySelector('[data-testid=mosaic]')?.dataset.ahead) >= 100"


def bench() -> list[Row]:
    """Rows for one inspector in one browser on this machine."""
    with tempfile.TemporaryDirectory() as folder, open_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        words = ["serve", str(_campaign(Path(folder))), "--port", str(PORT)]
        with lensvet_process(words, log=Path(folder) / "serve.log"):
            wait_until_healthy(f"http://127.0.0.1:{PORT}")
            page.goto(f"http://127.0.0.1:{PORT}/mosaic")
            _wait_until_ahead(page)
            return [_jumps(page), _turns(page)]


def _campaign(folder: Path) -> Path:
    names = [f"object {n}" for n in range(CANDIDATES)]
    planes = (galaxy(n, shape=(100, 100)) for n in range(CANDIDATES))
    campaign = campaign_of(folder / "c", [cutout(i, p) for i, p in zip(names, planes, strict=True)])
    p_lens = np.random.default_rng(0).uniform(0.01, 0.99, CANDIDATES)
    score(campaign, dict(zip(names, p_lens.tolist(), strict=True)))
    return campaign.path


def _jumps(page: Page) -> Row:
    """To pages that nothing was prepared of: none is a neighbour of one that was visited; in two orders."""
    times = []
    for order in ("uncertain", "random"):
        page.reload()  # what the browser keeps of pages is gone
        page.wait_for_function(IS_AHEAD, timeout=AHEAD_MS)
        page.locator("[data-testid=order]").select_option(order)
        for number in range(4, PAGES, 3):
            page.wait_for_timeout(PAUSE_MS)
            _wait_until_ahead(page)
            times.append(page.evaluate(TURN, ["Enter", str(number)]))
    return at_most(
        "mosaic: to a page of 100 fully painted, p95", _p95(times), 500, "ms", reference=_median(times)
    )


def _turns(page: Page) -> Row:
    page.reload()
    page.locator("[data-testid=page]").wait_for()
    page.evaluate(TURN, ["Enter", "1"])
    times = []
    for _ in range(PAGES - 1):
        _wait_until_ahead(page)
        times.append(page.evaluate(TURN, ["PageDown", ""]))
    return at_most(
        "mosaic: to the next page of 100 painted, p95", _p95(times), 100, "ms", reference=_median(times)
    )


def _wait_until_ahead(page: Page) -> None:
    page.wait_for_function(IS_AHEAD, timeout=AHEAD_MS)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _median(values: list[float]) -> str:
    what = f"{len(values)} pages of 100x100 px in four bands, anywhere among {CANDIDATES}, Chromium, software rendering"
    return f"{what}; median {statistics.median(values):.0f} ms"
