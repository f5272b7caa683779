"""What the inspector waits for, in a real browser: start, first candidate, key to picture, key to saved vote, brush."""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from data.maps import MapStore
from lensmodel.models import default_model
from lensmodel.scoring import score as score_with
from tests.benchmarks.rows import Row, at_least, at_most
from tests.fixtures.browsers import open_chromium
from tests.fixtures.galaxies import campaign_of, cutout, galaxy, score
from tests.fixtures.servers import lensvet_process, wait_until_healthy

CANDIDATES = 64
PACED, PACE_MS = 30, 2000
METHODS_AHEAD = ("grad-cam", "occlusion")
STROKES = 60
LOADING_MS = 120_000
PORT = 5071
PAINTED = "document.querySelector('[data-testid=stage]')?.dataset.objectId"

# Presses a key for each candidate as the browser would deliver it; [ms to the frame with the next picture, ms to the
# acknowledgement of the vote]. An inspector looks before the next key: 200 ms here, the fastest anybody grades.
GRADE_ALL = """async (count) => {
  const stage = document.querySelector('[data-testid=stage]');
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(0);
  }));
  const times = [];
  for (let n = 0; n < count; n++) {
    const before = stage.dataset.objectId;
    const start = performance.now();
    document.dispatchEvent(new KeyboardEvent('keydown', {key: 'c', bubbles: true}));
    while (stage.dataset.objectId === before || !stage.dataset.objectId) await pause(0);
    await frame();
    const painted = performance.now() - start;
    while (stage.dataset.unacked !== '0') await pause(0);
    times.push([painted, performance.now() - start]);
    await pause(200);
  }
  return times;
}"""

# From the last movement of a stroke to the frame with the p_lens that it made: one entry per stroke.
WATCH_STROKES = """() => {
  const canvas = document.querySelector('.picture canvas');
  const verdict = document.querySelector('[data-testid=what-if]');
  window.strokeTimes = [];
  let moved = null;
  const noted = (event) => { if (event.buttons) moved = performance.now(); };
  canvas.addEventListener('pointermove', noted, { capture: true });
  new MutationObserver(() => {
    if (moved === null || Number(verdict.dataset.strokes) !== window.strokeTimes.length + 1) return;
    const begun = moved;
    moved = null;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.strokeTimes.push(performance.now() - begun);
      channel.port2.postMessage(0);
    });
  }).observe(verdict, { attributes: true });
}"""


def bench() -> list[Row]:
    """Rows for one inspector in one browser on this machine."""
    with tempfile.TemporaryDirectory() as folder, open_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        return [
            *_grading(Path(folder), page),
            _maps_ahead(Path(folder), page),
            _brush(Path(folder), page),
            _demo_start(Path(folder), page),
        ]


def _grading(folder: Path, page: Page) -> list[Row]:
    names = [f"object {n}" for n in range(CANDIDATES + 1)]
    planes = [galaxy(n, shape=(100, 100)) for n in range(len(names))]
    campaign = campaign_of(folder / "grading", [cutout(i, p) for i, p in zip(names, planes, strict=True)])
    score(campaign, {name: 0.9 - n / 200 for n, name in enumerate(names)})
    words = ["serve", str(campaign.path), "--port", str(PORT)]
    with lensvet_process(words, log=folder / "serve.log"):
        wait_until_healthy(f"http://127.0.0.1:{PORT}")
        page.goto(f"http://127.0.0.1:{PORT}/vet")
        page.wait_for_function(PAINTED)
        page.wait_for_load_state("networkidle")
        times = page.evaluate(GRADE_ALL, CANDIDATES)
    painted, saved = ([row[k] for row in times] for k in (0, 1))
    what = f"{CANDIDATES} candidates of 100x100 px in four bands, Chromium, software rendering"
    return [
        at_most(
            "key to next candidate painted, p95", _p95(painted), 50, "ms", reference=_median(painted, what)
        ),
        at_most("key to vote acknowledged, p95", _p95(saved), 150, "ms", reference=_median(saved, what)),
    ]


