"""Ten million objects: a page of a filtered queue, plots that follow the wheel, memory; and a queue of 300,000."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page

from data.filters import parsed
from data.survey_table import Order, SurveyTable, write_survey_table
from tests.benchmarks.rows import Row, at_most
from tests.fixtures.browsers import open_chromium
from tests.fixtures.campaigns import MODEL
from tests.fixtures.servers import API, address_in, lensvet_process
from tests.fixtures.surveys import survey_campaign

LARGE, QUEUE = 10_000_000, 300_000
TURNS = 30  # of the wheel, in each plot
PLOTS = ("sky", "scatter", "scores")
DRAWN_MS = 120_000
FILTER = "p_lens > 0.1 and I_E < 22"

# From a turn of the wheel to the frame with the picture that it made.
WATCH = """(number) => {
  window.redrawn = []; window.moved = null;
  const view = [...window.Bokeh.index.query((v) => v.model.type === "Figure")][number];
  const frame = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel(); channel.port1.onmessage = then; channel.port2.postMessage(0);
  });
  for (const { data_source: source } of view.model.renderers) source?.properties.data.change.connect(() => {
    if (window.moved === null) return;
    const begun = window.moved; window.moved = null;
    frame(() => window.redrawn.push(performance.now() - begun));
  });
  window.addEventListener("wheel", () => { window.moved = performance.now(); }, { capture: true });
  const box = view.el.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""
ALL_DRAWN = """() => {
  const views = [...(window.Bokeh?.index?.query((v) => v.model.type === "Figure") ?? [])];
  const shown = ({ model: { renderers: [{ data_source: { data } }] } }) => (data.image?.[0] ?? data.x)?.length;
  return views.map(shown).filter((size) => size > 100).length === 3;
}"""


def bench() -> list[Row]:
    """Rows for a survey on this machine, the browser on the same cores."""
    with tempfile.TemporaryDirectory() as name:
        return [*_ten_million(Path(name)), *_queue(Path(name))]


def _ten_million(folder: Path) -> list[Row]:
    campaign = survey_campaign(folder / "large", LARGE)
    begun = time.perf_counter()
    write_survey_table(campaign, MODEL, campaign.table_path(MODEL))
    built_s = time.perf_counter() - begun
    table = SurveyTable(campaign.table_path(MODEL))
    page_ms = _times(lambda: table.page(parsed(FILTER), order=Order("where_why"), limit=40), 20)
    table.close()
    what = f"{FILTER}, by where_why; the table was made in {built_s:.0f} s"
    row = at_most(
        "ten million objects: first page of two filters and an order, p95",
        _p95(page_ms),
        300,
        "ms",
        reference=what,
    )
    log = folder / "large.log"
    with (
        lensvet_process(["serve", str(campaign.path), "--port", "0"], log=log) as process,
        open_chromium() as browser,
    ):
        url = address_in(log, within_s=120)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{url}/explore")
        page.wait_for_function(ALL_DRAWN, timeout=DRAWN_MS)
        times = {name: _turned(page, number) for number, name in enumerate(PLOTS)}
        memory_mib = psutil.Process(process.pid).memory_info().rss / 2**20
    every = [value for some in times.values() for value in some]
    told = ", ".join(f"{name} {statistics.median(some):.0f} ms" for name, some in times.items())
    return [
        row,
        at_most(
            "/explore of ten million: wheel to redrawn, p95",
            _p95(every),
            350,
            "ms",
            reference=f"medians: {told}",
        ),
        at_most("/explore of ten million: web process", memory_mib, 1536, "MiB", reference="after all that"),
    ]


def _turned(page: Page, number: int) -> list[float]:
    page.wait_for_timeout(1000)
    x, y = page.evaluate(WATCH, number)
    page.mouse.move(x, y)
    for turn in range(TURNS):
        page.mouse.wheel(0, -60 if turn % 4 < 2 else 60)
        page.wait_for_function(f"window.redrawn.length > {turn}", timeout=10_000)
        page.wait_for_timeout(200)
    return list(page.evaluate("window.redrawn"))


def _queue(folder: Path) -> list[Row]:
    """What /vet asks of a queue of 300,000: the first page, one in the middle, a filtered one."""
    campaign = survey_campaign(folder / "queue", QUEUE)
    log = folder / "queue.log"
    with lensvet_process(["serve", str(campaign.path), "--port", "0"], log=log) as process:
        url = address_in(log)
        with httpx.Client(base_url=url, timeout=60) as client:

            def ask(**parameters: object) -> None:
                client.get(f"{API}/queue", params=parameters).raise_for_status()  # type: ignore[arg-type]

            first_s = _times(ask, 1)[0] / 1000
            middle_s = max(_times(lambda: ask(offset=QUEUE // 2), 5)) / 1000
            begun = time.perf_counter()
            ask(filter=FILTER)
            made_s = time.perf_counter() - begun
            filtered_s = max(_times(lambda: ask(filter=f"p_lens > {time.perf_counter() % 0.1}"), 5)) / 1000
            memory_mib = psutil.Process(process.pid).memory_info().rss / 2**20
    told = f"web process {memory_mib:.0f} MiB"
    return [
        at_most("queue of 300,000: opened", first_s, 1, "s", reference=told),
        at_most("queue of 300,000: to its middle, worst of 5", middle_s, 1, "s", reference=told),
        at_most(
            "queue of 300,000: filtered, worst of 5",
            filtered_s,
            1,
            "s",
            reference=f"first, with its table made: {made_s:.1f} s",
        ),
    ]


def _times(what: Callable[[], object], number: int) -> list[float]:
    """Milliseconds that it takes, so many times."""
    times = []
    for _ in range(number):
        begun = time.perf_counter()
        what()
        times.append(1000 * (time.perf_counter() - begun))
    return times


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