def _maps_ahead(folder: Path, page: Page) -> Row:
    """How often the maps of a candidate are there when the inspector comes to it, two seconds after the one before."""
    card = default_model()
    planes = [galaxy(n, shape=(100, 100)) for n in range(PACED + 1)]
    campaign = campaign_of(folder / "ahead", [cutout(f"object {n}", p) for n, p in enumerate(planes)])
    score_with(campaign, card)
    stores = [MapStore(campaign.maps_path(card.version, method)) for method in METHODS_AHEAD]
    ready = 0
    with lensvet_process(["serve", str(campaign.path), "--port", str(PORT)], log=folder / "ahead.log"):
        wait_until_healthy(f"http://127.0.0.1:{PORT}")
        page.goto(f"http://127.0.0.1:{PORT}/vet")
        page.wait_for_function(PAINTED)
        page.wait_for_timeout(10_000)  # an inspector looks at the first one while the process starts
        for _ in range(PACED):
            before = page.evaluate(PAINTED)
            page.keyboard.press("c")
            page.wait_for_function(f"(before) => ![undefined, before].includes({PAINTED})", arg=before)
            stored = campaign.objects().get(page.evaluate(PAINTED))
            ready += stored is not None and all(store.read(stored) is not None for store in stores)
            page.wait_for_timeout(PACE_MS)
    return at_least(
        "maps there when the inspector comes, one grade in 2 s",
        ready / PACED,
        0.95,
        "of candidates",
        reference=f"{' and '.join(METHODS_AHEAD)} of {card.name}, {PACED} candidates of 100x100 px",
    )


def _brush(folder: Path, page: Page) -> Row:
    campaign = campaign_of(folder / "brush", [cutout("one", galaxy(0, shape=(100, 100)))])
    score_with(campaign, default_model())
    words = ["serve", str(campaign.path), "--port", str(PORT + 2)]
    with lensvet_process(words, log=folder / "brush.log"):
        wait_until_healthy(f"http://127.0.0.1:{PORT + 2}")
        page.goto(f"http://127.0.0.1:{PORT + 2}/vet")
        page.wait_for_function(PAINTED)
        page.keyboard.press("1")
        page.wait_for_selector(".legend .scale", timeout=LOADING_MS)
        page.keyboard.press("h")
        page.wait_for_selector('[data-testid=what-if][data-strokes="0"]', timeout=LOADING_MS)
        page.evaluate(WATCH_STROKES)
        box = page.locator(".picture canvas").bounding_box()
        assert box is not None
        side = min(box["width"], box["height"])
        for n in range(STROKES):
            x = box["x"] + box["width"] / 2 + side * (n % 10 - 5) / 14
            y = box["y"] + box["height"] / 2 + side * (n // 10 - 3) / 10
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + side / 20, y + side / 20, steps=12)
            page.mouse.up()
            page.wait_for_function(f"window.strokeTimes.length === {n + 1}")
        times: list[float] = page.evaluate("window.strokeTimes")
    what = f"{STROKES} strokes on 100x100 px in four bands, evidence-net, with its map"
    return at_most(
        "brush stroke to new p_lens painted, p95", _p95(times), 150, "ms", reference=_median(times, what)
    )


def _demo_start(folder: Path, page: Page) -> Row:
    started = time.perf_counter()
    words = ["demo", "--path", str(folder / "demo"), "--port", str(PORT + 1)]
    with lensvet_process(words, log=folder / "demo.log"):
        wait_until_healthy(f"http://127.0.0.1:{PORT + 1}")
        page.goto(f"http://127.0.0.1:{PORT + 1}/vet")
        page.wait_for_function(PAINTED)
        seconds = time.perf_counter() - started
    return at_most(
        "lensvet demo to first candidate painted", seconds, 8, "s", reference="a new demo campaign"
    )


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _median(values: list[float], what: str) -> str:
    return f"{what}; median {statistics.median(values):.0f} ms"
